import type { Effects } from '@code-executor/contracts';
import type { Kysely } from 'kysely';
import type { ToolTables } from '../tables.ts';

/** Ends after the record and before the first byte. */
const UNSENT = new Set(['UPSTREAM_UNAVAILABLE', 'INVALID_ARGUMENTS', 'ARGUMENTS_TOO_LARGE']);
/** Ends after which nobody knows whether the tool has acted. */
const UNANSWERED = new Set(['TOOL_TIMEOUT', 'UPSTREAM_LOST', 'CALL_ABORTED']);

/**
 * What an execution did through tools, from the journal alone: for one whose own record was lost with its process.
 * A dispatched call without an end, or without an answer, makes it `unknown`.
 */
export async function effectsOf(db: Kysely<ToolTables>, executionId: string): Promise<Exclude<Effects, 'not_started'>> {
  const calls = await db
    .selectFrom('tool_calls')
    .leftJoin('tool_call_outcomes', 'tool_call_outcomes.call_id', 'tool_calls.id')
    .select(['outcome'])
    .where('execution_id', '=', executionId)
    .where('decision', 'in', ['allow', 'approved'])
    .where('read_only', '=', false)
    .execute();
  if (calls.some(({ outcome }) => outcome === null || UNANSWERED.has(outcome))) return 'unknown';
  return calls.some(({ outcome }) => outcome !== null && !UNSENT.has(outcome)) ? 'some' : 'none';
}
