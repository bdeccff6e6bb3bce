import type { Effects } from '@code-executor/contracts';
import { type EndDependencies, endExecution } from './end-execution.ts';
import { endWithoutProgram } from './execution.ts';
import type { HeldExecution } from './ledger/port.ts';
import type { LiveExecution } from './live-executions.ts';
import type { ExecutionQueue } from './queue/execution-queue.ts';
import { readCheckpoint } from './replay/checkpoint.ts';
import type { ReleasedExecutions } from './replay/released-executions.ts';
import type { EffectsOf } from './run/dependencies.ts';
import type { ExecutionStore, UnfinishedExecution } from './store/execution-store.ts';

export interface Recovered {
  readonly queuedAgain: number;
  readonly lost: number;
  /** Paused; they are replayed when somebody has decided. */
  readonly waiting: number;
}

export interface RecoverDependencies extends EndDependencies {
  readonly store: Pick<ExecutionStore, 'unfinished' | 'finish' | 'find'> & {
    replayOf(id: string): Promise<string | null>;
    release(held: HeldExecution): Promise<void>;
  };
  readonly released: Pick<ReleasedExecutions, 'add'>;
  readonly queue: ExecutionQueue;
  readonly effectsOf?: EffectsOf | undefined;
}

/**
 * What a dead process left: the queued is queued again, the running ends as WORKER_LOST. It runs before this process
 * takes anything, and only where no other process works on the same rows (the data directory is held by one).
 */
export async function recoverExecutions(deps: RecoverDependencies): Promise<Recovered> {
  let queuedAgain = 0;
  let lost = 0;
  let waiting = 0;
  for (const execution of await deps.store.unfinished()) {
    const live = deps.live.open(execution, deps.now());
    if (execution.status === 'queued') {
      deps.queue.add(execution.id, { workspaceId: execution.workspaceId });
      queuedAgain += 1;
    } else if (await isWaitedFor(execution, live, deps)) waiting += 1;
    else {
      live.startedMs = live.acceptedMs;
      await endExecution(live, execution.token, await lostOutcome(execution, deps), deps, { eventsLost: true });
      lost += 1;
    }
  }
  if (queuedAgain + lost + waiting > 0) deps.log.warn({ queuedAgain, lost, waiting }, 'The last process left executions unfinished');
  return { queuedAgain, lost, waiting };
}

/** One that was paused and can be replayed goes on waiting for its people. */
async function isWaitedFor(
  { id, status, token, executionMs, effects }: UnfinishedExecution,
  live: LiveExecution,
  { store, released, log }: RecoverDependencies,
): Promise<boolean> {
  if (status !== 'paused') return false;
  try {
    const past = readCheckpoint((await store.replayOf(id)) ?? '');
    if (past === null) return false;
    await store.release({ executionId: id, token });
    live.log.restore(past.events);
    live.startedMs = live.acceptedMs;
    live.computed = { ms: executionMs, sinceMs: null };
    live.pausedEffects = effects;
    live.setPaused(true);
    released.add(id, past.waitsFor);
    return true;
  } catch (error) {
    log.error({ err: error, executionId: id }, 'What a paused execution left cannot be opened; it ends as lost');
    return false;
  }
}

async function lostOutcome({ id }: UnfinishedExecution, { effectsOf, log }: RecoverDependencies) {
  let effects: Effects = 'unknown';
  try {
    if (effectsOf !== undefined) effects = await effectsOf(id);
  } catch (error) {
    log.error({ err: error, executionId: id }, 'The journal of tool calls could not be read; the effects of an execution stay unknown');
  }
  const message = 'The process that ran this execution died; effects says whether it may be run again.';
  return endWithoutProgram('failed', { code: 'WORKER_LOST', message }, effects);
}
