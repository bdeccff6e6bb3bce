import { AppError } from '@code-executor/platform';
import * as oauth from 'oauth4webapi';
import type { OutboundHttp } from '../../outbound/port.ts';
import { createScrub } from '../../sources/mcp/secrets.ts';
import type { StoredOauth } from '../stored-auth.ts';
import type { OauthClient, OauthServer } from './grant-store.ts';
import { oauthFault, oauthOptions } from './oauth-http.ts';

/** A client as the OAuth library wants it: who, and how it proves that. */
export interface ReadyClient {
  readonly server: oauth.AuthorizationServer;
  readonly client: oauth.Client;
  readonly authentication: oauth.ClientAuth;
  /** Sent along with every request for a token. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Never to be repeated in a message. */
  readonly secrets: readonly string[];
}

const CLIENT_NAME = 'Code executor';

/** RFC 7591. @throws AppError CONNECTION_BROKEN that says what to do instead, CONNECTION_UNAVAILABLE */
export async function registerClient(
  server: OauthServer,
  wanted: { readonly redirectUri: string; readonly scopes: readonly string[] },
  http: OutboundHttp,
  signal: AbortSignal,
): Promise<NonNullable<OauthClient['registered']>> {
  if (server.registration_endpoint === undefined) {
    throw new AppError(
      'CONNECTION_BROKEN',
      `${server.issuer} does not register clients by itself: register one there with the redirect address ${wanted.redirectUri}, and give its "clientId" (and "clientSecret") in "auth"`,
    );
  }
  try {
    const response = await oauth.dynamicClientRegistrationRequest(
      libraryServer(server),
      {
        client_name: CLIENT_NAME,
        redirect_uris: [wanted.redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: methodFor(server),
        ...(wanted.scopes.length === 0 ? {} : { scope: wanted.scopes.join(' ') }),
      },
      oauthOptions(http, signal),
    );
    const registered = await oauth.processDynamicClientRegistrationResponse(response);
    return {
      clientId: registered.client_id,
      clientSecret: typeof registered.client_secret === 'string' ? registered.client_secret : undefined,
      redirectUri: wanted.redirectUri,
    };
  } catch (error) {
    signal.throwIfAborted();
    const { isPassing, message } = oauthFault(error, createScrub([]));
    throw new AppError(
      isPassing ? 'CONNECTION_UNAVAILABLE' : 'CONNECTION_BROKEN',
      `${server.issuer} did not register a client: ${message}`,
    );
  }
}

/** The one that needs no secret where the server offers it: PKCE protects the code. */
function methodFor({ token_endpoint_auth_methods_supported: supported }: OauthServer): string {
  const known = ['none', 'client_secret_post', 'client_secret_basic'];
  // RFC 8414: a server that says nothing means client_secret_basic.
  return known.find((method) => (supported ?? ['client_secret_basic']).includes(method)) ?? 'none';
}

/** @throws AppError CONNECTION_BROKEN */
export function readyClient(
  auth: StoredOauth,
  { server, registered, resource }: OauthClient,
  clientSecret: string | undefined,
): ReadyClient {
  const clientId = auth.clientId ?? registered?.clientId;
  if (clientId === undefined) throw new AppError('CONNECTION_BROKEN', 'no client is registered; begin the authorization anew');
  const secret = auth.clientId === undefined ? registered?.clientSecret : clientSecret;
  return {
    server: libraryServer(server),
    client: { client_id: clientId },
    authentication: authenticationOf(auth.clientAuthentication, server, secret),
    parameters: {
      ...(resource === null ? {} : { resource }),
      ...(auth.audience === undefined ? {} : { audience: auth.audience }),
    },
    secrets: secret === undefined ? [] : [secret],
  };
}

function authenticationOf(wanted: StoredOauth['clientAuthentication'], server: OauthServer, secret: string | undefined): oauth.ClientAuth {
  if (wanted === 'none' || secret === undefined) return oauth.None();
  const supported = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  const isPost = wanted === 'client_secret_post' || (wanted === undefined && !supported.includes('client_secret_basic'));
  return isPost ? oauth.ClientSecretPost(secret) : oauth.ClientSecretBasic(secret);
}

/** Without the fields that are absent: the library takes `undefined` for a wrong value. */
function libraryServer({ isDiscovered: _, ...server }: OauthServer): oauth.AuthorizationServer {
  return Object.fromEntries(Object.entries(server).filter(([, value]) => value !== undefined)) as unknown as oauth.AuthorizationServer;
}
