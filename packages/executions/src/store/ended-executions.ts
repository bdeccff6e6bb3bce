import type { Database } from '@code-executor/platform';
import { sql } from 'kysely';
import type { ExecutionTables } from './tables.ts';

/** Which of these executions have ended, or are not there. For who keeps something on their behalf. */
export function createEndedExecutions(db: Pick<Database, 'query'>): (executionIds: readonly string[]) => Promise<string[]> {
  const query = db.query<ExecutionTables>();
  return async (executionIds) => {
    const { rows } = await sql<{ id: string }>`
      select asked.id from unnest(${[...executionIds]}::text[]) as asked (id)
      left join executions e on e.id = asked.id
      where e.id is null or e.ended_at is not null`.execute(query);
    return rows.map(({ id }) => id);
  };
}
