import type { Database } from '@code-executor/platform';
import { type RawBuilder, sql } from 'kysely';
import type { HeldExecution } from '../ledger/port.ts';

/**
 * A query for the ids of those executions whose claims hold: they run or wait for a person, with this token, and their lease is not over. It locks
 * their rows until the statement that it stands in has committed: what is written beside it comes before whatever ends
 * the execution, and is seen by it.
 */
export function heldExecutions(claims: readonly HeldExecution[]): RawBuilder<{ id: string; token: number }> {
  return sql<{ id: string; token: number }>`
    select e.id, e.token from executions e
    join unnest(${claims.map(({ executionId }) => executionId)}::text[], ${claims.map(({ token }) => token)}::int4[]) c (id, token)
      on e.id = c.id and e.token = c.token
    where e.status in ('running', 'paused') and e.lease_until > clock_timestamp()
    order by e.id for share of e`;
}

/** Whether this claim holds at this moment. Nothing is locked. */
export async function isHeld(db: Database, { executionId, token }: HeldExecution): Promise<boolean> {
  const { rows } = await sql`
    select 1 from executions
    where id = ${executionId} and token = ${token} and status in ('running', 'paused') and lease_until > clock_timestamp()`.execute(
    db.query(),
  );
  return rows.length > 0;
}
