import type { DiscoveryOperation, Effects, ToolCallReply } from '@code-executor/contracts';

/** What lets one execution call tools: it names whom the calls are for, and dies with the execution. */
export interface ExecutionGrant {
  readonly executionId: string;
  readonly workspaceId: string;
  readonly principalId: string;
}

/** What the program asked for, and what the caller must know of it afterwards. */
export interface ToolCallOutcome {
  readonly reply: ToolCallReply;
  /** `none`: not dispatched or marked read-only by the operator; `some`: dispatched; `unknown`: dispatched, answer missing. */
  readonly effects: Exclude<Effects, 'not_started'>;
}

/** The tool side as executions see it: in one process a function call, in the fleet the MCP proxy's internal route. */
export interface ToolPort {
  /** `callNumber` counts an execution's calls from 1 in the order they were issued. Never rejects: failures are replies. */
  callTool(
    grant: ExecutionGrant,
    call: { readonly callNumber: number; readonly tool: string; readonly args: unknown },
    signal: AbortSignal,
  ): Promise<ToolCallOutcome>;
  /** Never rejects. */
  discover(grant: ExecutionGrant, operation: DiscoveryOperation, params: unknown): Promise<ToolCallReply>;
  /** Host directory of the wrapper snapshot that a new execution of this workspace sees. */
  snapshotDir(workspaceId: string): Promise<string>;
}
