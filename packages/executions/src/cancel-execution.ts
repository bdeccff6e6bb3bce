import type { Principal } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { type EndDependencies, endExecution } from './end-execution.ts';
import { endWithoutProgram } from './execution.ts';
import type { LiveExecution, LiveExecutions } from './live-executions.ts';
import type { ExecutionRecord } from './port.ts';
import type { ExecutionQueue } from './queue/execution-queue.ts';
import type { ReleasedExecutions } from './replay/released-executions.ts';
import type { EffectsOf } from './run/dependencies.ts';
import { CANCELLED } from './run/stop-reason.ts';
import { executionNotFound, isVisible, visibilityOf } from './visibility.ts';

/** Resolves when it has ended as cancelled. Throws EXECUTION_ENDED when another end came first. */
export async function cancelExecution(
  principal: Principal,
  executionId: string,
  deps: EndDependencies & {
    readonly queue: ExecutionQueue;
    readonly live: LiveExecutions;
    readonly released: Pick<ReleasedExecutions, 'remove'>;
    readonly effectsOf?: EffectsOf | undefined;
    readonly store: EndDependencies['store'] & { tokenOf(id: string): Promise<number> };
  },
): Promise<ExecutionRecord> {
  const visible = visibilityOf(principal);
  const live = deps.live.get(executionId);
  if (live === undefined || !isVisible(visible, live)) {
    const found = await deps.store.find(executionId, visible);
    if (found === null) throw executionNotFound(executionId);
    throw executionEnded(found.record);
  }
  if (deps.queue.remove(executionId)) await endExecution(live, 0, endWithoutProgram('cancelled', CANCELLED.error, 'not_started'), deps);
  else if (deps.released.remove(executionId)) await endReleased(live, deps);
  else live.stop.abort(CANCELLED);
  const record = await live.ended;
  if (record.status !== 'cancelled') throw executionEnded(record);
  return record;
}

/** Nothing of it runs: what it did is in the journal. */
async function endReleased(
  live: LiveExecution,
  deps: EndDependencies & { readonly effectsOf?: EffectsOf | undefined; readonly store: { tokenOf(id: string): Promise<number> } },
): Promise<void> {
  const effects = (await deps.effectsOf?.(live.id)) ?? 'unknown';
  await endExecution(live, await deps.store.tokenOf(live.id), endWithoutProgram('cancelled', CANCELLED.error, effects), deps);
}

export const executionEnded = ({ executionId, status }: ExecutionRecord): AppError =>
  new AppError('EXECUTION_ENDED', `Execution ${executionId} has ended already: ${status}.`, { details: { status } });
