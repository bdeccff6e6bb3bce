import type { Database } from '@code-executor/platform';
import { sql } from 'kysely';
import type { ExecutionTables } from '../store/tables.ts';

/** On whose behalf an execution runs, and in which trace. */
export interface Origin {
  readonly requestId: string;
  readonly workspaceId: string;
  readonly principalId: string;
  readonly traceparent: string | null;
}

export interface FleetRows {
  /** Which of them have ended, or wait for a person. */
  endedAmong(ids: readonly string[]): Promise<string[]>;
  /** Which of them are dispatched and were claimed by nobody. */
  unclaimedAmong(ids: readonly string[]): Promise<string[]>;
  /** Whether the database answers within so long. Never rejects. */
  answers(withinMs: number): Promise<boolean>;
  /** null: there is no such execution. */
  origin(id: string): Promise<Origin | null>;
}

/** What only a gateway asks of the rows. */
export function createFleetRows(db: Pick<Database, 'query'>): FleetRows {
  const query = db.query<ExecutionTables>();
  return {
    async endedAmong(ids) {
      const { rows } = await sql<{ id: string }>`
        select id from executions where id = any(${ids}::text[]) and (ended_at is not null or status = 'paused')
        `.execute(query);
      return rows.map(({ id }) => id);
    },
    async unclaimedAmong(ids) {
      const { rows } = await sql<{ id: string }>`
        select id from executions
        where id = any(${ids}::text[]) and status = 'queued' and dispatched_at is not null and ended_at is null`.execute(query);
      return rows.map(({ id }) => id);
    },
    async answers(withinMs) {
      const late = AbortSignal.timeout(withinMs);
      const { promise: tooLate, resolve } = Promise.withResolvers<boolean>();
      late.addEventListener('abort', () => resolve(false), { once: true });
      const asked = sql`select 1`.execute(query).then(
        () => true,
        () => false,
      );
      return await Promise.race([asked, tooLate]);
    },
    async origin(id) {
      const row = await query
        .selectFrom('executions')
        .select(['request_id', 'workspace_id', 'principal_id', 'traceparent'])
        .where('id', '=', id)
        .executeTakeFirst();
      if (row === undefined) return null;
      const { request_id: requestId, workspace_id: workspaceId, principal_id: principalId, traceparent } = row;
      return { requestId, workspaceId, principalId, traceparent };
    },
  };
}
