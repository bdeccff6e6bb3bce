import type { Database } from '@code-executor/platform';
import { type Kysely, sql, type Transaction } from 'kysely';
import { otherLanguage, sessionBusy, sessionNotFound, tooManySessions } from '../sessions/refusals.ts';
import type { SessionOwner } from '../sessions/session-rows.ts';
import type { SessionSummary } from '../sessions/sessions.ts';
import type { ExecutionTables } from '../store/tables.ts';
import type { Incarnation } from './port.ts';

export interface ReservedSession {
  /** null: any worker may take its execution. */
  readonly workerId: string | null;
}

export interface FoundSession {
  readonly incarnation: Incarnation;
  readonly workerId: string;
}

export interface SessionLimits {
  readonly idleSeconds: number;
  readonly maximum: number;
  readonly maximumOfPrincipal: number;
}

export type FleetSessionStore = ReturnType<typeof createFleetSessionStore>;

/** From the reservation to the commit of the execution's row it takes milliseconds. */
const RESERVATION = sql`clock_timestamp() + interval '15 seconds'`;
const HOLD = sql`clock_timestamp() + interval '40 seconds'`;

/**
 * Whether an execution or a transfer has the session `s`. That an execution has ended is read from its own row: however it
 * ended, nobody has to say so here.
 */
export const BUSY = sql<boolean>`(s.holder is not null
  and not exists (select 1 from executions e where e.id = s.holder and e.ended_at is not null)
  and (s.holder_until > clock_timestamp() or exists (select 1 from executions e where e.id = s.holder)))`;
/** Neither begun nor about to be: left by an execution that ended before a worker took it. */
export const LEFT_OVER = sql<boolean>`(s.worker_id is null and s.lost_reason is null and not ${BUSY})`;
const of = ({ workspaceId, principalId, sessionId }: SessionOwner) =>
  sql`s.workspace_id = ${workspaceId} and s.principal_id = ${principalId} and s.id = ${sessionId}`;

/** What gateways do to the rows of sessions. All times are the database's own. */
export function createFleetSessionStore(db: Pick<Database, 'query'>) {
  const query = db.query<ExecutionTables>();

  return {
    /** Holds the session for one execution, from now until that has ended. Throws SESSION_BUSY, SESSION_LIMIT or INVALID_REQUEST. */
    reserve: (owner: SessionOwner, language: string, executionId: string, limits: SessionLimits): Promise<ReservedSession> =>
      query.transaction().execute((transaction) => reserve(transaction, owner, language, executionId, limits)),

    /** What it was reserved for will not come. */
    async withdraw(holder: string): Promise<void> {
      await sql`update fleet_sessions set holder = null where holder = ${holder}`.execute(query);
    },

    async list({ workspaceId, principalId }: Omit<SessionOwner, 'sessionId'>): Promise<SessionSummary[]> {
      const { rows } = await sql<{ id: string; language: string; busy: boolean; created_at: Date; expires_at: Date; executions: number }>`
        select s.id, s.language, ${BUSY} as busy, s.created_at, s.executions,
          s.last_used_at + s.idle_seconds * interval '1 second' as expires_at
        from fleet_sessions s
        where s.workspace_id = ${workspaceId} and s.principal_id = ${principalId} and s.lost_reason is null and not ${LEFT_OVER}
        order by s.created_at, s.id`.execute(query);
      return rows.map((row) => ({
        sessionId: row.id,
        language: row.language,
        status: row.busy ? 'busy' : 'idle',
        createdAt: row.created_at.toISOString(),
        expiresAt: row.busy ? null : row.expires_at.toISOString(),
        executions: row.executions,
      }));
    },

    /** Throws SESSION_NOT_FOUND or SESSION_BUSY. */
    find: (owner: SessionOwner): Promise<FoundSession> => find(query, owner),

    /** Answers whose it was; null: nobody's. Throws SESSION_NOT_FOUND or SESSION_BUSY. */
    async end(owner: SessionOwner): Promise<string | null> {
      const { rows } = await sql<{ workerId: string | null; lost: boolean }>`
        delete from fleet_sessions s where ${of(owner)} and not ${BUSY}
        returning s.worker_id as "workerId", s.lost_reason is not null as lost`.execute(query);
      const [row] = rows;
      if (row === undefined) await find(query, owner);
      if (row === undefined || (row.workerId === null && !row.lost)) throw sessionNotFound(owner.sessionId);
      return row.workerId;
    },

    /** For a transfer that changes it, until `release`. Throws SESSION_NOT_FOUND or SESSION_BUSY. */
    async hold(owner: SessionOwner, { incarnation }: FoundSession, holder: string): Promise<void> {
      const { rows } = await sql`
        update fleet_sessions s set holder = ${holder}, holder_until = ${HOLD}
        where s.incarnation = ${incarnation} and s.lost_reason is null and not ${BUSY} returning 1`.execute(query);
      if (rows.length > 0) return;
      await find(query, owner);
      throw sessionBusy(owner.sessionId);
    },
    async release(holder: string): Promise<void> {
      await sql`update fleet_sessions set holder = null, last_used_at = clock_timestamp() where holder = ${holder}`.execute(query);
    },

    /** Losses that nobody has asked about for so long. */
    async purgeLost(before: Date): Promise<void> {
      await sql`delete from fleet_sessions where lost_at < ${before.toISOString()}::timestamptz`.execute(query);
    },
  };
}

interface Row {
  readonly workerId: string | null;
  readonly language: string;
  readonly lost: boolean;
  readonly busy: boolean;
}

async function reserve(
  query: Transaction<ExecutionTables>,
  owner: SessionOwner,
  language: string,
  executionId: string,
  limits: SessionLimits,
): Promise<ReservedSession> {
  const { rows } = await sql<Row>`
    select s.worker_id as "workerId", s.language, s.lost_reason is not null as lost, ${BUSY} as busy
    from fleet_sessions s where ${of(owner)} for update`.execute(query);
  const [row] = rows;
  if (row?.busy === true) throw sessionBusy(owner.sessionId);
  if (row === undefined || (row.workerId === null && !row.lost)) {
    await begin(query, owner, language, executionId, limits);
    return { workerId: null };
  }
  // Of one that is lost its next execution tells, whatever it is written in.
  if (!row.lost && row.language !== language) throw otherLanguage(owner.sessionId, row.language, language);
  await sql`
    update fleet_sessions s set holder = ${executionId}, holder_until = ${RESERVATION}, last_used_at = clock_timestamp()
    where ${of(owner)}`.execute(query);
  return { workerId: row.lost ? null : row.workerId };
}

async function begin(
  query: Transaction<ExecutionTables>,
  owner: SessionOwner,
  language: string,
  executionId: string,
  limits: SessionLimits,
): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('sessions of the fleet', 0))`.execute(query);
  const { rows } = await sql<{ all: number; own: number }>`
    select count(*)::int4 as all,
      (count(*) filter (where s.workspace_id = ${owner.workspaceId} and s.principal_id = ${owner.principalId}))::int4 as own
    from fleet_sessions s where s.lost_reason is null and not ${LEFT_OVER}`.execute(query);
  const { all, own } = rows[0] ?? { all: 0, own: 0 };
  if (own >= limits.maximumOfPrincipal) throw tooManySessions('This principal has', limits.maximumOfPrincipal);
  if (all >= limits.maximum) throw tooManySessions('The live workers keep', limits.maximum);
  const { rows: written } = await sql`
    insert into fleet_sessions as s (workspace_id, principal_id, id, incarnation, language, holder, holder_until, created_at, last_used_at, idle_seconds)
    values (${owner.workspaceId}, ${owner.principalId}, ${owner.sessionId}, ${executionId}, ${language}, ${executionId}, ${RESERVATION},
      clock_timestamp(), clock_timestamp(), ${limits.idleSeconds})
    on conflict (workspace_id, principal_id, id) do update set
      incarnation = excluded.incarnation, language = excluded.language, holder = excluded.holder, holder_until = excluded.holder_until,
      created_at = excluded.created_at, last_used_at = excluded.last_used_at, idle_seconds = excluded.idle_seconds, executions = 0
    where ${LEFT_OVER}
    returning 1`.execute(query);
  // Another gateway was faster by a moment.
  if (written.length === 0) throw sessionBusy(owner.sessionId);
}

async function find(query: Kysely<ExecutionTables>, owner: SessionOwner): Promise<FoundSession> {
  const { rows } = await sql<{ incarnation: string; workerId: string | null; busy: boolean }>`
    select s.incarnation, s.worker_id as "workerId", ${BUSY} as busy
    from fleet_sessions s where ${of(owner)} and s.lost_reason is null`.execute(query);
  const [row] = rows;
  if (row === undefined) throw sessionNotFound(owner.sessionId);
  if (row.busy) throw sessionBusy(owner.sessionId);
  if (row.workerId === null) throw sessionNotFound(owner.sessionId);
  return { incarnation: row.incarnation, workerId: row.workerId };
}
