import type { HeldExecution } from '@code-executor/executions';
import { type Insertable, type Kysely, type RawBuilder, sql } from 'kysely';
import type { ToolTables } from '../tables.ts';

export type StartedCall = Insertable<ToolTables['tool_calls']>;

export interface CallStart {
  readonly row: StartedCall;
  /** Of the claim on its execution, where there is a fence. */
  readonly token: number | undefined;
}

/**
 * `repeated`: this call of this execution was recorded before; `stale`: the execution is not the caller's any more. `unapproved`: its
 * approval is none, or not any more. None of these may be dispatched. */
export type StartOutcome = 'recorded' | 'repeated' | 'stale' | 'unapproved';

/**
 * A query for those of these claims that still hold. It locks the rows of their executions until the statement that it stands in
 * has committed, so that no call is recorded after the end of its execution, and none is missed by whoever ends it.
 */
export type CallFence = (claims: readonly HeldExecution[]) => RawBuilder<{ id: string; token: number }>;

/** Writes rows of the journal with one statement; answers one outcome for each, in order. */
export type InsertStarts = (db: Kysely<ToolTables>, starts: readonly CallStart[]) => Promise<StartOutcome[]>;

export const insertStarts: InsertStarts = async (db, starts) => {
  const written = await db
    .insertInto('tool_calls')
    .values(starts.map((start) => start.row))
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .execute();
  const ids = new Set(written.map((row) => row.id));
  return starts.map(({ row }) => (ids.has(row.id) ? 'recorded' : 'repeated'));
};

/** The same, but of executions whose claims hold only. A call without an execution needs none. */
export const insertFenced =
  (fence: CallFence): InsertStarts =>
  async (db, starts) => {
    const claims = starts.flatMap(({ row: { id, execution_id: executionId }, token }) =>
      executionId && token !== undefined ? [{ id, executionId, token }] : [],
    );
    const { rows } = await sql<{ written: string[]; held: string[] }>`
      with held as materialized (${fence(claims)}),
      claim as (select * from json_to_recordset(${JSON.stringify(claims)}::json) as t (id text, "executionId" text, token int4)),
      allowed as (select claim.id from claim join held on held.id = claim."executionId" and held.token = claim.token),
      written as (
        insert into tool_calls
        select call.* from json_populate_recordset(null::tool_calls, ${JSON.stringify(starts.map(({ row }) => row))}::json) call
        where call.execution_id is null or call.id in (select id from allowed)
        on conflict do nothing returning id)
      select array(select id from written) as written, array(select id from allowed) as held`.execute(db);
    const written = new Set(rows[0]?.written);
    const held = new Set(rows[0]?.held);
    return starts.map(({ row }) => {
      if (written.has(row.id)) return 'recorded';
      return row.execution_id === null || held.has(row.id) ? 'repeated' : 'stale';
    });
  };
