import { sql } from 'kysely';
import type { CallFence, InsertStarts } from './insert-starts.ts';

/**
 * Writes the row of one approved call and consumes its approval, both or neither. The approval's row is locked: of two that
 * come with it, one writes.
 */
export const insertApproved =
  (approvalId: string, fence?: CallFence): InsertStarts =>
  async (db, [start]) => {
    if (start === undefined) return [];
    const { row, token } = start;
    const claims = row.execution_id && token !== undefined ? [{ executionId: row.execution_id, token }] : [];
    const held = fence === undefined ? sql`select ${row.execution_id}::text as id` : fence(claims);
    const { rows } = await sql<{ written: boolean; held: boolean; known: boolean }>`
      with held as materialized (${held}),
      consent as materialized (
        select id from approvals
        where id = ${approvalId} and status = 'approved' and execution_id = ${row.execution_id} and call_number = ${row.call_number}
          and argument_digest = ${row.argument_digest}
        for update),
      written as (
        insert into tool_calls
        select call.* from json_populate_record(null::tool_calls, ${JSON.stringify(row)}::json) call
        where exists (select 1 from held) and exists (select 1 from consent)
        on conflict do nothing returning id),
      consumed as (
        update approvals set status = 'consumed', consumed_at = ${new Date().toISOString()}::timestamptz, webhook_due_at = null
        where id = ${approvalId} and exists (select 1 from written) returning id)
      select exists (select 1 from written) as written, exists (select 1 from held) as held,
        exists (select 1 from tool_calls where execution_id = ${row.execution_id} and call_number = ${row.call_number}) as known`.execute(
      db,
    );
    const found = rows[0];
    if (found?.written === true) return ['recorded'];
    if (found?.held !== true) return ['stale'];
    return [found.known ? 'repeated' : 'unapproved'];
  };
