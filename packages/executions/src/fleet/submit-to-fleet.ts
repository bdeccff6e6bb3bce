import type { ExecuteRequest, Principal } from '@code-executor/contracts';
import { AppError, isAppError, type Logger, messageOf } from '@code-executor/platform';
import { type AcceptedRequest, acceptRequest, findReplay, replay, type SubmitOptions, type Submitted } from '../accept-request.ts';
import type { RequestLimits } from '../check-request.ts';
import type { SessionMessage } from '../fleet-sessions/session-messages.ts';
import type { FleetSessionStore, ReservedSession, SessionLimits } from '../fleet-sessions/session-store.ts';
import { AHEAD_MS } from '../ledger/claim-ahead.ts';
import type { QueueProducer } from '../queue/bullmq-producer.ts';
import type { ExecutionStore } from '../store/execution-store.ts';
import type { FleetStore } from '../store/fleet-store.ts';
import type { Endings } from './endings.ts';
import type { HandOver } from './hand-over.ts';
import type { LiveWorkers } from './live-workers.ts';
import type { QueueBound } from './queue-bound.ts';

export interface SubmitToFleetDependencies {
  readonly store: Pick<ExecutionStore, 'findByKey'>;
  readonly fleetStore: Pick<FleetStore, 'submit' | 'submitOnce'>;
  readonly queue: Pick<QueueProducer, 'add' | 'reason'>;
  readonly endings: Pick<Endings, 'expect' | 'forget'>;
  readonly bound: Pick<QueueBound, 'refusal' | 'added' | 'someWait'>;
  readonly workers: Pick<LiveWorkers, 'share' | 'reports'>;
  readonly handOver: Pick<HandOver, 'tell' | 'forget'>;
  readonly sessions: Pick<FleetSessionStore, 'reserve' | 'withdraw'>;
  /** null: `sessionId` was refused before. */
  readonly sessionLimits: SessionLimits | null;
  readonly tellSession: (message: SessionMessage) => Promise<void>;
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

  const reserved = await reserveSession(accepted, deps);
  if (reserved !== null && 'executionId' in reserved) return reserved;
  deps.endings.expect(execution);
  const share = deps.workers.share();
  const withdraw = async (): Promise<void> => {
    deps.endings.forget(execution.id);
    deps.handOver.forget(execution.id);
    if (reserved !== null) await deps.sessions.withdraw(execution.id);
  };
  let dispatched: boolean;
  let handed: Promise<boolean> | null = null;
  const startedAtMs = performance.now();
  try {
    if (idempotent === null) {
      const written = deps.fleetStore.submit(execution, share);
      // Ahead of the commit: the claim waits for the row, and claims nothing that is not committed and dispatched.
      if (reserved === null && !deps.bound.someWait(execution.workspaceId)) handed = deps.handOver.tell(execution.id);
      dispatched = await written;
    } else {
      const written = await deps.fleetStore.submitOnce(execution, share, idempotent, keysExpiredBefore);
      if ('known' in written) {
        await withdraw();
        return replay(idempotent, written.known);
      }
      dispatched = written.dispatched;
    }
  } catch (error) {
    await withdraw().catch((reason: unknown) =>
      deps.log.info({ executionId: execution.id, reason: messageOf(reason) }, 'A session stays reserved for a few seconds'),
    );
    throw error;
  }
  if (!dispatched) {
    // It waits for its share, and takes nothing of the worker that was told.
    deps.handOver.forget(execution.id);
    deps.bound.added(execution.workspaceId);
  } else if (reserved !== null) await queueId(execution.id, reserved.workerId, deps);
  // Who was told so long ago waits for its row no more.
  else if (performance.now() - startedAtMs >= AHEAD_MS / 2 || !(await (handed ?? deps.handOver.tell(execution.id))))
    await queueId(execution.id, null, deps);
  return { executionId: execution.id, replayed: false };
}

function refusalFor(workspaceId: string, { queue, bound }: SubmitToFleetDependencies): AppError | null {
  const reason = queue.reason();
  if (reason === null) return bound.refusal(workspaceId);
  return new AppError('QUEUE_UNAVAILABLE', `Nothing was accepted: the queue cannot be used at the moment (${reason.slice(0, 200)}).`);
}

/** Its session is this execution's until it has ended; null: it runs in none. Answers what was accepted before for the same key. */
async function reserveSession(
  accepted: AcceptedRequest,
  { sessions, sessionLimits, workers, store }: SubmitToFleetDependencies,
): Promise<ReservedSession | Submitted | null> {
  const { id, workspaceId, principalId, sessionId, language } = accepted.execution;
  if (sessionId === undefined || sessionLimits === null) return null;
  const taking = workers.reports().filter(({ draining }) => !draining).length;
  try {
    const limits = { ...sessionLimits, maximum: sessionLimits.maximum * Math.max(1, taking) };
    return await sessions.reserve({ workspaceId, principalId, sessionId }, language, id, limits);
  } catch (error) {
    if (!isAppError(error, 'SESSION_BUSY') && !isAppError(error, 'SESSION_LIMIT')) throw error;
    const known = await findReplay(accepted, store);
    if (known === null) throw error;
    return known;
  }
}

/** `workerId`: the one that has its session, which is told; the queue could hand it to any. */
async function queueId(
  executionId: string,
  workerId: string | null,
  { queue, tellSession, log }: SubmitToFleetDependencies,
): Promise<void> {
  try {
    if (workerId === null) await queue.add([executionId]);
    else await tellSession({ kind: 'run', workerId, executionId });
  } catch (error) {
    log.warn({ executionId, reason: messageOf(error) }, 'The queue did not take an accepted execution; the reconciler will queue it');
  }
}
