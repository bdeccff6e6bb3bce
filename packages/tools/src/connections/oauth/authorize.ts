import { hash, randomBytes } from 'node:crypto';
import { AppError, isAppError } from '@code-executor/platform';
import * as oauth from 'oauth4webapi';
import { createScrub } from '../../sources/mcp/secrets.ts';
import { printable } from '../../sources/mcp/stderr-log.ts';
import type { StoredConnection } from '../connection-store.ts';
import { labelOf } from '../connections.ts';
import type { AuthorizationEnd, AuthorizationStart, ConnectedIntegration } from '../port.ts';
import type { StoredOauth } from '../stored-auth.ts';
import { findServer } from './find-server.ts';
import type { OauthClient, OauthTokens } from './grant-store.ts';
import type { OauthDependencies } from './oauth.ts';
import { readyClient, registerClient } from './oauth-client.ts';
import { oauthFault, oauthOptions } from './oauth-http.ts';

/** A consent page that comes back later is not taken any more. */
const ATTEMPT_LIFETIME_MS = 10 * 60_000;
const START_TIMEOUT_MS = 40_000;
const FINISH_TIMEOUT_MS = 30_000;

/** Finds the authorization server, registers where needed, and answers the address of its consent page. @throws AppError */
export async function startAuthorization(
  connection: StoredConnection,
  connected: ConnectedIntegration,
  by: { readonly principalId: string; readonly redirectUri: string },
  { grants }: OauthDependencies,
): Promise<AuthorizationStart> {
  const { auth } = connection;
  if (auth.type !== 'oauth2' || auth.grant !== 'authorization_code')
    throw new AppError('INVALID_REQUEST', `${labelOf(connection)} needs no consent page: its type is ${auth.type}`);
  const signal = AbortSignal.timeout(START_TIMEOUT_MS);
  const found = await findServer(auth, connected, signal);
  if (found.server.authorization_endpoint === undefined)
    throw new AppError('CONNECTION_BROKEN', `${found.server.issuer} has no consent page: give "authorizationUrl" in "auth"`);
  const methods = found.server.code_challenge_methods_supported;
  if (methods !== undefined && !methods.includes('S256'))
    throw new AppError(
      'CONNECTION_BROKEN',
      `${found.server.issuer} does not support PKCE with S256, and a code without it is not asked for`,
    );

  const client = await clientFor(auth, found, { connectionId: connection.id, redirectUri: by.redirectUri, connected }, { grants, signal });
  const state = randomBytes(32).toString('base64url');
  const codeVerifier = oauth.generateRandomCodeVerifier();
  const expiresAt = new Date(Date.now() + ATTEMPT_LIFETIME_MS);
  await grants.begin(
    hash('sha256', state),
    { connectionId: connection.id, principalId: by.principalId, version: connection.version, redirectUri: by.redirectUri, codeVerifier },
    expiresAt,
  );
  const url = new URL(found.server.authorization_endpoint);
  const parameters: Record<string, string> = {
    ...auth.parameters,
    ...(auth.audience === undefined ? {} : { audience: auth.audience }),
    ...(client.resource === null ? {} : { resource: client.resource }),
    ...(client.scopes.length === 0 ? {} : { scope: client.scopes.join(' ') }),
    response_type: 'code',
    client_id: auth.clientId ?? client.registered?.clientId ?? '',
    redirect_uri: by.redirectUri,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return { url: url.href, expiresAt: expiresAt.toISOString() };
}

/** The client that was registered before, where it still fits; otherwise a new one. */
async function clientFor(
  auth: StoredOauth,
  found: Awaited<ReturnType<typeof findServer>>,
  of: { readonly connectionId: string; readonly redirectUri: string; readonly connected: ConnectedIntegration },
  { grants, signal }: Pick<OauthDependencies, 'grants'> & { readonly signal: AbortSignal },
): Promise<OauthClient> {
  const known = (await grants.read(of.connectionId))?.client ?? null;
  const fits = known?.registered?.redirectUri === of.redirectUri && known.server.issuer === found.server.issuer;
  const registered =
    auth.clientId !== undefined
      ? null
      : fits
        ? (known?.registered ?? null)
        : await registerClient(found.server, { ...found, ...of }, of.connected.http, signal);
  const client: OauthClient = { ...found, registered };
  await grants.saveClient(of.connectionId, client);
  return client;
}

/** What the browser came back with, exchanged for tokens. Never rejects for what the parameters or the server say. */
export async function finishAuthorization(
  parameters: Readonly<Record<string, string>>,
  deps: OauthDependencies,
): Promise<AuthorizationEnd> {
  const { state = '' } = parameters;
  const attempt = /^[\w-]{43}$/.test(state) ? await deps.grants.take(hash('sha256', state)) : null;
  if (attempt === null)
    return failed(
      'This page was used already, is older than ten minutes, or was not opened by this service. Begin the authorization again.',
    );
  const connection = await deps.connectionOf(attempt.connectionId);
  const grant = await deps.grants.read(attempt.connectionId);
  if (connection === null || connection.version !== attempt.version || connection.auth.type !== 'oauth2' || grant?.client == null)
    return failed('The connection was changed or removed meanwhile. Begin the authorization again.');

  const secrets = [attempt.codeVerifier, parameters.code ?? '', state].filter((text) => text.length >= 8);
  const signal = AbortSignal.timeout(FINISH_TIMEOUT_MS);
  try {
    const { clientSecret } = await deps.valuesOf(connection, signal);
    const ready = readyClient(connection.auth, grant.client, clientSecret);
    secrets.push(...ready.secrets);
    const given = new URLSearchParams(parameters);
    // Only a server whose metadata was read has a name that could be compared with.
    if (!grant.client.server.isDiscovered) given.delete('iss');
    const checked = oauth.validateAuthResponse(ready.server, ready.client, given, state);
    const response = await oauth.authorizationCodeGrantRequest(
      ready.server,
      ready.client,
      ready.authentication,
      checked,
      attempt.redirectUri,
      attempt.codeVerifier,
      { ...oauthOptions(deps.integrationOf(connection.integration).http, signal), additionalParameters: { ...ready.parameters } },
    );
    const { tokens, expiresAt } = tokensOf(await oauth.processAuthorizationCodeResponse(ready.server, ready.client, response), null);
    await deps.grants.saveTokens(connection.id, tokens, expiresAt);
    await deps.setStatus(connection.id, 'active', null);
    return { outcome: 'done', message: `${labelOf(connection)} is authorized. This page can be closed.` };
  } catch (error) {
    const said = isAppError(error) ? createScrub(secrets)(error.message) : oauthFault(error, createScrub(secrets)).message;
    deps.log.warn({ connection: connection.id, integration: connection.integration, reason: said }, 'An authorization failed');
    return failed(`${labelOf(connection)} was not authorized: ${printable(said, 400)}. Begin the authorization again.`);
  }
}

const failed = (message: string): AuthorizationEnd => ({ outcome: 'failed', message });

/** Longest life of a token that is believed: ten years. */
const LONGEST_SECONDS = 315_360_000;

/** A token endpoint's answer. A server that gives no new refresh token means: keep the old one. */
export function tokensOf(
  answer: oauth.TokenEndpointResponse,
  oldRefreshToken: string | null,
): { readonly tokens: OauthTokens; readonly expiresAt: Date | null } {
  if (answer.token_type !== 'bearer')
    throw new AppError(
      'CONNECTION_BROKEN',
      `the authorization server gives tokens of the type ${printable(answer.token_type, 40)}; only bearer is understood`,
    );
  const seconds = answer.expires_in === undefined ? null : Math.min(answer.expires_in, LONGEST_SECONDS);
  return {
    tokens: {
      accessToken: answer.access_token,
      refreshToken: answer.refresh_token ?? oldRefreshToken,
      lifetimeMs: seconds === null ? null : seconds * 1_000,
    },
    expiresAt: seconds === null ? null : new Date(Date.now() + seconds * 1_000),
  };
}
