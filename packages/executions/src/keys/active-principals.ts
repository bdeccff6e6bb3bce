import type { Database } from '@code-executor/platform';
import type { ExecutionTables } from '../store/tables.ts';

/** false: this is an API key, and it was revoked or has expired. Looked up in the rows each time: for what is rare and must not go by a memory. */
export function createActivePrincipals(
  db: Pick<Database, 'query'>,
  now: () => number = Date.now,
): (principalId: string) => Promise<boolean> {
  const query = db.query<ExecutionTables>();
  return async (principalId) => {
    const row = await query.selectFrom('api_keys').select(['revoked_at', 'expires_at']).where('id', '=', principalId).executeTakeFirst();
    if (row === undefined) return true;
    return row.revoked_at === null && (row.expires_at === null || row.expires_at.getTime() > now());
  };
}
