import { AppError, isAppError } from '@code-executor/platform';
import { extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js';
import * as oauth from 'oauth4webapi';
import type { ConnectedIntegration } from '../port.ts';
import type { StoredOauth } from '../stored-auth.ts';
import type { OauthServer } from './grant-store.ts';
import { checkEndpoint, OAUTH_TIMEOUT_MS, oauthFault, oauthOptions } from './oauth-http.ts';

/** The authorization server of a connection, and what the integration says of itself. */
export interface FoundServer {
  readonly server: OauthServer;
  readonly resource: string | null;
  /** Asked for where the connection names none. */
  readonly scopes: readonly string[];
}

/**
 * What the connection says, else what its integration's document declares, else what the upstream itself says
 * (RFC 9728, then RFC 8414).
 * @throws AppError CONNECTION_BROKEN that says what to give, CONNECTION_UNAVAILABLE
 */
export async function findServer(auth: StoredOauth, connected: ConnectedIntegration, signal: AbortSignal): Promise<FoundServer> {
  const own = { resource: auth.resource ?? null, scopes: auth.scopes };
  if (auth.tokenUrl !== undefined) return { ...own, server: explicit(auth.issuer, auth.authorizationUrl, auth.tokenUrl) };
  if (auth.issuer !== undefined) return { ...own, server: await discover(auth.issuer, connected, signal) };
  const declared = connected.schemes.find((scheme) => scheme.type === 'oauth2' && scheme.tokenUrl !== undefined);
  if (declared?.type === 'oauth2' && declared.tokenUrl !== undefined)
    return { ...own, server: explicit(undefined, absolute(declared.authorizationUrl, connected), absolute(declared.tokenUrl, connected)) };
  return fromUpstream(auth, connected, signal);
}

function explicit(issuer: string | undefined, authorizationUrl: string | undefined, tokenUrl: string | undefined): OauthServer {
  for (const url of [authorizationUrl, tokenUrl]) if (url !== undefined) checkEndpoint(url);
  if (tokenUrl === undefined) throw new AppError('CONNECTION_BROKEN', 'tokenUrl: give it, since the document names none that can be used');
  return {
    issuer: issuer ?? new URL(tokenUrl).origin,
    isDiscovered: false,
    authorization_endpoint: authorizationUrl,
    token_endpoint: tokenUrl,
  };
}

const absolute = (url: string | undefined, { url: base }: ConnectedIntegration): string | undefined =>
  url === undefined ? undefined : URL.canParse(url, base ?? undefined) ? new URL(url, base ?? undefined).href : url;

/** What the upstream says of itself: where its metadata lies is told by its 401, or by convention. */
async function fromUpstream(auth: StoredOauth, connected: ConnectedIntegration, signal: AbortSignal): Promise<FoundServer> {
  const url = new URL(connected.url ?? '');
  const told = await ask(connected, url.href, signal, { accept: 'application/json, text/event-stream' });
  const challenge = told === null ? {} : extractWWWAuthenticateParams(told);
  const path = url.pathname === '/' ? '' : url.pathname;
  const places = [
    challenge.resourceMetadataUrl?.href,
    new URL(`/.well-known/oauth-protected-resource${path}${url.search}`, url).href,
    new URL('/.well-known/oauth-protected-resource', url).href,
  ].filter((place) => place !== undefined);
  for (const place of new Set(places)) {
    const metadata = await readResource(connected, place, url, signal);
    const [issuer] = metadata?.servers ?? [];
    if (metadata === null || issuer === undefined) continue;
    const scopes = auth.scopes.length > 0 ? auth.scopes : (challenge.scope?.split(' ') ?? metadata.scopes);
    return { server: await discover(issuer, connected, signal), resource: auth.resource ?? metadata.resource, scopes };
  }
  try {
    // Before RFC 9728 a server was its own authorization server.
    const server = await discover(url.origin, connected, signal);
    return { server, resource: auth.resource ?? null, scopes: auth.scopes };
  } catch (error) {
    if (isAppError(error, 'CONNECTION_UNAVAILABLE')) throw error;
    throw new AppError(
      'CONNECTION_BROKEN',
      `${connected.slug} does not say where its authorization server is: give "issuer", or "authorizationUrl" and "tokenUrl", in "auth"`,
      { cause: error },
    );
  }
}

interface ResourceMetadata {
  readonly resource: string;
  readonly servers: readonly string[];
  readonly scopes: readonly string[];
}

async function readResource(
  connected: ConnectedIntegration,
  place: string,
  url: URL,
  signal: AbortSignal,
): Promise<ResourceMetadata | null> {
  const answer = await ask(connected, place, signal, { accept: 'application/json' });
  if (answer === null || answer.status !== 200) return null;
  try {
    const value = (await answer.json()) as Record<string, unknown> | null;
    const resource = typeof value?.resource === 'string' && URL.canParse(value.resource) ? value.resource : null;
    // Metadata that speaks of another resource must not lead tokens of this one elsewhere.
    if (resource === null || new URL(resource).origin !== url.origin || !isWithin(url.pathname, new URL(resource).pathname)) return null;
    return {
      resource,
      servers: texts(value?.authorization_servers).filter((text) => URL.canParse(text)),
      scopes: texts(value?.scopes_supported),
    };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

const isWithin = (path: string, base: string): boolean => `${path}/`.startsWith(base.endsWith('/') ? base : `${base}/`);
const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string' && item.length <= 2_048).slice(0, 100) : [];

/** Null: no answer; somewhere else may have one. */
async function ask(
  connected: ConnectedIntegration,
  url: string,
  signal: AbortSignal,
  headers: Record<string, string>,
): Promise<Response | null> {
  try {
    const answer = await connected.http.request({
      method: 'GET',
      url,
      headers,
      timeoutMs: OAUTH_TIMEOUT_MS,
      maximumBytes: 1024 * 1024,
      redirects: 3,
      signal,
    });
    const isEmpty = [204, 205, 304].includes(answer.status);
    return new Response(isEmpty ? null : Buffer.from(answer.body), { status: answer.status, headers: pick(answer.headers) });
  } catch (error) {
    signal.throwIfAborted();
    // A stream that begins to flow instead of an answer, or nothing at all: the well-known places are asked all the same.
    if (isAppError(error) && ['TOOL_TIMEOUT', 'UPSTREAM_LOST', 'REPLY_TOO_LARGE'].includes(error.code)) return null;
    throw unavailable(connected.slug, error);
  }
}

const pick = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  headers['www-authenticate'] === undefined ? {} : { 'www-authenticate': headers['www-authenticate'] };

/** @throws AppError CONNECTION_BROKEN, CONNECTION_UNAVAILABLE */
async function discover(issuer: string, connected: ConnectedIntegration, signal: AbortSignal): Promise<OauthServer> {
  let fault: unknown;
  for (const algorithm of ['oauth2', 'oidc'] as const) {
    try {
      const response = await oauth.discoveryRequest(new URL(issuer), { ...oauthOptions(connected.http, signal), algorithm });
      const found = await oauth.processDiscoveryResponse(new URL(issuer), response);
      return serverOf(found);
    } catch (error) {
      signal.throwIfAborted();
      fault = error;
      if (isAppError(error)) throw unavailable(issuer, error);
    }
  }
  throw unavailable(issuer, fault);
}

function serverOf(found: oauth.AuthorizationServer): OauthServer {
  if (found.token_endpoint === undefined) throw new AppError('CONNECTION_BROKEN', `${found.issuer} names no token endpoint`);
  for (const url of [found.token_endpoint, found.authorization_endpoint, found.registration_endpoint])
    if (url !== undefined) checkEndpoint(url);
  return {
    issuer: found.issuer,
    isDiscovered: true,
    authorization_endpoint: found.authorization_endpoint,
    token_endpoint: found.token_endpoint,
    registration_endpoint: found.registration_endpoint,
    token_endpoint_auth_methods_supported: found.token_endpoint_auth_methods_supported,
    code_challenge_methods_supported: found.code_challenge_methods_supported,
    authorization_response_iss_parameter_supported: found.authorization_response_iss_parameter_supported,
  };
}

function unavailable(whose: string, error: unknown): AppError {
  const { isPassing, message } = oauthFault(error, (text) => text);
  return new AppError(
    isPassing ? 'CONNECTION_UNAVAILABLE' : 'CONNECTION_BROKEN',
    `The authorization server of ${whose} could not be looked up: ${message}`,
    { cause: error },
  );
}
