import { type ExecuteRequest, newId, type Principal } from '@code-executor/contracts';
import { AppError, isAppError } from '@code-executor/platform';
import { checkRequest, type RequestLimits } from './check-request.ts';
import type { AcceptedExecution, ClaimedExecution } from './execution.ts';
import { assertIdempotencyKey, bodyDigest } from './idempotency.ts';
import type { LiveExecutions } from './live-executions.ts';
import type { ExecutionQueue, QueuePlace } from './queue/execution-queue.ts';
import type { Preparation } from './run/preparation.ts';
import type { ExecutionStore, IdempotentRequest } from './store/execution-store.ts';

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

export interface SubmitOptions {
  readonly idempotencyKey?: string | undefined;
  readonly requestId: string;
}

interface Submitted {
  readonly executionId: string;
  readonly replayed: boolean;
}

const ROUTE = 'POST /execute';
const KEY_LIFETIME_MS = 24 * 60 * 60 * 1000;

/** Judges, takes room in the queue, commits the row, and only then queues its id. */
export async function submitExecution(
  principal: Principal,
  request: ExecuteRequest,
  options: SubmitOptions,
  deps: SubmitDependencies,
): Promise<Submitted> {
  const checked = checkRequest(request, deps.limits);
  const idempotent = options.idempotencyKey === undefined ? null : describeKey(principal, request, options.idempotencyKey);
  const now = deps.now();
  const place = await reserve(principal, idempotent, now, deps);
  if ('executionId' in place) return place;

  const execution: AcceptedExecution = {
    id: newId('exe', now),
    workspaceId: principal.workspaceId,
    principalId: principal.id,
    requestId: options.requestId,
    language: request.language,
    code: request.code,
    ...checked,
    createdAt: new Date(now),
  };
  const live = deps.live.open(execution, now);
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
      const known = await deps.store.insertOnce(row, idempotent, expiryOf(now));
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

function describeKey(principal: Principal, request: ExecuteRequest, key: string): IdempotentRequest {
  assertIdempotencyKey(key);
  return { workspaceId: principal.workspaceId, principalId: principal.id, route: ROUTE, key, digest: bodyDigest(request) };
}

/** A full queue refuses new executions, not the answer to one it has accepted before. */
async function reserve(
  principal: Principal,
  idempotent: IdempotentRequest | null,
  now: number,
  { queue, store }: SubmitDependencies,
): Promise<QueuePlace | Submitted> {
  try {
    return queue.reserve(principal.workspaceId);
  } catch (error) {
    if (idempotent === null || !isAppError(error, 'QUEUE_FULL')) throw error;
    const known = await store.findByKey(idempotent, expiryOf(now));
    if (known === null) throw error;
    return replay(idempotent, known);
  }
}

function replay(request: IdempotentRequest, known: { readonly executionId: string; readonly digest: string }): Submitted {
  if (known.digest === request.digest) return { executionId: known.executionId, replayed: true };
  throw new AppError(
    'IDEMPOTENCY_CONFLICT',
    'This Idempotency-Key was used with another body in the last 24 hours. Take a new key for a new request.',
    {
      details: { executionId: known.executionId },
    },
  );
}

const expiryOf = (now: number): Date => new Date(now - KEY_LIFETIME_MS);
