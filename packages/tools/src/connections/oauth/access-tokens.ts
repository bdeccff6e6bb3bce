import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '@code-executor/platform';
import * as oauth from 'oauth4webapi';
import { createScrub } from '../../sources/mcp/secrets.ts';
import type { StoredConnection } from '../connection-store.ts';
import type { AccessTokens } from '../connections.ts';
import { untilAborted } from '../providers/value-providers.ts';
import type { StoredOauth } from '../stored-auth.ts';
import { tokensOf } from './authorize.ts';
import { findServer } from './find-server.ts';
import type { Grant, OauthClient } from './grant-store.ts';
import type { OauthDependencies } from './oauth.ts';
import { readyClient } from './oauth-client.ts';
import { oauthFault, oauthOptions } from './oauth-http.ts';

/** A token is renewed this long before its end, or after two thirds of a shorter life. */
const MARGIN_MS = 60_000;
/** What is known here of a token is looked up again after this. */
const KEPT_MS = 30_000;
/** Above the longest that one renewal takes (discovery and the request itself): who holds the lease has ended by then. */
const LEASE_MS = 60_000;
const RENEWAL_TIMEOUT_MS = 45_000;
/** An upstream that refuses every token must not make us renew with every call. */
const REFUSED_AGAIN_MS = 30_000;
const POLL_MS = 100;
/** A token that cannot be renewed at the moment is used as long as it lasts for the way to the upstream. */
const STILL_GOOD_MS = 5_000;

type Values = () => Promise<Readonly<Record<string, string>>>;

interface KnownToken {
  readonly token: string;
  readonly version: number;
  readonly generation: number;
  readonly goodUntil: number;
}

/**
 * Access tokens, renewed before they end: by one at a time in this process, and by one process at a time through a lease in
 * the row. New tokens are written down before they are used, since the old refresh token may be worth nothing from then on.
 */
export function createAccessTokens(deps: OauthDependencies): AccessTokens {
  const { grants } = deps;
  const holder = randomUUID();
  const known = new Map<string, KnownToken>();
  const renewing = new Map<string, Promise<string>>();
  /** By connection: the generation that an upstream has refused, and when that was last believed. */
  const refused = new Map<string, { readonly generation: number; readonly at: number }>();

  const isRefused = ({ id }: StoredConnection, { generation }: Grant): boolean => (refused.get(id)?.generation ?? -1) >= generation;

  function keep(connection: StoredConnection, grant: Grant): string | null {
    const { tokens, expiresAt, generation } = grant;
    if (tokens?.accessToken == null) return null;
    const margin = Math.min(MARGIN_MS, (tokens.lifetimeMs ?? Number.POSITIVE_INFINITY) / 3);
    const goodUntil = Math.min(Date.now() + KEPT_MS, (expiresAt?.getTime() ?? Number.POSITIVE_INFINITY) - margin);
    if (goodUntil <= Date.now() || (isRefused(connection, grant) && mayRenew(connection, grant))) return null;
    known.set(connection.id, { token: tokens.accessToken, version: connection.version, generation, goodUntil });
    return tokens.accessToken;
  }

  return {
    async accessToken(connection, values, signal) {
      const cached = known.get(connection.id);
      if (cached !== undefined && cached.version === connection.version && Date.now() < cached.goodUntil) return cached.token;
      known.delete(connection.id);
      let work = renewing.get(connection.id);
      if (work === undefined) {
        work = obtain(connection, values).finally(() => renewing.delete(connection.id));
        renewing.set(connection.id, work);
      }
      return untilAborted(work, signal);
    },
    rejected(connectionId) {
      const cached = known.get(connectionId);
      const before = refused.get(connectionId);
      if (cached === undefined || (before !== undefined && Date.now() - before.at < REFUSED_AGAIN_MS)) return;
      refused.set(connectionId, { generation: cached.generation, at: Date.now() });
      known.delete(connectionId);
    },
  };

  /** The token in the row where it is still good, or else a new one: by us, or by whoever is at it. */
  async function obtain(connection: StoredConnection, values: Values): Promise<string> {
    const signal = AbortSignal.timeout(LEASE_MS + RENEWAL_TIMEOUT_MS);
    while (true) {
      const grant = await grants.read(connection.id);
      const good = grant === null ? null : keep(connection, grant);
      if (good !== null) return good;
      if (grant === null) await grants.saveClient(connection.id, await lookUp(connection, signal));
      else if (!mayRenew(connection, grant)) return lastResort(connection, grant);
      else if (await grants.lease(connection.id, grant.generation, holder, LEASE_MS)) {
        const renewed = await renew(connection, grant, values);
        if (renewed !== null) return renewed;
      } else {
        // Another process is at it; what we have may be good for the while.
        const { tokens, expiresAt } = grant;
        const lasts = tokens?.accessToken != null && (expiresAt?.getTime() ?? 0) > Date.now() + STILL_GOOD_MS;
        if (lasts && !isRefused(connection, grant)) return tokens.accessToken ?? '';
        await pause(signal);
      }
    }
  }

  async function pause(signal: AbortSignal): Promise<void> {
    try {
      await sleep(POLL_MS, undefined, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
      throw new AppError(
        'CONNECTION_UNAVAILABLE',
        'its token is being renewed by another process, which does not come to an end; try again',
      );
    }
  }

  /** Without a refresh token there is nothing to renew with: the token is used to its end. */
  async function lastResort(connection: StoredConnection, { tokens, expiresAt }: Grant): Promise<string> {
    if (tokens?.accessToken != null && (expiresAt === null || expiresAt.getTime() > Date.now())) return tokens.accessToken;
    const reason = 'its access token has expired, and there is no refresh token to renew it with';
    await deps.setStatus(connection.id, 'needs_reauthorization', reason);
    throw new AppError(
      'CONNECTION_BROKEN',
      `${reason}: POST /connections/${connection.id}/oauth/start gives the address of the consent page`,
    );
  }

  /** Null: the row was changed meanwhile, look again. */
  async function renew(connection: StoredConnection, grant: Grant, values: Values): Promise<string | null> {
    const signal = AbortSignal.timeout(RENEWAL_TIMEOUT_MS);
    const refreshToken = grant.tokens?.refreshToken ?? null;
    const secrets = [refreshToken, grant.tokens?.accessToken].filter((text) => typeof text === 'string');
    try {
      const client = grant.client ?? (await lookUp(connection, signal));
      const auth = oauthOf(connection);
      const ready = readyClient(auth, client, (await values()).clientSecret);
      secrets.push(...ready.secrets);
      const answer = await requestTokens(auth, ready, refreshToken, deps, { connection, signal });
      const { tokens, expiresAt } = tokensOf(answer, refreshToken);
      const isSaved = await grants.saveRenewed(connection.id, grant.generation, holder, tokens, expiresAt);
      if (!isSaved) return null;
      keep(connection, { ...grant, tokens, expiresAt, generation: grant.generation + 1 });
      return tokens.accessToken;
    } catch (error) {
      await grants.release(connection.id, holder);
      return afterFailure(error, connection, grant, secrets);
    }
  }

  async function afterFailure(
    thrown: unknown,
    connection: StoredConnection,
    grant: Grant,
    secrets: readonly string[],
  ): Promise<string | null> {
    const { error, isPassing, message } = oauthFault(thrown, createScrub(secrets));
    deps.log.warn(
      { connection: connection.id, integration: connection.integration, reason: message },
      'The token of a connection could not be renewed',
    );
    const now = await grants.read(connection.id);
    // Somebody else was first, and our refresh token the old one.
    if (now !== null && now.generation !== grant.generation) return null;
    const { tokens, expiresAt } = grant;
    if (isPassing) {
      if (tokens?.accessToken != null && expiresAt !== null && expiresAt.getTime() > Date.now() + STILL_GOOD_MS) return tokens.accessToken;
      throw new AppError('CONNECTION_UNAVAILABLE', `its token could not be renewed: ${message}. Nothing was sent; try again`);
    }
    if (error === 'invalid_grant') {
      const reason = `the authorization server refuses to renew it: ${message}`;
      await deps.setStatus(connection.id, 'needs_reauthorization', reason);
      throw new AppError(
        'CONNECTION_BROKEN',
        `${reason}: POST /connections/${connection.id}/oauth/start gives the address of the consent page`,
      );
    }
    throw new AppError(
      'CONNECTION_BROKEN',
      `the authorization server gives no token: ${message}. Check clientId, clientSecret and scopes: PATCH /connections/${connection.id}`,
    );
  }

  async function lookUp(connection: StoredConnection, signal: AbortSignal): Promise<OauthClient> {
    const found = await findServer(oauthOf(connection), deps.integrationOf(connection.integration), signal);
    return { ...found, registered: null };
  }
}

function requestTokens(
  auth: StoredOauth,
  ready: ReturnType<typeof readyClient>,
  refreshToken: string | null,
  deps: Pick<OauthDependencies, 'integrationOf'>,
  { connection, signal }: { readonly connection: StoredConnection; readonly signal: AbortSignal },
): Promise<oauth.TokenEndpointResponse> {
  const options = oauthOptions(deps.integrationOf(connection.integration).http, signal);
  const { server, client, authentication, parameters } = ready;
  if (auth.grant === 'client_credentials') {
    const scope = auth.scopes.length === 0 ? {} : { scope: auth.scopes.join(' ') };
    return oauth
      .clientCredentialsGrantRequest(server, client, authentication, { ...parameters, ...scope }, options)
      .then((response) => oauth.processClientCredentialsResponse(server, client, response));
  }
  return oauth
    .refreshTokenGrantRequest(server, client, authentication, refreshToken ?? '', { ...options, additionalParameters: { ...parameters } })
    .then((response) => oauth.processRefreshTokenResponse(server, client, response));
}

function mayRenew({ auth }: StoredConnection, { tokens }: Grant): boolean {
  return auth.type === 'oauth2' && (auth.grant === 'client_credentials' || tokens?.refreshToken != null);
}

function oauthOf({ auth }: StoredConnection): StoredOauth {
  if (auth.type !== 'oauth2') throw new AppError('INTERNAL', `A connection of the type ${auth.type} has no tokens`);
  return auth;
}
