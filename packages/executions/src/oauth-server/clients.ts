import type { Database } from '@code-executor/platform';
import type { Selectable } from 'kysely';
import { checkRedirectUri } from './redirect-uris.ts';
import { OAuthRefusal } from './refusal.ts';
import { newRowId } from './secrets.ts';
import type { OAuthTables } from './tables.ts';

/** Who registers and is never let in is forgotten after this. */
const UNUSED_MS = 24 * 60 * 60 * 1000;
/** Anybody may register: beyond this the one that was used longest ago, and has no grant, makes room. */
const CLIENTS_LIMIT = 2_000;
const REDIRECT_URIS_LIMIT = 10;
const NAME_LIMIT = 80;

export interface OAuthClient {
  readonly id: string;
  /** As it called itself: anybody may call itself anything. */
  readonly name: string;
  readonly uri: string | null;
  readonly redirectUris: readonly string[];
  readonly createdAt: Date;
}

/** The CLI: there is nothing to register, for it asks by device code alone. */
export const CLI_CLIENT: OAuthClient = { id: 'executor-cli', name: 'executor CLI', uri: null, redirectUris: [], createdAt: new Date(0) };

export interface ClientMetadata {
  readonly name?: string | undefined;
  readonly uri?: string | undefined;
  readonly redirectUris: readonly string[];
}

export function createClients(db: Database, now: () => number) {
  const query = db.query<OAuthTables>();
  return {
    /** RFC 7591. Throws invalid_redirect_uri, invalid_client_metadata. */
    async register({ name, uri, redirectUris }: ClientMetadata): Promise<OAuthClient> {
      if (redirectUris.length === 0 || redirectUris.length > REDIRECT_URIS_LIMIT) {
        throw new OAuthRefusal('invalid_redirect_uri', `redirect_uris must have 1 to ${REDIRECT_URIS_LIMIT} addresses.`);
      }
      for (const redirectUri of redirectUris) checkRedirectUri(redirectUri);
      await forgetUnused();
      const at = new Date(now());
      const row = {
        id: newRowId('client'),
        name: cleanName(name),
        uri: uri !== undefined && /^https?:\/\/[\x21-\x7e]{1,300}$/.test(uri) ? uri : null,
        redirect_uris_json: JSON.stringify(redirectUris),
        created_at: at,
        used_at: at,
      };
      await query.insertInto('oauth_clients').values(row).execute();
      return toClient(row);
    },

    async find(id: string): Promise<OAuthClient | null> {
      if (id === CLI_CLIENT.id) return CLI_CLIENT;
      if (!/^client_[0-9a-f]{32}$/.test(id)) return null;
      const row = await query.selectFrom('oauth_clients').selectAll().where('id', '=', id).executeTakeFirst();
      return row === undefined ? null : toClient(row);
    },

    async touch(id: string): Promise<void> {
      await query
        .updateTable('oauth_clients')
        .set({ used_at: new Date(now()) })
        .where('id', '=', id)
        .execute();
    },
  };

  async function forgetUnused(): Promise<void> {
    await withoutGrants()
      .where('used_at', '<', new Date(now() - UNUSED_MS))
      .execute();
    const { count } = await query
      .selectFrom('oauth_clients')
      .select(({ fn }) => fn.countAll<number | string>().as('count'))
      .executeTakeFirstOrThrow();
    if (Number(count) < CLIENTS_LIMIT) return;
    const oldest = query
      .selectFrom('oauth_clients')
      .select('id')
      .where('id', 'not in', query.selectFrom('oauth_grants').select('client_id'))
      .orderBy('used_at')
      .limit(1);
    const { numDeletedRows } = await query.deleteFrom('oauth_clients').where('id', 'in', oldest).executeTakeFirst();
    if (numDeletedRows === 0n)
      throw new OAuthRefusal('temporarily_unavailable', 'There are as many clients as there may be; revoke grants that nobody uses.');
  }

  function withoutGrants() {
    return query.deleteFrom('oauth_clients').where('id', 'not in', query.selectFrom('oauth_grants').select('client_id'));
  }
}

function cleanName(name: string | undefined): string {
  const clean = (name ?? '').replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '').trim();
  return clean === '' ? 'a client without a name' : clean.slice(0, NAME_LIMIT);
}

const toClient = (row: Selectable<OAuthTables['oauth_clients']>): OAuthClient => ({
  id: row.id,
  name: row.name,
  uri: row.uri,
  redirectUris: JSON.parse(row.redirect_uris_json) as string[],
  createdAt: row.created_at,
});
