import { newId } from '@code-executor/contracts';
import { type Kysely, sql } from 'kysely';
import type { ExecutionTables } from './tables.ts';

export interface PurgeScope {
  /** Absent: those of all workspaces. */
  readonly workspaceId?: string | undefined;
}

const ID_TIME_LENGTH = 'exe_'.length + 10;

/** Ids sort by time of creation: every id from then on is this or above it. */
export const firstIdAt = (time: Date): string => newId('exe', time.getTime()).slice(0, ID_TIME_LENGTH);

/**
 * Deletes at most `limit` executions that ended before; answers how many it were. Processes that do it side by side take
 * different ones. Their tool calls stay in the record for its own retention.
 */
export async function purgeEnded(
  query: Kysely<ExecutionTables>,
  before: Date,
  limit: number,
  { workspaceId }: PurgeScope = {},
): Promise<number> {
  const whose = workspaceId === undefined ? sql`` : sql`and workspace_id = ${workspaceId}`;
  // The bound on the id keeps the scan to the old end of the index.
  const { rows } = await sql`
    with old as materialized (
      select id from executions
      where id < ${firstIdAt(before)} and ended_at < ${before.toISOString()}::timestamptz ${whose}
      order by id limit ${limit} for update skip locked)
    delete from executions where id in (select id from old) returning id`.execute(query);
  return rows.length;
}
