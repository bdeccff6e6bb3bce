import type { Principal, Role } from '@code-executor/contracts';
import { type Database, type Logger, messageOf } from '@code-executor/platform';
import { ACCESS_TOKEN_SECONDS, createAccessTokens } from './access-tokens.ts';
import { judgeAuthorization } from './authorize.ts';
import { CLI_CLIENT, createClients, type OAuthClient } from './clients.ts';
import { createDevices } from './devices.ts';
import { createGrants } from './grants.ts';
import type { OAuthOrigin, OAuthServer, TokenAnswer } from './port.ts';
import { OAuthRefusal } from './refusal.ts';
import { lowerRole, roleOfScope } from './scopes.ts';
import { challengeOf, digestOfSecret, newSecret } from './secrets.ts';
import { createSigningKeys } from './signing-keys.ts';
import type { OAuthTables } from './tables.ts';

const CODE_MS = 60_000;
const PURGE_MS = 60 * 60 * 1000;

/**
 * The rows need `executionMigrations` and `oauthMigrations` to have run. `secret` seals the signing keys, and is the same
 * for all who share the database. `onKeysChanged`: a principal was made; whoever keeps principals in memory looks again.
 */
export function createOAuthServer(options: {
  readonly db: Database;
  readonly log: Logger;
  readonly secret: string;
  readonly isOwnResource: (resource: string) => boolean;
  readonly onKeysChanged?: (() => Promise<void>) | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}): OAuthServer & { close(): void } {
  const { db, log, secret, isOwnResource, onKeysChanged = async () => undefined, now = Date.now } = options;
  const query = db.query<OAuthTables>();
  const clients = createClients(db, now);
  const grants = createGrants(db, now);
  const keys = createSigningKeys({ db, secret, log, now });
  const tokens = createAccessTokens({ keys, grants, isOwnResource, now });
  const devices = createDevices(db, now);
  const purge = setInterval(() => {
    grants.purge().catch((error: unknown) => log.warn({ reason: messageOf(error) }, 'Old OAuth grants could not be deleted'));
  }, PURGE_MS);
  purge.unref();

  return {
    close: () => clearInterval(purge),
    publishedKeys: keys.published,
    authenticate: tokens.authenticate,

    async register(metadata) {
      const client = await clients.register(metadata);
      log.info({ clientId: client.id, name: client.name, redirectUris: client.redirectUris }, 'An OAuth client registered itself');
      return client;
    },

    async checkAuthorization(given, origin) {
      return judgeAuthorization(given, await clients.find(given.client_id ?? ''), origin);
    },

    async consent({ client, redirectUri, challenge, resource, role: asked }, human, role) {
      const grantId = await grant(client, human, lowerRole(role, asked), resource);
      const code = newSecret('code');
      await query
        .insertInto('oauth_codes')
        .values({
          digest: digestOfSecret(code),
          grant_id: grantId,
          client_id: client.id,
          redirect_uri: redirectUri,
          challenge,
          expires_at: new Date(now() + CODE_MS),
          used_at: null,
        })
        .execute();
      return code;
    },

    async exchangeCode({ clientId, code, redirectUri, verifier, resource, origin }) {
      const digest = digestOfSecret(code);
      const row = await query.selectFrom('oauth_codes').selectAll().where('digest', '=', digest).executeTakeFirst();
      if (row === undefined || row.client_id !== clientId) throw invalidGrant('There is no such code of this client.');
      const { numUpdatedRows } = await query
        .updateTable('oauth_codes')
        .set({ used_at: new Date(now()) })
        .where('digest', '=', digest)
        .where('used_at', 'is', null)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) {
        await endGrant(row.grant_id, 'An authorization code was used twice');
        throw invalidGrant('The code was used before.');
      }
      if (row.expires_at.getTime() <= now()) throw invalidGrant('The code has run out.');
      if (redirectUri !== undefined && row.redirect_uri !== redirectUri)
        throw invalidGrant('redirect_uri is not the one that the code was sent to.');
      if (!/^[\w.~-]{43,128}$/.test(verifier) || challengeOf(verifier) !== row.challenge)
        throw invalidGrant('code_verifier does not fit (PKCE).');
      return await firstTokens(row.grant_id, resource, origin);
    },

    async refresh({ clientId, token, scope, origin }) {
      const digest = digestOfSecret(token);
      const row = await query.selectFrom('oauth_refresh_tokens').selectAll().where('digest', '=', digest).executeTakeFirst();
      const found = row === undefined ? null : await grants.findLive(row.grant_id);
      if (row === undefined || found === null || found.clientId !== clientId)
        throw invalidGrant('There is no such refresh token of this client.');
      if (scope !== undefined && lowerRole(roleOfScope(scope), found.principal.role) !== roleOfScope(scope)) {
        throw new OAuthRefusal('invalid_scope', `This grant goes no further than ${found.principal.role}.`);
      }
      const { numUpdatedRows } = await query
        .updateTable('oauth_refresh_tokens')
        .set({ used_at: new Date(now()) })
        .where('digest', '=', digest)
        .where('used_at', 'is', null)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) {
        await endGrant(row.grant_id, 'A refresh token was used twice');
        throw invalidGrant('The refresh token was used before; somebody else may have it, so the grant has ended. Connect anew.');
      }
      await grants.extend(row.grant_id);
      await clients.touch(clientId);
      return await newTokens(row.grant_id, origin);
    },

    async beginDevice({ clientId, scope, resource = '', origin }) {
      const client = await clients.find(clientId);
      if (client === null) throw new OAuthRefusal('invalid_client', 'There is no such client; register it, or be executor-cli.');
      const target = resource === '' ? origin.defaultResource : resource;
      if (!origin.isOwn(target)) throw new OAuthRefusal('invalid_target', 'resource does not name this service.');
      return await devices.begin(client, roleOfScope(scope), target);
    },

    findDevice: devices.find,

    async decideDevice(userCode, human, role) {
      const asked = await devices.find(userCode);
      const client = asked === null ? null : await clients.find(asked.clientId);
      if (asked === null || client === null) return false;
      if (role === null) return await devices.deny(userCode);
      return await devices.allow(userCode, await grant(client, human, lowerRole(role, asked.role), asked.resource));
    },

    async pollDevice({ clientId, deviceCode, origin }) {
      const grantId = await devices.poll(clientId, deviceCode);
      return await firstTokens(grantId, undefined, origin);
    },

    async revokeToken(clientId, token) {
      const row = await query
        .selectFrom('oauth_refresh_tokens')
        .select('grant_id')
        .where('digest', '=', digestOfSecret(token))
        .executeTakeFirst();
      const grantId = row?.grant_id ?? (await tokens.grantOf(token));
      if (grantId === null || !(await grants.revoke(grantId, { clientId }))) return;
      tokens.forget(grantId);
      await onKeysChanged();
    },

    listGrants: ({ workspaceId }) => grants.list(workspaceId),

    async revokeGrant({ workspaceId }, grantId) {
      if (!(await grants.revoke(grantId, { workspaceId }))) return null;
      tokens.forget(grantId);
      await onKeysChanged();
      return (await grants.list(workspaceId, grantId))[0] ?? null;
    },
  };

  async function grant(client: OAuthClient, human: Principal, role: Role, resource: string): Promise<string> {
    const allowed = lowerRole(role, human.role);
    const grantId = await grants.create(client, human, allowed, resource);
    if (client.id !== CLI_CLIENT.id) await clients.touch(client.id);
    await onKeysChanged();
    log.info({ clientId: client.id, client: client.name, grantId, principalId: human.id, role: allowed }, 'An OAuth client was let in');
    return grantId;
  }

  async function firstTokens(grantId: string, resource: string | undefined, origin: OAuthOrigin): Promise<TokenAnswer> {
    const found = await grants.findLive(grantId);
    if (found === null) throw invalidGrant('What was granted has been taken back.');
    if (resource !== undefined && !origin.isOwn(resource)) throw new OAuthRefusal('invalid_target', 'resource does not name this service.');
    return await newTokens(grantId, origin);
  }

  async function newTokens(grantId: string, origin: OAuthOrigin): Promise<TokenAnswer> {
    const found = await grants.findLive(grantId);
    if (found === null) throw invalidGrant('What was granted has been taken back.');
    const refreshToken = newSecret('refresh');
    await query
      .insertInto('oauth_refresh_tokens')
      .values({ digest: digestOfSecret(refreshToken), grant_id: grantId, created_at: new Date(now()), used_at: null })
      .execute();
    const scope = found.principal.role;
    const accessToken = await tokens.issue(found, scope, origin);
    return { access_token: accessToken, token_type: 'Bearer', expires_in: ACCESS_TOKEN_SECONDS, refresh_token: refreshToken, scope };
  }

  async function endGrant(grantId: string, why: string): Promise<void> {
    await grants.revoke(grantId);
    tokens.forget(grantId);
    await onKeysChanged();
    log.warn({ grantId }, `${why}: the grant has ended`);
  }
}

const invalidGrant = (message: string): OAuthRefusal => new OAuthRefusal('invalid_grant', message);
