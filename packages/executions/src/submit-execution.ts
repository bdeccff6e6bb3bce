import type { ExecuteRequest, Principal } from '@code-executor/contracts';
import { isAppError } from '@code-executor/platform';
import { type AcceptedRequest, acceptRequest, findReplay, replay, type SubmitOptions, type Submitted } from './accept-request.ts';
import type { RequestLimits } from './check-request.ts';
import type { ClaimedExecution } from './execution.ts';
import type { LiveExecutions } from './live-executions.ts';
import type { ExecutionQueue, QueuePlace } from './queue/execution-queue.ts';
import type { Preparation } from './run/preparation.ts';
import type { ExecutionStore } from './store/execution-store.ts';

export interface SubmitDependencies {
  readonly store: ExecutionStore;
  readonly queue: ExecutionQueue;
  readonly live: LiveExecutions;
  /** Executions written as running because a worker of this process is held for them. */
  readonly handover: Map<string, ClaimedExecution>;
  readonly workerId: string;
  readonly preparation: Pick<Preparation<unknown>, 'begin' | 'forget'>;
  readonly limits: RequestLimits;
  readonly now: () => number;
}

/** Judges, takes room in the queue, commits the row, and only then queues its id. */
export async function submitExecution(
  principal: Principal,
  request: ExecuteRequest,
  options: SubmitOptions,
  deps: SubmitDependencies,
): Promise<Submitted> {
  const accepted = acceptRequest(principal, request, options, deps);
  const { execution, idempotent, keysExpiredBefore } = accepted;
  const place = await reserve(accepted, deps);
  if ('executionId' in place) return place;

  const live = deps.live.open(execution, execution.createdAt.getTime());
  if (place.startsAtOnce) deps.preparation.begin(execution, live.stop.signal);
  const withdraw = (): void => {
    deps.live.close(execution.id);
    deps.preparation.forget(execution.id);
    place.release();
  };
  try {
    const row = { execution, startedBy: place.startsAtOnce ? deps.workerId : null };
    if (idempotent === null) await deps.store.insert(row);
    else {
      const known = await deps.store.insertOnce(row, idempotent, keysExpiredBefore);
      if (known !== null) {
        withdraw();
        return replay(idempotent, known);
      }
    }
  } catch (error) {
    withdraw();
    throw error;
  }
  if (place.startsAtOnce) deps.handover.set(execution.id, { ...execution, token: 1 });
  place.add(execution.id);
  return { executionId: execution.id, replayed: false };
}

/** A full queue refuses new executions, not the answer to one it has accepted before. */
async function reserve(accepted: AcceptedRequest, { queue, store }: SubmitDependencies): Promise<QueuePlace | Submitted> {
  try {
    return queue.reserve(accepted.execution.workspaceId);
  } catch (error) {
    if (!isAppError(error, 'QUEUE_FULL')) throw error;
    const known = await findReplay(accepted, store);
    if (known === null) throw error;
    return known;
  }
}
