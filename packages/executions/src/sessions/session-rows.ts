import type { Database } from '@code-executor/platform';
import type { ExecutionTables } from '../store/tables.ts';

/** Whose session, and which. */
export interface SessionOwner {
  readonly workspaceId: string;
  readonly principalId: string;
  readonly sessionId: string;
  /** In the fleet: which of the sessions of this name, one after the other, it is. */
  readonly incarnation?: string | undefined;
}

export const keyOf = ({ workspaceId, principalId, sessionId, incarnation = '' }: SessionOwner): string =>
  `${workspaceId}/${principalId}/${sessionId}/${incarnation}`;

export interface SessionRows {
  all(): Promise<SessionOwner[]>;
  add(owner: SessionOwner, createdAt: Date): Promise<void>;
  remove(owner: SessionOwner): Promise<void>;
}

/** One row for each session that has a sandbox: what is there at a start was lost with the process before. */
export function createSessionRows(db: Database): SessionRows {
  const query = db.query<ExecutionTables>();
  return {
    async all() {
      const rows = await query.selectFrom('sessions').select(['workspace_id', 'principal_id', 'id']).execute();
      return rows.map((row) => ({ workspaceId: row.workspace_id, principalId: row.principal_id, sessionId: row.id }));
    },
    async add({ workspaceId, principalId, sessionId }, createdAt) {
      await query
        .insertInto('sessions')
        .values({ workspace_id: workspaceId, principal_id: principalId, id: sessionId, created_at: createdAt })
        .onConflict((conflict) => conflict.columns(['workspace_id', 'principal_id', 'id']).doUpdateSet({ created_at: createdAt }))
        .execute();
    },
    async remove({ workspaceId, principalId, sessionId }) {
      await query
        .deleteFrom('sessions')
        .where('workspace_id', '=', workspaceId)
        .where('principal_id', '=', principalId)
        .where('id', '=', sessionId)
        .execute();
    },
  };
}
