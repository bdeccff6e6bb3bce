import type { Effects } from '@code-executor/contracts';
import { type EndDependencies, endExecution } from './end-execution.ts';
import { endWithoutProgram } from './execution.ts';
import type { ExecutionQueue } from './queue/execution-queue.ts';
import type { EffectsOf } from './run/dependencies.ts';
import type { ExecutionStore, UnfinishedExecution } from './store/execution-store.ts';

export interface Recovered {
  readonly queuedAgain: number;
  readonly lost: number;
}

export interface RecoverDependencies extends EndDependencies {
  readonly store: Pick<ExecutionStore, 'unfinished' | 'finish' | 'find'>;
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
  for (const execution of await deps.store.unfinished()) {
    const live = deps.live.open(execution, deps.now());
    if (execution.status === 'queued') {
      deps.queue.add(execution.id, { workspaceId: execution.workspaceId });
      queuedAgain += 1;
    } else {
      live.startedMs = live.acceptedMs;
      await endExecution(live, execution.token, await lostOutcome(execution, deps), deps, { eventsLost: true });
      lost += 1;
    }
  }
  if (queuedAgain + lost > 0) deps.log.warn({ queuedAgain, lost }, 'The last process left executions unfinished');
  return { queuedAgain, lost };
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
