import { newId } from '@code-executor/contracts';
import { type Database, type Logger, messageOf } from '@code-executor/platform';
import { type Kysely, sql } from 'kysely';
import type { ToolTables } from '../tables.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
/** Often, so that each time little is to be done: on the embedded database everybody waits for it. */
const INTERVAL_MS = 10 * 60 * 1_000;
const ROWS_AT_ONCE = 200;
const ID_TIME_LENGTH = 'aud_'.length + 10;

export interface AuditPurge {
  /** Answers how many acts and tool calls it were. */
  runOnce(): Promise<number>;
  stop(): Promise<void>;
}

/** Deletes acts and tool calls past their retention, and nothing else may: the tables refuse it. */
export function startAuditPurge(
  { retentionDays, intervalMs = INTERVAL_MS }: { readonly retentionDays: number; readonly intervalMs?: number | undefined },
  deps: {
    readonly db: Pick<Database, 'kind' | 'query'>;
    readonly log: Pick<Logger, 'info' | 'warn'>;
    readonly now: () => number;
    /** Of what else is over. */
    sweep(): Promise<void>;
  },
): AuditPurge {
  const { log, now } = deps;
  const db = deps.db.query<ToolTables>();
  let stopped = false;
  let underWay: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    underWay = underWay.then(runOnce).catch((error: unknown) => {
      log.warn({ reason: messageOf(error) }, 'The old end of the record could not be purged; trying again');
    });
  }, intervalMs);
  timer.unref();

  return {
    runOnce,
    async stop() {
      stopped = true;
      clearInterval(timer);
      await underWay;
    },
  };

  async function runOnce(): Promise<number> {
    const before = new Date(now() - retentionDays * DAY_MS);
    await deps.sweep();
    const acts = await inBatches(() => purgeActs(before));
    const calls = await inBatches(() => purgeCalls(before));
    if (deps.db.kind === 'pglite' && acts + calls > 0)
      for (const table of ['audit_events', 'tool_calls', 'tool_call_outcomes']) await sql`vacuum ${sql.table(table)}`.execute(db);
    if (acts + calls > 0) log.info({ acts, calls, retentionDays }, 'The old end of the record was purged');
    return acts + calls;
  }

  async function inBatches(purge: () => Promise<number>): Promise<number> {
    let purged = 0;
    for (let rows = ROWS_AT_ONCE; rows === ROWS_AT_ONCE && !stopped; ) {
      rows = await purge();
      purged += rows;
    }
    return purged;
  }

  /** From the beginning of the chain up to the first act that is kept, and by one process at a time, so that what is left is one piece. */
  function purgeActs(before: Date): Promise<number> {
    const kept = firstIdAt('aud', before);
    return purging(async (transaction) => {
      const lock = await sql<{ held: boolean }>`select pg_try_advisory_xact_lock(hashtext('code-executor audit purge')) as held`.execute(
        transaction,
      );
      if (lock.rows[0]?.held !== true) return 0;
      const { rows } = await sql`
        delete from audit_events where id in (
          select id from audit_events e
          where id < ${kept} and not exists (
            select 1 from audit_events k where k.workspace_id = e.workspace_id and k.id >= ${kept} and k.position < e.position)
          order by position limit ${ROWS_AT_ONCE} for update skip locked)
        returning id`.execute(transaction);
      return rows.length;
    });
  }

  function purgeCalls(before: Date): Promise<number> {
    return purging(async (transaction) => {
      const { rows } = await sql<{ id: string }>`
        select id from tool_calls where id < ${firstIdAt('tcl', before)} order by id limit ${ROWS_AT_ONCE} for update skip locked`.execute(
        transaction,
      );
      const ids = rows.map(({ id }) => id);
      if (ids.length === 0) return 0;
      await transaction.deleteFrom('tool_call_outcomes').where('call_id', 'in', ids).execute();
      await transaction.deleteFrom('tool_calls').where('id', 'in', ids).execute();
      return ids.length;
    });
  }

  function purging(work: (transaction: Kysely<ToolTables>) => Promise<number>): Promise<number> {
    return db.transaction().execute(async (transaction) => {
      await sql`select set_config('code_executor.purging', 'on', true)`.execute(transaction);
      return await work(transaction);
    });
  }
}

const firstIdAt = (prefix: 'aud' | 'tcl', time: Date): string => newId(prefix, Math.max(0, time.getTime())).slice(0, ID_TIME_LENGTH);
