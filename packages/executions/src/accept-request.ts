import { type ExecuteRequest, newId, type Principal } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { checkRequest, type RequestLimits } from './check-request.ts';
import type { AcceptedExecution } from './execution.ts';
import { assertIdempotencyKey, bodyDigest } from './idempotency.ts';
import type { ExecutionStore, IdempotentRequest } from './store/execution-store.ts';

export interface SubmitOptions {
  readonly idempotencyKey?: string | undefined;
  readonly requestId: string;
  /** Of the request's own span. */
  readonly traceparent?: string | null | undefined;
}

export interface Submitted {
  readonly executionId: string;
  readonly replayed: boolean;
}

/** A request that was found good; nothing has been written yet. */
export interface AcceptedRequest {
  readonly execution: AcceptedExecution;
  readonly idempotent: IdempotentRequest | null;
  /** A key that was used before then means nothing any more. */
  readonly keysExpiredBefore: Date;
}

const ROUTE = 'POST /execute';
const KEY_LIFETIME_MS = 24 * 60 * 60 * 1000;

/** What every form does before it writes anything. Throws what `checkRequest` and the Idempotency-Key throw. */
export function acceptRequest(
  principal: Principal,
  request: ExecuteRequest,
  options: SubmitOptions,
  { limits, now: clock }: { readonly limits: RequestLimits; readonly now: () => number },
): AcceptedRequest {
  const checked = checkRequest(request, limits);
  const idempotent = options.idempotencyKey === undefined ? null : describeKey(principal, request, options.idempotencyKey);
  const now = clock();
  return {
    execution: {
      id: newId('exe', now),
      workspaceId: principal.workspaceId,
      principalId: principal.id,
      requestId: options.requestId,
      language: request.language,
      code: request.code,
      ...checked,
      createdAt: new Date(now),
      traceparent: options.traceparent ?? null,
    },
    idempotent,
    keysExpiredBefore: new Date(now - KEY_LIFETIME_MS),
  };
}

/** What the request's key stands for already; null: nothing. Throws IDEMPOTENCY_CONFLICT when that was another request. */
export async function findReplay(
  { idempotent, keysExpiredBefore }: AcceptedRequest,
  store: Pick<ExecutionStore, 'findByKey'>,
): Promise<Submitted | null> {
  if (idempotent === null) return null;
  const known = await store.findByKey(idempotent, keysExpiredBefore);
  return known === null ? null : replay(idempotent, known);
}

export function replay(request: IdempotentRequest, known: { readonly executionId: string; readonly digest: string }): Submitted {
  if (known.digest === request.digest) return { executionId: known.executionId, replayed: true };
  throw new AppError(
    'IDEMPOTENCY_CONFLICT',
    'This Idempotency-Key was used with another body in the last 24 hours. Take a new key for a new request.',
    {
      details: { executionId: known.executionId },
    },
  );
}

function describeKey(principal: Principal, request: ExecuteRequest, key: string): IdempotentRequest {
  assertIdempotencyKey(key);
  return { workspaceId: principal.workspaceId, principalId: principal.id, route: ROUTE, key, digest: bodyDigest(request) };
}
