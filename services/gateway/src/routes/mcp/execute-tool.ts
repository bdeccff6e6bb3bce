import { type ExecuteRequest, executeRequestSchema } from '@code-executor/contracts';
import { isAppError } from '@code-executor/platform';
import type { CallToolResult, InputRequiredResult } from '@modelcontextprotocol/server';
import type { RouteDeps } from '../../gateway-app.ts';
import { checkExecuteRequest } from '../execute/check-execute-request.ts';
import { askForApproval, DECISION_MS } from './ask-for-approval.ts';
import type { ToolCallContext } from './call-context.ts';
import { toolResultOf } from './execution-content.ts';
import { filesOf } from './execution-files.ts';
import { type ObserveFrom, observeExecution } from './observe-execution.ts';
import { parseArguments } from './tool-errors.ts';

const argumentsSchema = executeRequestSchema.omit({ wait: true });

/** Runs a program, as POST /execute does. A client that cancels the request cancels the execution; one that hangs up does not. */
export async function executeTool(
  deps: RouteDeps,
  context: ToolCallContext,
  given: unknown,
): Promise<CallToolResult | InputRequiredResult> {
  const request = parseArguments(argumentsSchema, given);
  checkExecuteRequest(request, deps.config.runtimes);
  const { principal, httpRequestId, traceparent } = context.caller;
  const { executionId } = await deps.executions.submit(principal, request, { requestId: httpRequestId, traceparent });
  return await answerWith(deps, context, executionId, { afterEvent: 0, waitsOut: null, leavesFiles: mayLeaveFiles(request) });
}

/** Looking for files costs a program that leaves none as much as running it; the directory's name has to stand somewhere in one that does. */
function mayLeaveFiles({ code, files, sessionId }: ExecuteRequest): boolean {
  return sessionId !== undefined || [code, ...Object.values(files ?? {})].some((text) => text.includes('artifacts'));
}

/** Waits for an execution, and answers with how it ended or what it waits for. */
export async function answerWith(
  deps: RouteDeps,
  context: ToolCallContext,
  executionId: string,
  from: ObserveFrom,
  waitSignal?: AbortSignal,
): Promise<CallToolResult | InputRequiredResult> {
  const { executions } = deps;
  const { principal, over } = context.caller;
  const signals = [context.cancelled, over, ...(waitSignal === undefined ? [] : [waitSignal])];
  try {
    const record = await observeExecution(deps, context, executionId, from, AbortSignal.any(signals));
    if (record.status === 'paused') {
      const asked = await askForApproval(deps, context, record);
      if (asked !== 'asked') return asked;
      const waitsOut = record.approval?.id ?? '';
      return await answerWith(deps, context, executionId, { afterEvent: 0, waitsOut }, AbortSignal.timeout(DECISION_MS));
    }
    const isLookedAt = from.leavesFiles !== false || record.truncated;
    return toolResultOf(record, isLookedAt ? await filesOf(executions, principal, record) : []);
  } catch (error) {
    if (context.cancelled.aborted && !deps.closing.begun) await cancel(deps, context, executionId);
    if (waitSignal?.aborted === true && !over.aborted && !context.cancelled.aborted) {
      return toolResultOf(await executions.get(principal, executionId));
    }
    throw error;
  }
}

async function cancel({ executions }: RouteDeps, { caller }: ToolCallContext, executionId: string): Promise<void> {
  try {
    await executions.cancel(caller.principal, executionId);
  } catch (error) {
    // It ended a moment before.
    if (!isAppError(error, 'EXECUTION_ENDED')) throw error;
  }
}
