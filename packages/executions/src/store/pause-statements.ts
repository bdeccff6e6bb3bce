import type { Effects } from '@code-executor/contracts';
import { type Kysely, sql } from 'kysely';
import type { HeldExecution } from '../ledger/port.ts';
import type { ExecutionTables } from './tables.ts';

/** A pause as it is written: `sealedReplay` null: it cannot be replayed. */
export interface StoredPause {
  readonly sealedReplay: string | null;
  readonly waitsFor: readonly string[];
  readonly executionMs: number;
  readonly effects: Effects;
}

/** What of a claim on which an execution is paused, or goes on, a new grant is made of. */
export interface PausedExecution {
  readonly workspaceId: string;
  readonly principalId: string;
  readonly timeoutMs: number;
  readonly traceparent: string | null;
}

/** Writes that an execution waits for a person, or (null) runs again. null: the claim is not good any more, or it has ended. */
export async function writePause(
  query: Kysely<ExecutionTables>,
  { executionId, token }: HeldExecution,
  workerId: string | null,
  pause: StoredPause | null,
): Promise<PausedExecution | null> {
  const worker = workerId === null ? sql`` : sql`and worker_id = ${workerId}`;
  const { rows } = await sql<PausedExecution>`
    update executions set
      status = ${pause === null ? 'running' : 'paused'},
      paused_at = ${pause === null ? sql`null` : sql`coalesce(paused_at, clock_timestamp())`},
      waits_for = ${pause === null ? null : pause.waitsFor.join(',')},
      sealed_replay = ${pause === null ? sql`null` : sql`${pause.sealedReplay}`},
      execution_ms = ${pause === null ? sql`execution_ms` : sql`${pause.executionMs}`},
      effects = ${pause === null ? sql`effects` : sql`${pause.effects}`}
    where id = ${executionId} and token = ${token} and ended_at is null and status in ('running', 'paused') ${worker}
    returning workspace_id as "workspaceId", principal_id as "principalId", timeout_ms as "timeoutMs", traceparent`.execute(query);
  return rows[0] ?? null;
}

/**
 * Nobody runs it any more; it waits in its row. `workerId` null: whoever holds it. false: the claim is not good any more, or it can only run
 * on where it is. Who has let go of it may say so again.
 */
export async function releasePaused(
  query: Kysely<ExecutionTables>,
  { executionId, token }: HeldExecution,
  workerId: string | null,
): Promise<boolean> {
  const worker = workerId === null ? sql`` : sql`and (worker_id = ${workerId} or worker_id is null)`;
  const { rows } = await sql<{ id: string }>`
    update executions set worker_id = null, lease_until = null
    where id = ${executionId} and token = ${token} and status = 'paused' and ended_at is null and sealed_replay is not null ${worker}
    returning id`.execute(query);
  return rows.length > 0;
}

/** Those of them that wait without anybody who runs them are queued; answers which. */
export async function queueReleased(query: Kysely<ExecutionTables>, ids: readonly string[]): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    update executions set status = 'queued', paused_at = null, waits_for = null,
      dispatched_at = case when dispatched_at is null then null else clock_timestamp() end
    where id = any(${[...ids]}::text[]) and status = 'paused' and worker_id is null and ended_at is null
    returning id`.execute(query);
  return rows.map(({ id }) => id);
}

export async function releasedExecutions(
  query: Kysely<ExecutionTables>,
  limit: number,
): Promise<{ readonly id: string; readonly waitsFor: readonly string[] }[]> {
  const { rows } = await sql<{ id: string; waitsFor: string | null }>`
    select id, waits_for as "waitsFor" from executions
    where ended_at is null and status = 'paused' and worker_id is null
    order by id limit ${limit}`.execute(query);
  return rows.map(({ id, waitsFor }) => ({ id, waitsFor: waitsFor === null || waitsFor === '' ? [] : waitsFor.split(',') }));
}

/** What waited with workers that are gone and can be replayed waits on, in its row; answers which. */
export async function releaseExpired(query: Kysely<ExecutionTables>): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    update executions set worker_id = null, lease_until = null
    where id in (
      select id from executions
      where dispatched_at is not null and ended_at is null and status = 'paused' and sealed_replay is not null
        and cancel_requested_at is null and lease_until < clock_timestamp()
      order by id limit 100 for no key update skip locked)
    returning id`.execute(query);
  return rows.map(({ id }) => id);
}
