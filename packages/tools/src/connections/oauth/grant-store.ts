import type { Kysely, Selectable } from 'kysely';
import { sql } from 'kysely';
import type { Seal } from '../../integrations/seal.ts';
import type { ConnectionTables } from '../tables.ts';

/** An authorization server, as far as a client needs it. */
export interface OauthServer {
  readonly issuer: string;
  /** From the server's own metadata: `issuer` is its name there, and the metadata says what it supports. */
  readonly isDiscovered: boolean;
  readonly authorization_endpoint?: string | undefined;
  readonly token_endpoint: string;
  readonly registration_endpoint?: string | undefined;
  readonly token_endpoint_auth_methods_supported?: readonly string[] | undefined;
  readonly code_challenge_methods_supported?: readonly string[] | undefined;
  readonly authorization_response_iss_parameter_supported?: boolean | undefined;
}

/** Who we are there. Sealed: it may hold a secret. */
export interface OauthClient {
  readonly server: OauthServer;
  /** RFC 8707, told with every request for a token. */
  readonly resource: string | null;
  readonly scopes: readonly string[];
  /** What registering brought; null: the connection's own settings say it. */
  readonly registered: { readonly clientId: string; readonly clientSecret?: string | undefined; readonly redirectUri: string } | null;
}

export interface OauthTokens {
  readonly accessToken: string | null;
  readonly refreshToken: string | null;
  /** Of the access token when it was given, milliseconds; null: unknown. */
  readonly lifetimeMs: number | null;
}

export interface Grant {
  readonly client: OauthClient | null;
  readonly tokens: OauthTokens | null;
  readonly expiresAt: Date | null;
  readonly generation: number;
}

export interface PendingAuthorization {
  readonly connectionId: string;
  readonly principalId: string;
  /** Of the connection, when it was begun. */
  readonly version: number;
  readonly redirectUri: string;
  readonly codeVerifier: string;
}

/** What authorization servers gave, sealed. */
export interface GrantStore {
  read(connectionId: string): Promise<Grant | null>;
  expiresAt(connectionId: string): Promise<Date | null>;
  saveClient(connectionId: string, client: OauthClient): Promise<void>;
  /** Tokens of a new authorization: whatever is being renewed meanwhile is too late. */
  saveTokens(connectionId: string, tokens: OauthTokens, expiresAt: Date | null): Promise<void>;
  /** The right to renew the tokens of this generation. Answers whether it was had: one holder at a time, over all processes. */
  lease(connectionId: string, generation: number, holder: string, forMs: number): Promise<boolean>;
  release(connectionId: string, holder: string): Promise<void>;
  /** Ends the lease with new tokens. Answers false where they are too late. */
  saveRenewed(connectionId: string, generation: number, holder: string, tokens: OauthTokens, expiresAt: Date | null): Promise<boolean>;
  begin(stateHash: string, attempt: PendingAuthorization, expiresAt: Date): Promise<void>;
  /** Takes it, once. Null: unknown, used, or too old. */
  take(stateHash: string): Promise<PendingAuthorization | null>;
}

/** Consent pages of one connection that may be open at once. */
const MOST_ATTEMPTS = 16;

export const clientPlace = (row: { readonly workspace_id: string; readonly connection_id: string }): string =>
  `OAuth client of connection ${row.workspace_id}/${row.connection_id}`;
export const tokensPlace = (row: { readonly workspace_id: string; readonly connection_id: string }): string =>
  `OAuth tokens of connection ${row.workspace_id}/${row.connection_id}`;
export const attemptPlace = (row: { readonly workspace_id: string; readonly connection_id: string; readonly state_hash: string }): string =>
  `authorization of connection ${row.workspace_id}/${row.connection_id} by ${row.state_hash}`;

export function createGrantStore(db: Kysely<ConnectionTables>, workspaceId: string, seal: Seal): GrantStore {
  const row = (connectionId: string) => ({ workspace_id: workspaceId, connection_id: connectionId });
  const sealTokens = (connectionId: string, tokens: OauthTokens): string =>
    seal.seal(JSON.stringify(tokens), tokensPlace(row(connectionId)));

  function grantOf(found: Selectable<ConnectionTables['connection_grants']>): Grant {
    const opened = <Value>(sealed: string | null, place: string): Value | null =>
      sealed === null ? null : (JSON.parse(seal.open(sealed, place)) as Value);
    return {
      client: opened<OauthClient>(found.sealed_client, clientPlace(found)),
      tokens: opened<OauthTokens>(found.sealed_tokens, tokensPlace(found)),
      expiresAt: found.expires_at,
      generation: found.generation,
    };
  }

  return {
    async read(connectionId) {
      const found = await db.selectFrom('connection_grants').selectAll().where('connection_id', '=', connectionId).executeTakeFirst();
      return found === undefined ? null : grantOf(found);
    },
    async expiresAt(connectionId) {
      const found = await db
        .selectFrom('connection_grants')
        .select('expires_at')
        .where('connection_id', '=', connectionId)
        .executeTakeFirst();
      return found?.expires_at ?? null;
    },
    async saveClient(connectionId, client) {
      const sealed = seal.seal(JSON.stringify(client), clientPlace(row(connectionId)));
      await db
        .insertInto('connection_grants')
        .values({ ...row(connectionId), sealed_client: sealed, sealed_tokens: null, generation: 0, lease_holder: null })
        .onConflict((conflict) => conflict.column('connection_id').doUpdateSet({ sealed_client: sealed }))
        .execute();
    },
    async saveTokens(connectionId, tokens, expiresAt) {
      const sealed = sealTokens(connectionId, tokens);
      await db
        .insertInto('connection_grants')
        .values({
          ...row(connectionId),
          sealed_client: null,
          sealed_tokens: sealed,
          expires_at: expiresAt,
          generation: 1,
          lease_holder: null,
        })
        .onConflict((conflict) =>
          conflict.column('connection_id').doUpdateSet((present) => ({
            sealed_tokens: sealed,
            expires_at: expiresAt,
            generation: present('connection_grants.generation', '+', 1),
            lease_holder: null,
            lease_until: null,
          })),
        )
        .execute();
    },
    async lease(connectionId, generation, holder, forMs) {
      const taken = await db
        .updateTable('connection_grants')
        .set({ lease_holder: holder, lease_until: sql<Date>`now() + ${forMs}::double precision * interval '1 millisecond'` })
        .where('connection_id', '=', connectionId)
        .where('generation', '=', generation)
        .where((where) => where.or([where('lease_until', 'is', null), where('lease_until', '<', sql<Date>`now()`)]))
        .returning('connection_id')
        .execute();
      return taken.length > 0;
    },
    async release(connectionId, holder) {
      await db
        .updateTable('connection_grants')
        .set({ lease_holder: null, lease_until: null })
        .where('connection_id', '=', connectionId)
        .where('lease_holder', '=', holder)
        .execute();
    },
    async saveRenewed(connectionId, generation, holder, tokens, expiresAt) {
      const saved = await db
        .updateTable('connection_grants')
        .set({
          sealed_tokens: sealTokens(connectionId, tokens),
          expires_at: expiresAt,
          generation: generation + 1,
          lease_holder: null,
          lease_until: null,
        })
        .where('connection_id', '=', connectionId)
        .where('generation', '=', generation)
        .where('lease_holder', '=', holder)
        .returning('connection_id')
        .execute();
      return saved.length > 0;
    },
    async begin(stateHash, attempt, expiresAt) {
      await db.deleteFrom('authorization_attempts').where('expires_at', '<', sql<Date>`now()`).execute();
      const older = await db
        .selectFrom('authorization_attempts')
        .select('state_hash')
        .where('connection_id', '=', attempt.connectionId)
        .orderBy('expires_at', 'desc')
        .offset(MOST_ATTEMPTS - 1)
        .execute();
      for (const { state_hash } of older) await db.deleteFrom('authorization_attempts').where('state_hash', '=', state_hash).execute();
      const place = { ...row(attempt.connectionId), state_hash: stateHash };
      await db
        .insertInto('authorization_attempts')
        .values({
          ...place,
          principal_id: attempt.principalId,
          sealed_attempt: seal.seal(JSON.stringify(attempt), attemptPlace(place)),
          expires_at: expiresAt,
        })
        .execute();
    },
    async take(stateHash) {
      const [taken] = await db
        .deleteFrom('authorization_attempts')
        .where('state_hash', '=', stateHash)
        .where('workspace_id', '=', workspaceId)
        .returningAll()
        .execute();
      if (taken === undefined || taken.expires_at.getTime() < Date.now()) return null;
      return JSON.parse(seal.open(taken.sealed_attempt, attemptPlace(taken))) as PendingAuthorization;
    },
  };
}
