import { newId, type Principal, type Role } from '@code-executor/contracts';
import type { Database } from '@code-executor/platform';
import { type Kysely, sql } from 'kysely';
import type { ExecutionTables } from '../store/tables.ts';
import type { OAuthClient } from './clients.ts';
import type { GrantRecord } from './port.ts';
import { newRowId } from './secrets.ts';
import type { OAuthTables } from './tables.ts';

/** A client that nobody used for so long has to ask again. */
const GRANT_LIFE_MS = 90 * 24 * 60 * 60 * 1000;
const LISTED = 500;

/** A grant that holds: neither it, nor its principal, nor who consented was revoked or ran out. */
export interface LiveGrant {
  readonly id: string;
  readonly clientId: string;
  readonly resource: string;
  readonly principal: Principal;
}

export type Grants = ReturnType<typeof createGrants>;

/**
 * Who was let in by whom. The client's principal is a row of `api_keys` whose digest no key can have: so it has a name and
 * a role wherever principals are looked up, and is listed and revoked like any key.
 */
export function createGrants(db: Database, now: () => number) {
  const query = db.query<OAuthTables & ExecutionTables>();
  return {
    async create(client: OAuthClient, human: Principal, role: Role, resource: string): Promise<string> {
      const at = new Date(now());
      // What narrows the human's key narrows the client too.
      const scopes = human.scopes ? JSON.stringify(human.scopes) : null;
      return await query.transaction().execute(async (transaction) => {
        // The same human and client again: the same principal, which finds what it ran before.
        const known = await transaction
          .selectFrom('oauth_grants')
          .innerJoin('api_keys', 'api_keys.id', 'oauth_grants.key_id')
          .select(['api_keys.id', 'api_keys.revoked_at'])
          .where('oauth_grants.client_id', '=', client.id)
          .where('oauth_grants.consenting_key_id', '=', human.id)
          .where('api_keys.role', '=', role)
          .where(({ eb }) => (scopes === null ? eb('api_keys.scopes_json', 'is', null) : eb('api_keys.scopes_json', '=', scopes)))
          .orderBy('oauth_grants.created_at', 'desc')
          .limit(1)
          .executeTakeFirst();
        const keyId = known?.id ?? newId('key', now());
        if (known === undefined) {
          await transaction
            .insertInto('api_keys')
            .values({
              id: keyId,
              workspace_id: human.workspaceId,
              digest: `oauth:${keyId}`,
              name: `${client.name} (OAuth)`,
              role,
              created_by: human.id,
              created_at: at,
              expires_at: (eb) => eb.selectFrom('api_keys').select('expires_at').where('id', '=', human.id),
              revoked_at: null,
              scopes_json: scopes,
            })
            .execute();
        } else if (known.revoked_at !== null) await wake(transaction, known.id, at);
        const id = newRowId('grant');
        await transaction
          .insertInto('oauth_grants')
          .values({
            id,
            workspace_id: human.workspaceId,
            client_id: client.id,
            key_id: keyId,
            consenting_key_id: human.id,
            scope: role,
            resource,
            created_at: at,
            expires_at: new Date(now() + GRANT_LIFE_MS),
            revoked_at: null,
          })
          .execute();
        return id;
      });
    },

    async findLive(id: string): Promise<LiveGrant | null> {
      const at = new Date(now());
      const row = await query
        .selectFrom('oauth_grants as g')
        .innerJoin('api_keys as k', 'k.id', 'g.key_id')
        .leftJoin('api_keys as c', 'c.id', 'g.consenting_key_id')
        .select([
          'g.id',
          'g.client_id',
          'g.resource',
          'g.workspace_id',
          'g.consenting_key_id',
          'k.id as principal_id',
          'k.role',
          'k.name',
          'k.scopes_json',
        ])
        .where('g.id', '=', id)
        .where('g.revoked_at', 'is', null)
        .where('g.expires_at', '>', at)
        .where('k.revoked_at', 'is', null)
        .where('c.revoked_at', 'is', null)
        .where(({ eb, or }) => or([eb('c.expires_at', 'is', null), eb('c.expires_at', '>', at)]))
        .where('c.id', 'is not', null)
        .executeTakeFirst();
      if (row === undefined) return null;
      return {
        id: row.id,
        clientId: row.client_id,
        resource: row.resource,
        principal: {
          id: row.principal_id,
          workspaceId: row.workspace_id,
          role: row.role as Role,
          name: row.name,
          scopes: row.scopes_json === null ? null : (JSON.parse(row.scopes_json) as string[]),
        },
      };
    },

    /** Whoever uses a grant keeps it. */
    async extend(id: string): Promise<void> {
      await query
        .updateTable('oauth_grants')
        .set({ expires_at: new Date(now() + GRANT_LIFE_MS) })
        .where('id', '=', id)
        .execute();
    },

    async revoke(id: string, of: { readonly clientId?: string; readonly workspaceId?: string } = {}): Promise<boolean> {
      return await query.transaction().execute(async (transaction) => {
        let statement = transaction
          .updateTable('oauth_grants')
          .set({ revoked_at: sql<Date>`coalesce(revoked_at, ${new Date(now()).toISOString()}::timestamptz)` })
          .where('id', '=', id);
        if (of.clientId !== undefined) statement = statement.where('client_id', '=', of.clientId);
        if (of.workspaceId !== undefined) statement = statement.where('workspace_id', '=', of.workspaceId);
        const ended = await statement.returning('key_id').executeTakeFirst();
        if (ended === undefined) return false;
        await endUnlessLive(transaction, ended.key_id, new Date(now()));
        return true;
      });
    },

    async list(workspaceId: string, id?: string): Promise<GrantRecord[]> {
      let statement = query
        .selectFrom('oauth_grants as g')
        .innerJoin('api_keys as k', 'k.id', 'g.key_id')
        .select([
          'g.id',
          'g.client_id',
          'g.key_id',
          'g.consenting_key_id',
          'g.scope',
          'g.created_at',
          'g.expires_at',
          'g.revoked_at',
          'k.name',
        ])
        .where('g.workspace_id', '=', workspaceId);
      if (id !== undefined) statement = statement.where('g.id', '=', id);
      const rows = await statement.orderBy('g.created_at', 'desc').limit(LISTED).execute();
      return rows.map((row) => ({
        id: row.id,
        clientId: row.client_id,
        clientName: row.name.replace(/ \(OAuth\)$/, ''),
        principalId: row.key_id,
        consentingKeyId: row.consenting_key_id,
        role: row.scope as Role,
        createdAt: row.created_at.toISOString(),
        expiresAt: row.expires_at.toISOString(),
        revokedAt: row.revoked_at?.toISOString() ?? null,
      }));
    },

    /** Grants that ended a day ago, with what hangs on them. */
    async purge(): Promise<void> {
      const before = new Date(now() - 24 * 60 * 60 * 1000);
      await query
        .deleteFrom('oauth_grants')
        .where(({ eb, or }) => or([eb('expires_at', '<', before), eb('revoked_at', '<', before)]))
        .execute();
      await query.deleteFrom('oauth_devices').where('expires_at', '<', before).execute();
    },
  };
}

type Rows = Kysely<OAuthTables & ExecutionTables>;

/** With the last grant of a principal ends what it runs, too: the programs under way and those that wait for a person make no further call. */
async function endUnlessLive(rows: Rows, keyId: string, at: Date): Promise<void> {
  await rows
    .updateTable('api_keys')
    .set({ revoked_at: at })
    .where('id', '=', keyId)
    .where('revoked_at', 'is', null)
    .where(({ eb, not, exists }) =>
      not(
        exists(
          eb
            .selectFrom('oauth_grants')
            .select('id')
            .where('key_id', '=', keyId)
            .where('revoked_at', 'is', null)
            .where('expires_at', '>', at),
        ),
      ),
    )
    .execute();
}

/** Let in anew by the same human: what was given before stays ended. */
async function wake(rows: Rows, keyId: string, at: Date): Promise<void> {
  await rows.updateTable('oauth_grants').set({ revoked_at: at }).where('key_id', '=', keyId).where('revoked_at', 'is', null).execute();
  await rows.updateTable('api_keys').set({ revoked_at: null }).where('id', '=', keyId).execute();
}
