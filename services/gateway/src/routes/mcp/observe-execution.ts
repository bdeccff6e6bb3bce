import { ENDED_STATUSES, type ExecutionEvent } from '@code-executor/contracts';
import type { ExecutionRecord } from '@code-executor/executions';
import type { RouteDeps } from '../../gateway-app.ts';
import type { ToolCallContext } from './call-context.ts';
import { describeEvent, isWanted } from './describe-event.ts';
import type { StreamPosition } from './stream-position.ts';

export interface ObserveFrom {
  readonly afterEvent: number;
  /** The pause that the asker knows of already and waits out: its approval. null: any pause is news. */
  readonly waitsOut: string | null;
  /** false: nobody need look for files afterwards. */
  readonly leavesFiles?: boolean;
}

/**
 * Waits until an execution has ended or is paused anew, and tells the client what it does meanwhile: progress where it
 * gave a token, log messages where it set a level. Nothing is followed for clients that want neither. Throws the signal's reason.
 */
export async function observeExecution(
  { executions }: Pick<RouteDeps, 'executions'>,
  context: ToolCallContext,
  executionId: string,
  { afterEvent, waitsOut }: ObserveFrom,
  signal: AbortSignal,
): Promise<ExecutionRecord> {
  const { principal } = context.caller;
  context.mark(positionOf(context, executionId, afterEvent));
  const isObserved = context.progressToken !== null || context.logLevel !== null;
  if (!isObserved && waitsOut === null) return await executions.wait(principal, executionId, signal);

  // What came before the known pause was told when it came.
  let isNews = waitsOut === null;
  for await (const event of await executions.events(principal, executionId, afterEvent, signal)) {
    signal.throwIfAborted();
    if (isNews) tell(event, context, positionOf(context, executionId, event.id));
    if (event.type !== 'status' || event.data.status !== 'paused') continue;
    const record = await executions.get(principal, executionId);
    if (record.status === 'paused' && (waitsOut === null || record.approval?.id !== waitsOut)) return record;
    isNews = true;
  }
  signal.throwIfAborted();
  const record = await executions.get(principal, executionId);
  return ENDED_STATUSES.includes(record.status) ? record : await executions.wait(principal, executionId, signal);
}

function positionOf({ requestId, progressToken, logLevel }: ToolCallContext, executionId: string, afterEvent: number): StreamPosition {
  return { executionId, afterEvent, requestId, progressToken, logLevel };
}

function tell(event: ExecutionEvent, context: ToolCallContext, position: StreamPosition): void {
  const told = describeEvent(event);
  if (told === null) return;
  if (context.progressToken !== null) {
    // An execution's events are numbered, so progress only ever grows, over a stream that was gone on with too.
    const params = { progressToken: context.progressToken, progress: event.id, message: lastLineOf(told.message) };
    context.notify({ method: 'notifications/progress', params }, position);
  }
  if (isWanted(told.level, context.logLevel)) {
    context.notify({ method: 'notifications/message', params: { level: told.level, logger: told.logger, data: told.message } }, position);
  }
}

const lastLineOf = (text: string): string => (text.trimEnd().split('\n').at(-1) ?? '').slice(0, 200);
