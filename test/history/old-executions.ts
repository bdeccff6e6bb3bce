import { newId } from '@code-executor/contracts';
import type { Database } from '@code-executor/platform';
import { sql } from 'kysely';

export const DAY_MS = 24 * 60 * 60 * 1_000;

/**
 * Executions as they were written `daysAgo`, each with a tool call in the journal whose end is known and one whose end is not;
 * answers their ids, oldest first.
 */
export async function insertOld(db: Pick<Database, 'query'>, count: number, daysAgo: number, status = 'succeeded'): Promise<string[]> {
  const began = Date.now() - daysAgo * DAY_MS;
  const ids = Array.from({ length: count }, (_, index) => newId('exe', began + index));
  const ended = new Date(began + 5_000).toISOString();
  await sql`
    insert into executions (id, workspace_id, principal_id, request_id, status, token, language, code, args_json, timeout_ms, typecheck,
      created_at, started_at, ended_at, output, result_json, dispatched_at)
    select id, 'wsp_default', 'key_old', 'req_old', ${status}, 1, 'typescript', 'return 1', '{}', 1000, false,
      ${new Date(began).toISOString()}::timestamptz, ${ended}::timestamptz, ${ended}::timestamptz, 'printed', '12345678901234567890', ${ended}::timestamptz
    from unnest(${ids}::text[]) as id`.execute(db.query());
  for (const call of [1, 2]) await insertCalls(db, ids, call, ended);
  await sql`
    insert into tool_call_outcomes (call_id, outcome, duration_ms, reply_bytes, finished_at)
    select id, 'ok', 1, 1, ${ended}::timestamptz from tool_calls
    where call_number = 1 and id not in (select call_id from tool_call_outcomes)`.execute(db.query());
  return ids;
}

/** Of each execution, or for null one that no execution made. */
async function insertCalls(db: Pick<Database, 'query'>, executionIds: readonly (string | null)[], call: number, at: string): Promise<void> {
  const rows = executionIds.map((executionId) => ({ id: newId('tcl', Date.parse(at)), execution_id: executionId }));
  await sql`
    insert into tool_calls (id, workspace_id, principal_id, execution_id, call_number, server, tool, argument_digest, idempotency_key, decision,
      read_only, dispatched_at)
    select id, 'wsp_default', 'key_old', execution_id, case when execution_id is null then null else ${call}::int4 end, 'notes', 'note', 'd', 'k',
      'allow', false, ${at}::timestamptz
    from json_to_recordset(${JSON.stringify(rows)}::json) as t (id text, execution_id text)`.execute(db.query());
}

/** How many rows of the journal there are: of executions that are gone, and in all. */
export async function journalCounts(db: Pick<Database, 'query'>): Promise<{ orphans: number; calls: number; outcomes: number }> {
  const { rows } = await sql<{ orphans: number; calls: number; outcomes: number }>`
    select (select count(*)::int4 from tool_calls c where execution_id is not null
        and not exists (select 1 from executions e where e.id = c.execution_id)) as orphans,
      (select count(*)::int4 from tool_calls) as calls, (select count(*)::int4 from tool_call_outcomes) as outcomes`.execute(db.query());
  return rows[0] ?? { orphans: 0, calls: 0, outcomes: 0 };
}
