import { type Kysely, sql } from 'kysely';
import type { HeldExecution } from '../ledger/port.ts';
import type { ExecutionTables } from './tables.ts';

/** Writes that an execution waits for a person, or runs again. false: the claim is not good any more, or it has ended. */
export async function setPaused(
  query: Kysely<ExecutionTables>,
  { executionId, token }: HeldExecution,
  isPaused: boolean,
): Promise<boolean> {
  const row = await query
    .updateTable('executions')
    .set(
      isPaused
        ? { status: 'paused', paused_at: sql<Date>`coalesce(paused_at, clock_timestamp())` }
        : { status: 'running', paused_at: null },
    )
    .where('id', '=', executionId)
    .where('token', '=', token)
    .where('ended_at', 'is', null)
    .where('status', 'in', ['running', 'paused'])
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}
