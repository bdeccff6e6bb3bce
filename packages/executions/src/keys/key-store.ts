import type { Role } from '@code-executor/contracts';
import { type Kysely, type Selectable, sql } from 'kysely';
import type { KeyRecord } from '../port.ts';
import type { ApiKeysTable, ExecutionTables } from '../store/tables.ts';

export interface StoredKey extends KeyRecord {
  readonly workspaceId: string;
  /** SHA-256 of the bare key, hexadecimal. */
  readonly digest: string;
}

export interface NewKey {
  readonly id: string;
  readonly workspaceId: string;
  readonly digest: string;
  readonly name: string;
  readonly role: Role;
  readonly createdBy: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly scopes: readonly string[] | null;
}

export function createKeyStore(db: { query<T>(): Kysely<T> }) {
  const query = db.query<ExecutionTables>();
  return {
    async insert(key: NewKey): Promise<StoredKey> {
      const row = await query.insertInto('api_keys').values(toRow(key)).returningAll().executeTakeFirstOrThrow();
      return toStoredKey(row);
    },

    /** null: a key of this digest is there already. */
    async insertUnlessKnown(key: NewKey): Promise<StoredKey | null> {
      const row = await query
        .insertInto('api_keys')
        .values(toRow(key))
        .onConflict((conflict) => conflict.column('digest').doNothing())
        .returningAll()
        .executeTakeFirst();
      return row === undefined ? null : toStoredKey(row);
    },

    /** Changes whenever a key is made or revoked, or an OAuth client's is let in again. */
    async version(): Promise<string> {
      const { count, made, revoked, lastly } = await query
        .selectFrom('api_keys')
        .select(({ fn }) => [
          fn.countAll().as('count'),
          fn.max('id').as('made'),
          fn.count('revoked_at').as('revoked'),
          fn.max('revoked_at').as('lastly'),
        ])
        .executeTakeFirstOrThrow();
      return `${count} ${made} ${revoked} ${lastly?.getTime()}`;
    },

    async all(): Promise<StoredKey[]> {
      return (await query.selectFrom('api_keys').selectAll().orderBy('id').execute()).map(toStoredKey);
    },

    async list(workspaceId: string): Promise<StoredKey[]> {
      const rows = await query.selectFrom('api_keys').selectAll().where('workspace_id', '=', workspaceId).orderBy('id').execute();
      return rows.map(toStoredKey);
    },

    /**
     * Two admins who revoke each other at the same moment must not both succeed: the admin keys are locked first.
     * `last_admin`: nothing was written; `null`: no such key in this workspace.
     */
    async revoke(workspaceId: string, keyId: string, now: Date): Promise<StoredKey | 'last_admin' | null> {
      return await query.transaction().execute(async (transaction) => {
        const admins = await transaction
          .selectFrom('api_keys')
          .select(['id', 'expires_at'])
          .where('workspace_id', '=', workspaceId)
          .where('role', '=', 'admin')
          .where('revoked_at', 'is', null)
          // What no key opens (OAuth, OIDC) depends on others, and keeps nobody from being locked out.
          .where('digest', 'not like', '%:%')
          .forUpdate()
          .execute();
        const active = admins.filter(({ expires_at }) => expires_at === null || expires_at > now);
        if (active.length === 1 && active[0]?.id === keyId) return 'last_admin';
        const row = await transaction
          .updateTable('api_keys')
          .set({ revoked_at: sql<Date>`coalesce(revoked_at, ${now.toISOString()}::timestamptz)` })
          .where('id', '=', keyId)
          .where('workspace_id', '=', workspaceId)
          .returningAll()
          .executeTakeFirst();
        if (row === undefined) return null;
        // Whom it has let in is in by it alone.
        await transaction
          .updateTable('api_keys')
          .set({ revoked_at: now })
          .where('created_by', '=', keyId)
          .where('digest', 'like', 'oauth:%')
          .where('revoked_at', 'is', null)
          .execute();
        return toStoredKey(row);
      });
    },
  };
}

const toRow = (key: NewKey) => ({
  id: key.id,
  workspace_id: key.workspaceId,
  digest: key.digest,
  name: key.name,
  role: key.role,
  created_by: key.createdBy,
  created_at: key.createdAt,
  expires_at: key.expiresAt,
  revoked_at: null,
  scopes_json: key.scopes === null ? null : JSON.stringify(key.scopes),
});

const toStoredKey = (row: Selectable<ApiKeysTable>): StoredKey => ({
  id: row.id,
  workspaceId: row.workspace_id,
  digest: row.digest,
  name: row.name,
  role: row.role as Role,
  createdAt: row.created_at.toISOString(),
  expiresAt: row.expires_at?.toISOString() ?? null,
  revokedAt: row.revoked_at?.toISOString() ?? null,
  scopes: row.scopes_json === null ? null : scopesIn(row.scopes_json),
});

/** One that this version does not know lets nothing through. */
function scopesIn(json: string): readonly string[] {
  const scopes: unknown = JSON.parse(json);
  return Array.isArray(scopes) ? scopes.map(String) : ['unreadable'];
}
