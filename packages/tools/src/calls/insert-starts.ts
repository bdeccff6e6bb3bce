import type { HeldExecution } from '@code-executor/executions';
import { CompiledQuery, type Insertable, type Kysely, type RawBuilder, sql } from 'kysely';
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
  const parameters = starts.flatMap(({ row }) => COLUMNS.map((column) => parameterOf(row[column])));
  const { rows: written } = await db.executeQuery<{ id: string }>(CompiledQuery.raw(statementFor(starts.length), parameters));
  const ids = new Set(written.map(({ id }) => id));
  return starts.map(({ row }) => (ids.has(row.id) ? 'recorded' : 'repeated'));
};

const COLUMNS = [
  ...(['id', 'workspace_id', 'principal_id', 'execution_id', 'call_number', 'server', 'tool'] as const),
  ...(['argument_digest', 'idempotency_key', 'decision', 'policy_id', 'connection', 'read_only', 'dispatched_at'] as const),
];

const parameterOf = (value: string | number | boolean | Date | null | undefined) =>
  value instanceof Date ? value.toISOString() : (value ?? null);

/** Built once for each number of rows: a program waits for this one, and building it takes as long as PGlite takes to write a row. */
const statements = new Map<number, string>();

function statementFor(count: number): string {
  const known = statements.get(count);
  if (known !== undefined) return known;
  const rows = Array.from(
    { length: count },
    (_, row) => `(${COLUMNS.map((__, column) => `$${row * COLUMNS.length + column + 1}`).join(', ')})`,
  );
  const statement = `insert into tool_calls (${COLUMNS.join(', ')}) values ${rows.join(', ')} on conflict do nothing returning id`;
  statements.set(count, statement);
  return statement;
}

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
