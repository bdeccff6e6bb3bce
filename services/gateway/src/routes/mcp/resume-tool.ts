import { ENDED_STATUSES } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { CallToolResult, InputRequiredResult } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { RouteDeps } from '../../gateway-app.ts';
import { asReader } from '../../plugins/scopes.ts';
import { APPROVAL_INPUT, INBAND_INPUT } from './ask-for-approval.ts';
import type { ToolCallContext } from './call-context.ts';
import { answerWith } from './execute-tool.ts';
import { toolResultOf } from './execution-content.ts';
import { filesOf } from './execution-files.ts';
import { decideInband } from './inband-approval.ts';
import { parseArguments } from './tool-errors.ts';

/** Clients give up on a call after 60 s unless they are told otherwise. */
const WAIT_DEFAULT_MS = 45_000;
const WAIT_MAXIMUM_MS = 600_000;

const argumentsSchema = z.strictObject({
  executionId: z.string().regex(/^exe_[0-9a-z]{26}$/, 'must be an id as execute answered it: exe_ and 26 characters'),
  approvalId: z.string().max(64).optional(),
  waitMs: z.int().min(0).max(WAIT_MAXIMUM_MS).default(WAIT_DEFAULT_MS),
});

/** Waits for an execution that is paused or runs; when the time is up, answers how it stands. */
export async function resumeTool(deps: RouteDeps, context: ToolCallContext, given: unknown): Promise<CallToolResult | InputRequiredResult> {
  const { executionId, approvalId, waitMs } = parseArguments(argumentsSchema, given);
  return await resume(deps, context, executionId, approvalId, waitMs);
}

/** 2026 version: the round after a human was shown where to decide, or asked to. */
export async function resumeRound(deps: RouteDeps, context: ToolCallContext): Promise<CallToolResult | InputRequiredResult> {
  const { executionId, waitMs } = await takeRound(deps, context);
  return await resume(deps, context, executionId, undefined, waitMs);
}

/** What a round brings: a decision, where it may, and whether there is one to wait for. Its state is an id, judged like any that a client sends. */
export async function takeRound(
  deps: RouteDeps,
  context: ToolCallContext,
): Promise<{ readonly executionId: string; readonly waitMs: number }> {
  const { executionId } = parseArguments(argumentsSchema, { executionId: context.requestState });
  const { principal } = context.caller;
  const decision = context.answers?.[INBAND_INPUT];
  const { approval } = await deps.executions.get(asReader(principal), executionId);
  if (decision !== undefined && approval !== null) await decideInband(deps, principal, approval.id, decision);
  const answer = decision ?? context.answers?.[APPROVAL_INPUT];
  const isAccepted = typeof answer === 'object' && answer !== null && 'action' in answer && answer.action === 'accept';
  return { executionId, waitMs: isAccepted ? WAIT_DEFAULT_MS : 0 };
}

async function resume(
  deps: RouteDeps,
  context: ToolCallContext,
  executionId: string,
  approvalId: string | undefined,
  waitMs: number,
): Promise<CallToolResult | InputRequiredResult> {
  const { executions } = deps;
  const { principal } = context.caller;
  const record = await executions.get(asReader(principal), executionId);
  if (ENDED_STATUSES.includes(record.status)) return toolResultOf(record, await filesOf(executions, principal, record));
  if (approvalId !== undefined && record.approval !== null && record.approval.id !== approvalId) {
    throw new AppError('INVALID_REQUEST', `Execution ${executionId} waits for ${record.approval.id}, not for ${approvalId.slice(0, 64)}.`);
  }
  if (waitMs === 0) return toolResultOf(record);
  const waitsOut = record.status === 'paused' ? (record.approval?.id ?? '') : null;
  return await answerWith(deps, context, executionId, { afterEvent: 0, waitsOut }, AbortSignal.timeout(waitMs));
}
