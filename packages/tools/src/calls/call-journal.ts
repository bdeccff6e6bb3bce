import type { CallJournal } from '@code-executor/executions';
import type { Database } from '@code-executor/platform';
import { sql } from 'kysely';
import type { ToolTables } from '../tables.ts';

/** What of the journal of tool calls is for whoever keeps the executions; its tables are those of `toolMigrations`. */
export function createCallJournal(db: Pick<Database, 'kind' | 'query'>): CallJournal {
  const query = db.query<ToolTables>();
  return {
    // Outcomes refer to their calls; that is judged when the whole statement is done.
    forgetCallsOf: (ids) => sql`
      forgotten_outcomes as (
        delete from tool_call_outcomes o using tool_calls c where c.id = o.call_id and c.execution_id in (${ids})),
      forgotten_calls as (delete from tool_calls where execution_id in (${ids}))`,

    async purgeLoose(before, limit) {
      const { rows } = await sql`
        with old as materialized (
          select id from tool_calls where execution_id is null and dispatched_at < ${before.toISOString()}::timestamptz
          order by id limit ${limit} for update skip locked),
        outcomes as (delete from tool_call_outcomes where call_id in (select id from old))
        delete from tool_calls where id in (select id from old) returning id`.execute(query);
      return rows.length;
    },

    async reclaimSpace() {
      if (db.kind !== 'pglite') return;
      for (const table of ['tool_calls', 'tool_call_outcomes']) await sql`vacuum ${sql.table(table)}`.execute(query);
    },
  };
}
