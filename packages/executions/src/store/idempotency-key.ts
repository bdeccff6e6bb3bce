import type { Kysely } from 'kysely';
import type { AcceptedExecution } from '../execution.ts';
import type { ExecutionTables } from './tables.ts';

export interface IdempotentRequest {
  readonly workspaceId: string;
  readonly principalId: string;
  readonly route: string;
  readonly key: string;
  /** Of the body; the same key with another one is a conflict. */
  readonly digest: string;
}

/** The first parameters of a statement that begins with TAKE_KEY. */
export const KEY_PARAMETERS = 8;

/** A row of `taken` says that the key was free, or older than its day. */
export const TAKE_KEY = `taken as (
  insert into idempotency_keys (workspace_id, principal_id, route, key, digest, execution_id, created_at)
  values ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::timestamptz)
  on conflict (workspace_id, principal_id, route, key) do update
    set digest = excluded.digest, execution_id = excluded.execution_id, created_at = excluded.created_at
    where idempotency_keys.created_at < $8::timestamptz
  returning execution_id)`;

export const keyParameters = (request: IdempotentRequest, execution: AcceptedExecution, expiredBefore: Date): string[] => [
  request.workspaceId,
  request.principalId,
  request.route,
  request.key,
  request.digest,
  execution.id,
  execution.createdAt.toISOString(),
  expiredBefore.toISOString(),
];

/** What the key stands for already. */
export async function findByKey(query: Kysely<ExecutionTables>, request: Omit<IdempotentRequest, 'digest'>, expiredBefore: Date) {
  const row = await query
    .selectFrom('idempotency_keys')
    .select(['execution_id', 'digest'])
    .where('workspace_id', '=', request.workspaceId)
    .where('principal_id', '=', request.principalId)
    .where('route', '=', request.route)
    .where('key', '=', request.key)
    .where('created_at', '>=', expiredBefore)
    .executeTakeFirst();
  return row === undefined ? null : { executionId: row.execution_id, digest: row.digest };
}
