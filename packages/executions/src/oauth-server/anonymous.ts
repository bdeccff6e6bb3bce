import { DEFAULT_WORKSPACE_ID, newId, type Principal, type Role } from '@code-executor/contracts';
import type { Database } from '@code-executor/platform';
import type { ExecutionTables } from '../store/tables.ts';

const DIGEST = 'anonymous:';

/** The principal of who shows no key: a row of `api_keys` that no key opens, so that policies and the record know it. */
export async function anonymousPrincipal(db: Database, role: Role): Promise<Principal> {
  const row = await db
    .query<ExecutionTables>()
    .insertInto('api_keys')
    .values({
      id: newId('key'),
      workspace_id: DEFAULT_WORKSPACE_ID,
      digest: DIGEST,
      name: 'anonymous',
      role,
      created_by: null,
      created_at: new Date(),
      expires_at: null,
      revoked_at: null,
    })
    .onConflict((conflict) => conflict.column('digest').doUpdateSet({ role, revoked_at: null }))
    .returning(['id', 'workspace_id', 'name'])
    .executeTakeFirstOrThrow();
  return { id: row.id, workspaceId: row.workspace_id, role, name: row.name };
}
