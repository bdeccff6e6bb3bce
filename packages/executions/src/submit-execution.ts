import type { ExecuteRequest, Principal } from '@code-executor/contracts';
import { isAppError } from '@code-executor/platform';
import { type AcceptedRequest, acceptRequest, findReplay, replay, type SubmitOptions, type Submitted } from './accept-request.ts';
import type { RequestLimits } from './check-request.ts';
import type { ClaimedExecution } from './execution.ts';
import type { LiveExecutions } from './live-executions.ts';
import type { ExecutionQueue, QueuePlace } from './queue/execution-queue.ts';
import type { HeadStarts } from './run/head-starts.ts';
import type { SessionsService } from './sessions/create-sessions.ts';
import type { ExecutionStore } from './store/execution-store.ts';

export interface SubmitDependencies {
  readonly store: ExecutionStore;
  readonly queue: ExecutionQueue;
  readonly live: LiveExecutions;
  /** Executions written as running because a worker of this process is held for them. */
  readonly handover: Map<string, ClaimedExecution>;
  readonly workerId: string;
  /** Absent: no request that names a session is accepted. */
  readonly sessions?: Pick<SessionsService, 'reserve'> | undefined;
  readonly headStarts: Pick<HeadStarts, 'begin' | 'forget'>;
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
  const reserved = await reserve(accepted, deps);
  if ('executionId' in reserved) return reserved;
  const { place, leaveSession } = reserved;

  const live = deps.live.open(execution, execution.createdAt.getTime());
  // Before anybody hears of its end, who may send the session's next one at once.
  if (leaveSession !== null) live.ended.then(leaveSession, leaveSession);
  const withdraw = (): void => {
    deps.live.close(execution.id);
    deps.headStarts.forget(execution.id);
    leaveSession?.();
    place.release();
  };
  try {
    if (place.startsAtOnce) await deps.headStarts.begin(execution, live.stop.signal);
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

interface Reserved {
  readonly place: QueuePlace;
  /** null: it runs in no session. */
  readonly leaveSession: (() => void) | null;
}

/** A full queue and a busy session refuse new executions, not the answer to one that was accepted before. */
async function reserve(accepted: AcceptedRequest, deps: SubmitDependencies): Promise<Reserved | Submitted> {
  try {
    return reserveBoth(accepted, deps);
  } catch (error) {
    if (!['QUEUE_FULL', 'SESSION_BUSY', 'SESSION_LIMIT'].some((code) => isAppError(error) && error.code === code)) throw error;
    const known = await findReplay(accepted, deps.store);
    if (known === null) throw error;
    return known;
  }
}

function reserveBoth({ execution }: AcceptedRequest, { queue, sessions }: SubmitDependencies): Reserved {
  const place = queue.reserve(execution.workspaceId);
  if (execution.sessionId === undefined || sessions === undefined) return { place, leaveSession: null };
  try {
    return { place, leaveSession: sessions.reserve(execution) };
  } catch (error) {
    place.release();
    throw error;
  }
}
