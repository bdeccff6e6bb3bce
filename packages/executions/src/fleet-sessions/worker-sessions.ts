import type { Database } from '@code-executor/platform';
import { sql } from 'kysely';
import { LEASE_MS } from '../ledger/lease.ts';
import type { HeldExecution } from '../ledger/port.ts';
import type { ExecutionTables } from '../store/tables.ts';
import type { Incarnation, LostSession, SessionFate, SessionOfClaim } from './port.ts';
import { BUSY, LEFT_OVER } from './session-store.ts';

export type WorkerSessionStore = ReturnType<typeof createWorkerSessionStore>;

/** `elsewhere`: this worker may not take it; the one that is named may, where there is one. */
export type SessionClaim = { readonly session: SessionOfClaim } | { readonly elsewhere: string | null };

interface ClaimRow {
  readonly incarnation: string;
  readonly workerId: string | null;
  readonly lost: string | null;
  readonly ours: boolean;
  readonly late: boolean;
}

const LEASE = sql`clock_timestamp() + ${LEASE_MS} * interval '1 millisecond'`;
/** A worker answers within seconds, and no gateway waits for longer than this. */
const TRANSFER_LIFE = sql`interval '3 minutes'`;
/** So long an execution waits for a worker with room for its session. */
const ROOM_WAIT = sql`interval '10 seconds'`;
const EXECUTIONS_AT_ONCE = 100;

/** What the ledger and the reconciler do to the rows of sessions. All times are the database's own. */
export function createWorkerSessionStore(db: Pick<Database, 'query'>) {
  const query = db.query<ExecutionTables>();

  return {
    /**
     * Whose the session of a queued execution is. One that has not begun becomes this worker's, if it has room (`takesNew`); a
     * repeated question is answered as the first one.
     */
    claim: (executionId: string, workerId: string, takesNew: boolean): Promise<SessionClaim> =>
      query.transaction().execute(async (transaction) => {
        const { rows } = await sql<ClaimRow>`
          select s.incarnation, s.worker_id as "workerId", s.lost_reason as lost, s.holder = e.id as ours,
            e.created_at < clock_timestamp() - ${ROOM_WAIT} as late
          from executions e join fleet_sessions s
            on s.workspace_id = e.workspace_id and s.principal_id = e.principal_id and s.id = e.session_id
          where e.id = ${executionId} for update of s`.execute(transaction);
        const [row] = rows;
        if (row === undefined || !row.ours) return { session: { incarnation: executionId, lost: 'nothing is known of it any more' } };
        const { incarnation, lost } = row;
        if (lost !== null) return { session: { incarnation, lost } };
        if (row.workerId !== null && row.workerId !== workerId) return { elsewhere: row.workerId };
        if (row.workerId === null && !takesNew) return row.late ? { session: { incarnation, lost, isRefused: true } } : { elsewhere: null };
        await sql`
          update fleet_sessions set worker_id = ${workerId}, lease_until = ${LEASE},
            executions = executions + case when counted is distinct from ${executionId} then 1 else 0 end, counted = ${executionId}
          where incarnation = ${incarnation}`.execute(transaction);
        return { session: { incarnation, lost: null } };
      }),

    /** The execution that was to begin it cannot be had any more. */
    async unclaim(executionId: string): Promise<void> {
      await sql`
        update fleet_sessions set worker_id = null, lease_until = null
        where incarnation = ${executionId} and holder = ${executionId} and lost_reason is null`.execute(query);
    },

    /** Beside an end that is about to be written. Whoever has lost the claim changes nothing. */
    async settle({ executionId, token }: HeldExecution, fate: SessionFate): Promise<void> {
      const claim = sql`e.id = ${executionId} and e.token = ${token} and e.ended_at is null and s.holder = e.id`;
      const own = sql`${claim} and s.worker_id = e.worker_id and s.lost_reason is null`;
      if (fate.state === 'kept')
        await sql`
          update fleet_sessions s set last_used_at = clock_timestamp(), lease_until = ${LEASE} from executions e where ${own}`.execute(
          query,
        );
      else if (fate.state === 'lost')
        await sql`
          update fleet_sessions s set lost_reason = ${fate.reason}, lost_at = clock_timestamp() from executions e where ${own}`.execute(
          query,
        );
      else await sql`delete from fleet_sessions s using executions e where ${claim}`.execute(query);
    },

    /** Answers which of those that are held are this worker's no more. */
    async renew(workerId: string, held: readonly Incarnation[], lost: readonly LostSession[]): Promise<Incarnation[]> {
      if (lost.length > 0)
        await sql`
          update fleet_sessions s set lost_reason = l.reason, lost_at = clock_timestamp()
          from unnest(${lost.map(({ incarnation }) => incarnation)}::text[], ${lost.map(({ reason }) => reason)}::text[]) l (incarnation, reason)
          where s.incarnation = l.incarnation and s.worker_id = ${workerId} and s.lost_reason is null`.execute(query);
      if (held.length === 0) return [];
      const { rows } = await sql<{ incarnation: string }>`
        update fleet_sessions s set lease_until = ${LEASE}
        where s.incarnation = any(${[...held]}::text[]) and s.worker_id = ${workerId} and s.lost_reason is null
        returning s.incarnation`.execute(query);
      const ours = new Set(rows.map(({ incarnation }) => incarnation));
      return held.filter((incarnation) => !ours.has(incarnation));
    },

    /** Executions that wait for this worker, because it has their sessions. */
    async executions(workerId: string): Promise<string[]> {
      const { rows } = await sql<{ id: string }>`
        select e.id from fleet_sessions s join executions e on e.id = s.holder
        where s.worker_id = ${workerId} and s.lost_reason is null and e.status = 'queued' and e.dispatched_at is not null
        limit ${EXECUTIONS_AT_ONCE}`.execute(query);
      return rows.map(({ id }) => id);
    },

    /** Live workers by how many sessions they have, those with the fewest first. */
    async leastOccupied(workerIds: readonly string[]): Promise<string[]> {
      const { rows } = await sql<{ id: string }>`
        select w.id from unnest(${[...workerIds]}::text[]) as w (id)
        left join fleet_sessions s on s.worker_id = w.id and s.lost_reason is null
        group by w.id order by count(s.id), w.id`.execute(query);
      return rows.map(({ id }) => id);
    },

    /** Sessions whose workers were not heard of within their lease. Answers how many they were. */
    async loseUnheard(): Promise<number> {
      const { rows } = await sql`
        update fleet_sessions s set lost_reason = ${WORKER_GONE}, lost_at = clock_timestamp()
        where s.worker_id is not null and s.lost_reason is null and s.lease_until < clock_timestamp() returning 1`.execute(query);
      return rows.length;
    },

    /** Those in which these executions ran, which ended as lost. */
    async loseWith(executionIds: readonly string[]): Promise<void> {
      if (executionIds.length === 0) return;
      await sql`
        update fleet_sessions s set lost_reason = ${WORKER_GONE}, lost_at = clock_timestamp()
        where s.holder = any(${[...executionIds]}::text[]) and s.worker_id is not null and s.lost_reason is null`.execute(query);
    },

    /** Ends what nobody has used for too long, and removes what was left over. Answers how many sessions expired. */
    async expire(): Promise<number> {
      const { rows } = await sql`
        update fleet_sessions s
        set lost_reason = 'nobody used it for ' || s.idle_seconds || ' seconds', lost_at = clock_timestamp()
        where s.worker_id is not null and s.lost_reason is null
          and s.last_used_at + s.idle_seconds * interval '1 second' < clock_timestamp() and not ${BUSY} returning 1`.execute(query);
      await sql`delete from fleet_sessions s where s.worker_id is null and ${LEFT_OVER}`.execute(query);
      await sql`delete from session_transfers where created_at < clock_timestamp() - ${TRANSFER_LIFE}`.execute(query);
      return rows.length;
    },
  };
}

const WORKER_GONE = 'its worker was lost';
