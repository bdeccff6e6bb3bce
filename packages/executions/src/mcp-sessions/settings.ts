import { wholeNumber } from '@code-executor/platform';
import { z } from 'zod';
import type { McpSessionLimits } from './create-mcp-sessions.ts';

const count = (min: number, max: number, unit: string) => wholeNumber({ min, max, unit });

/** The variables of MCP sessions, in both forms. */
export const mcpSettings = {
  /** A session of the MCP endpoint that nobody uses for so long ends; its client begins anew by itself. A day: people leave editors open. */
  EXECUTOR_MCP_SESSION_IDLE_SECONDS: count(60, 2_592_000, 'seconds').default(86_400),
  /** Sessions in all (one more client is served without a session) and of one principal (one more ends the one used longest ago). */
  EXECUTOR_MCP_SESSIONS: count(1, 1_000_000, 'sessions').default(10_000),
  EXECUTOR_MCP_SESSIONS_PER_PRINCIPAL: count(1, 100_000, 'sessions').default(1_000),
  /** Ids of keys, by commas, whose approvals may be decided through the very client that asks. */
  EXECUTOR_MCP_INBAND_APPROVAL: z.string().default(''),
};

interface McpSettings {
  readonly EXECUTOR_MCP_SESSION_IDLE_SECONDS: number;
  readonly EXECUTOR_MCP_SESSIONS: number;
  readonly EXECUTOR_MCP_SESSIONS_PER_PRINCIPAL: number;
}

export const inbandApprovalOf = ({ EXECUTOR_MCP_INBAND_APPROVAL: ids }: { readonly EXECUTOR_MCP_INBAND_APPROVAL: string }): string[] =>
  ids
    .split(',')
    .map((id) => id.trim())
    .filter((id) => id !== '');

export const mcpSessionLimitsOf = (settings: McpSettings): McpSessionLimits => ({
  idleSeconds: settings.EXECUTOR_MCP_SESSION_IDLE_SECONDS,
  maximum: settings.EXECUTOR_MCP_SESSIONS,
  maximumOfPrincipal: settings.EXECUTOR_MCP_SESSIONS_PER_PRINCIPAL,
});
