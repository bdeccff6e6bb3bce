import type { ExecuteRequest, Principal } from '@code-executor/contracts';
import { AppError, type Logger, messageOf } from '@code-executor/platform';
import { acceptRequest, findReplay, replay, type SubmitOptions, type Submitted } from '../accept-request.ts';
import type { RequestLimits } from '../check-request.ts';
import type { QueueProducer } from '../queue/bullmq-producer.ts';
import type { ExecutionStore } from '../store/execution-store.ts';
import type { FleetStore } from '../store/fleet-store.ts';
import type { Endings } from './endings.ts';
import type { LiveWorkers } from './live-workers.ts';
import type { QueueBound } from './queue-bound.ts';

export interface SubmitToFleetDependencies {
  readonly store: Pick<ExecutionStore, 'findByKey'>;
  readonly fleetStore: Pick<FleetStore, 'submit' | 'submitOnce'>;
  readonly queue: Pick<QueueProducer, 'add' | 'reason'>;
  readonly endings: Pick<Endings, 'expect' | 'forget'>;
  readonly bound: Pick<QueueBound, 'refusal' | 'added'>;
  readonly workers: Pick<LiveWorkers, 'share'>;
  readonly limits: RequestLimits;
  readonly log: Logger;
  readonly now: () => number;
}

/**
 * Judges, commits the row, and queues its id where the workspace's share has room. What the queue does not take after the
 * commit stays accepted: the reconciler queues it.
 */
export async function submitToFleet(
  principal: Principal,
  request: ExecuteRequest,
  options: SubmitOptions,
  deps: SubmitToFleetDependencies,
): Promise<Submitted> {
  const accepted = acceptRequest(principal, request, options, deps);
  const { execution, idempotent, keysExpiredBefore } = accepted;
  const refusal = refusalFor(execution.workspaceId, deps);
  if (refusal !== null) {
    // What was accepted before is answered all the same.
    const known = await findReplay(accepted, deps.store);
    if (known === null) throw refusal;
    return known;
  }

  deps.endings.expect(execution);
  const share = deps.workers.share();
  let dispatched: boolean;
  try {
    if (idempotent === null) dispatched = await deps.fleetStore.submit(execution, share);
    else {
      const written = await deps.fleetStore.submitOnce(execution, share, idempotent, keysExpiredBefore);
      if ('known' in written) {
        deps.endings.forget(execution.id);
        return replay(idempotent, written.known);
      }
      dispatched = written.dispatched;
    }
  } catch (error) {
    deps.endings.forget(execution.id);
    throw error;
  }
  if (dispatched) await queueId(execution.id, deps);
  else deps.bound.added(execution.workspaceId);
  return { executionId: execution.id, replayed: false };
}

function refusalFor(workspaceId: string, { queue, bound }: SubmitToFleetDependencies): AppError | null {
  const reason = queue.reason();
  if (reason === null) return bound.refusal(workspaceId);
  return new AppError('QUEUE_UNAVAILABLE', `Nothing was accepted: the queue cannot be used at the moment (${reason.slice(0, 200)}).`);
}

async function queueId(executionId: string, { queue, log }: SubmitToFleetDependencies): Promise<void> {
  try {
    await queue.add([executionId]);
  } catch (error) {
    log.warn({ executionId, reason: messageOf(error) }, 'The queue did not take an accepted execution; the reconciler will queue it');
  }
}
