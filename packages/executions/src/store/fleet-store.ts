import type { Database } from '@code-executor/platform';
import { CompiledQuery, type RawBuilder, sql } from 'kysely';
import type { AcceptedExecution, ClaimedExecution } from '../execution.ts';
import type { HeldExecution, Renewal } from '../ledger/port.ts';
import { CANCELLED } from '../run/stop-reason.ts';
import { CLAIMED_COLUMNS, type ClaimedRow, toClaimedExecution } from './claimed-execution.ts';
import { SUBMIT_ONCE, type SubmittedExecution, submitParameters, submitStatement } from './dispatch-statement.ts';
import { type ExpiredExecution, endExpired } from './end-expired.ts';
import type { Visibility } from './execution-store.ts';
import type { EndedExecution } from './finish-statement.ts';
import { createFinishing } from './finishing.ts';
import { findByKey, type IdempotentRequest, keyParameters } from './idempotency-key.ts';
import {
  type PausedExecution,
  queueReleased,
  releasedExecutions,
  releasePaused,
  type StoredPause,
  writePause,
} from './pause-statements.ts';
import { createResultParts } from './result-parts.ts';
import { someWait } from './some-wait.ts';
import type { ExecutionTables } from './tables.ts';
import { createWriteBatch } from './write-batch.ts';

/** The tries of one claim come within two seconds. */
const CLAIM_REPEATABLE_MS = 3_000;
const AGE_MS = sql`extract(epoch from clock_timestamp() - created_at) * 1000`;
/** Nobody runs it: it is queued, or waits for a person without a sandbox. */
const UNHELD = sql`(status = 'queued' or (status = 'paused' and worker_id is null))`;
const leaseEnd = (leaseMs: number): RawBuilder<Date> => sql`clock_timestamp() + ${leaseMs} * interval '1 millisecond'`;

interface ClaimOptions {
  readonly inSession?: boolean | undefined;
  readonly isAhead?: boolean | undefined;
  /** false: what the worker holds already is not looked for. */
  readonly isRepeatable?: boolean | undefined;
}

export type FleetStore = ReturnType<typeof createFleetStore>;

/**
 * What the processes of the fleet ask of the rows besides ExecutionStore. All times that decide something are the
 * database's own, since the clocks of many machines differ.
 *
 * An execution is *dispatched* once its id was given to the queue, and *in flight* from then to its end. At most a share of
 * a workspace's executions is in flight; the others wait here, first in, first out.
 */
export function createFleetStore(db: Pick<Database, 'kind' | 'query'>) {
  const query = db.query<ExecutionTables>();
  const finishing = createFinishing(query, createResultParts(query, db.kind), db.kind);

  const submits = createWriteBatch<SubmittedExecution, boolean>({
    async write(rows) {
      const { rows: written } = await query.executeQuery<{ id: string; dispatched: boolean }>(
        CompiledQuery.raw(submitStatement(rows.length), rows.flatMap(submitParameters)),
      );
      const dispatched = new Map(written.map((row) => [row.id, row.dispatched]));
      return rows.map(({ execution }) => dispatched.get(execution.id) ?? false);
    },
    weigh: ({ execution }) => execution.code.length,
  });

  return {
    /** Resolves when the row has committed. true: it is dispatched, its id is to be queued now; false: it waits for its turn. */
    submit: (execution: AcceptedExecution, share: number): Promise<boolean> => submits.add({ execution, share }),

    /** With its Idempotency-Key: both are written or neither, and `known` is what the key stands for already. */
    async submitOnce(
      execution: AcceptedExecution,
      share: number,
      request: IdempotentRequest,
      expiredBefore: Date,
    ): Promise<{ readonly dispatched: boolean } | { readonly known: { readonly executionId: string; readonly digest: string } }> {
      const parameters = [...keyParameters(request, execution, expiredBefore), ...submitParameters({ execution, share })];
      const { rows } = await query.executeQuery<{ dispatched: boolean }>(CompiledQuery.raw(SUBMIT_ONCE, parameters));
      const [row] = rows;
      if (row !== undefined) return { dispatched: row.dispatched };
      const known = await findByKey(query, request, expiredBefore);
      if (known === null) throw new Error('The Idempotency-Key expired while it was looked up.');
      return { known };
    },

    /** Ids of the workspace's next executions that were dispatched by this very call and are to be queued. */
    async dispatchNext(workspaceId: string, share: number): Promise<string[]> {
      const { rows } = await sql<{ id: string }>`
        with next as materialized (
          select id from executions
          where workspace_id = ${workspaceId} and dispatched_at is null and ended_at is null
          order by id
          limit (select case when ${sql.raw(someWait('w.id'))}
            then greatest(0, executions_room(w.id, ${share}::int4)) else 0 end from (select ${workspaceId}::text as id) w)
          for update skip locked)
        update executions e set dispatched_at = clock_timestamp() from next where e.id = next.id and e.dispatched_at is null
        returning e.id`.execute(query);
      return rows.map(({ id }) => id).sort();
    },

    /** Executions that wait for their workspace's share, by workspace. */
    async waiting(): Promise<Map<string, number>> {
      const { rows } = await sql<{ workspace_id: string; count: number }>`
        select workspace_id, count(*)::int4 as count from executions
        where dispatched_at is null and ended_at is null group by workspace_id`.execute(query);
      return new Map(rows.map(({ workspace_id, count }) => [workspace_id, count]));
    },

    /** Workspaces of which some wait although their share has room. It goes from one workspace to the next, and reads one row of each. */
    async withRoom(share: number, limit: number): Promise<string[]> {
      const { rows } = await sql<{ workspace_id: string }>`
        with recursive w (workspace_id) as (
          (select workspace_id from executions where dispatched_at is null and ended_at is null order by workspace_id limit 1)
          union all
          select (
            select e.workspace_id from executions e
            where e.dispatched_at is null and e.ended_at is null and e.workspace_id > w.workspace_id
            order by e.workspace_id limit 1)
          from w where w.workspace_id is not null)
        select workspace_id from w
        where workspace_id is not null and ${share}::int4 > (
          select count(*) from executions f
          where f.workspace_id = w.workspace_id and f.dispatched_at is not null and f.ended_at is null and f.status <> 'paused')
        limit ${limit}`.execute(query);
      return rows.map(({ workspace_id }) => workspace_id);
    },

    /** Dispatched executions that nobody has claimed for so long; the queue should hold them. */
    async unclaimed(olderThanMs: number, limit: number): Promise<string[]> {
      const { rows } = await sql<{ id: string }>`
        select id from executions
        where dispatched_at is not null and ended_at is null and status = 'queued'
          and dispatched_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond'
        order by id limit ${limit}`.execute(query);
      return rows.map(({ id }) => id);
    },

    /**
     * null: it is not queued any more; somebody else has it, or it was cancelled. A worker whose answer got lost may ask again
     * for a while; that it does not start twice what it has already is for the worker to see to. One that runs in a session is
     * claimed by whoever knows that its session is this worker's (`inSession`). `isAhead`: only where it is dispatched.
     */
    async claim(
      id: string,
      workerId: string,
      leaseMs: number,
      { inSession = false, isAhead = false, isRepeatable = true }: ClaimOptions = {},
    ): Promise<ClaimedExecution | null> {
      const columns = sql.join(CLAIMED_COLUMNS.map((column) => sql.ref(column)));
      const { rows } = await sql<ClaimedRow>`
        update executions set status = 'running', token = token + 1, worker_id = ${workerId}, started_at = clock_timestamp(),
          dispatched_at = coalesce(dispatched_at, clock_timestamp()), lease_until = ${leaseEnd(leaseMs)}
        where id = ${id} and status = 'queued' and (${inSession} or session_id is null) and (not ${isAhead} or dispatched_at is not null)
        returning ${columns}`.execute(query);
      if (rows[0] !== undefined || !isRepeatable) return rows[0] === undefined ? null : toClaimedExecution(rows[0]);
      const again = await sql<ClaimedRow>`
        select ${columns} from executions
        where id = ${id} and status = 'running' and worker_id = ${workerId}
          and started_at > clock_timestamp() - ${CLAIM_REPEATABLE_MS} * interval '1 millisecond'`.execute(query);
      return again.rows[0] === undefined ? null : toClaimedExecution(again.rows[0]);
    },
    async exists(id: string): Promise<boolean> {
      const { rows } = await sql`select 1 from executions where id = ${id}`.execute(query);
      return rows.length > 0;
    },
    /** Whether it is queued and belongs to the worker that has its session. */
    async waitsForSession(id: string): Promise<boolean> {
      const { rows } = await sql`select 1 from executions where id = ${id} and status = 'queued' and session_id is not null`.execute(query);
      return rows.length > 0;
    },

    /** Leases of executions that run and whose end nobody has judged, be they over or not; the others are `lost`. */
    async renew(
      workerId: string,
      held: readonly HeldExecution[],
      leaseMs: number,
    ): Promise<Pick<Renewal, 'lost' | 'cancelled'> & { readonly waitsFor: readonly string[] }> {
      if (held.length === 0) return { lost: [], cancelled: [], waitsFor: [] };
      const { rows } = await sql<{ id: string; cancelled: boolean; waitsFor: string | null }>`
        with held as materialized (
          select e.id from executions e
          join unnest(${held.map(({ executionId }) => executionId)}::text[], ${held.map(({ token }) => token)}::int4[]) h (id, token)
            on e.id = h.id and e.token = h.token
          where e.status in ('running', 'paused') and e.worker_id = ${workerId}
          order by e.id for no key update of e)
        update executions e set lease_until = ${leaseEnd(leaseMs)} from held where e.id = held.id
        returning e.id, e.cancel_requested_at is not null as cancelled, e.waits_for as "waitsFor"`.execute(query);
      const renewed = new Map(rows.map((row) => [row.id, row]));
      const ids = held.map(({ executionId }) => executionId);
      return {
        lost: ids.filter((id) => !renewed.has(id)),
        cancelled: ids.filter((id) => renewed.get(id)?.cancelled === true),
        waitsFor: rows.flatMap(({ waitsFor }) => (waitsFor === null || waitsFor === '' ? [] : waitsFor.split(','))),
      };
    },

    /** null: the claim is not this worker's any more. */
    setPaused: (held: HeldExecution, workerId: string, pause: StoredPause | null): Promise<PausedExecution | null> =>
      writePause(query, held, workerId, pause),
    release: (held: HeldExecution, workerId: string): Promise<boolean> => releasePaused(query, held, workerId),
    /** Executions that wait without anybody who runs them, and for which approvals. */
    released: (limit: number) => releasedExecutions(query, limit),
    queueReleased: (ids: readonly string[]): Promise<string[]> => queueReleased(query, ids),

    finish: finishing.finish,

    endExpired: (judge: (expired: ExpiredExecution) => Promise<EndedExecution>, mayJudge: () => boolean) =>
      endExpired(query, judge, mayJudge),

    /**
     * `ended`: it was queued and has ended as cancelled by this call; `requested`: whoever runs it is to be told;
     * null: there is none that has not ended.
     */
    async requestCancel(id: string, visible: Visibility): Promise<'ended' | 'requested' | null> {
      const whose = visible.principalId === undefined ? sql`` : sql`and principal_id = ${visible.principalId}`;
      const { rows } = await sql<{ status: string }>`
        update executions set
          cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()),
          status = case when ${UNHELD} then 'cancelled' else status end,
          ended_at = case when ${UNHELD} then clock_timestamp() end,
          error_json = case when ${UNHELD} then ${JSON.stringify(CANCELLED.error)} end,
          sealed_replay = case when ${UNHELD} then null else sealed_replay end,
          waits_for = case when ${UNHELD} then null else waits_for end,
          effects = case when status = 'paused' and worker_id is null then 'unknown' else effects end,
          queue_ms = case status when 'queued' then ${AGE_MS} else queue_ms end,
          total_ms = case when ${UNHELD} then ${AGE_MS} else total_ms end,
          events_json = case status when 'queued'
            then '[["s","queued",' || floor(extract(epoch from created_at) * 1000)::int8 || ']]' end
        where id = ${id} and workspace_id = ${visible.workspaceId} ${whose} and ended_at is null
        returning status`.execute(query);
      const [row] = rows;
      if (row === undefined) return null;
      return row.status === 'cancelled' ? 'ended' : 'requested';
    },
  };
}
