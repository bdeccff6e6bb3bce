import { CompiledQuery, type Kysely, sql } from 'kysely';
import { type EndedExecution, type FinishedRow, finishParameters, finishStatements } from './finish-statement.ts';
import { releaseExpired } from './pause-statements.ts';
import type { ExecutionTables } from './tables.ts';

/** One whose lease ran out. */
export interface ExpiredExecution {
  readonly id: string;
  readonly token: number;
  readonly workerId: string;
  readonly createdAt: Date;
  readonly startedAt: Date;
  /** By the database's clock, as are the others. */
  readonly now: Date;
}

const ROWS = 100;
const finishStatement = finishStatements('postgres');

/**
 * Ends executions whose leases ran out as `judge` says. Their rows are locked while it judges, so that no tool call of theirs
 * can begin that it does not see; one whose call is being recorded at this moment is left for the next time. `mayJudge` is asked after
 * the rows were read, and false leaves everything as it is.
 * @returns null: another process is at it.
 */
export async function endExpired(
  query: Kysely<ExecutionTables>,
  judge: (expired: ExpiredExecution) => Promise<EndedExecution>,
  mayJudge: () => boolean,
): Promise<{ readonly ended: EndedExecution; readonly row: FinishedRow }[] | null> {
  return await query.transaction().execute(async (transaction) => {
    const lock = await sql<{ held: boolean }>`
      select pg_try_advisory_xact_lock(hashtext('code-executor reconciler')) as held`.execute(transaction);
    if (lock.rows[0]?.held !== true) return null;
    // Only what a replay cannot save is lost.
    if (mayJudge()) await releaseExpired(transaction);
    const { rows } = await sql<ExpiredExecution>`
      select id, token, worker_id as "workerId", created_at as "createdAt", started_at as "startedAt", clock_timestamp() as now
      from executions
      where dispatched_at is not null and ended_at is null and status in ('running', 'paused') and lease_until < clock_timestamp()
      order by id limit ${ROWS}
      for no key update skip locked`.execute(transaction);
    if (rows.length === 0 || !mayJudge()) return [];
    const judged = await Promise.all(rows.map(judge));
    const written = await transaction.executeQuery<FinishedRow>(
      CompiledQuery.raw(
        finishStatement(judged.length),
        judged.flatMap((ended) => finishParameters({ ended, resultParts: 0 })),
      ),
    );
    return judged.flatMap((ended) => written.rows.filter(({ id }) => id === ended.id).map((row) => ({ ended, row })));
  });
}
