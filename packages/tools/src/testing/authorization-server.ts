import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface AuthorizationServerOptions {
  /** Of access tokens, seconds; null: it does not say. */
  expiresIn?: number | null;
  /** A refresh token is worth nothing once it was used, and using it twice revokes its whole family. Default true. */
  rotates?: boolean;
  /** Answers the token endpoint after so long. */
  delayMs?: number;
  /** Redirects with another issuer than its own. */
  wrongIssuer?: boolean;
  registers?: boolean;
  pkceMethods?: string[];
}

/**
 * An OAuth 2.1 authorization server on loopback: metadata, dynamic registration, a consent page that says yes at once,
 * and tokens for codes (PKCE checked), refresh tokens (rotated) and clients. `POST /api` wants one of its tokens.
 */
export interface TestAuthorizationServer {
  readonly url: string;
  readonly options: AuthorizationServerOptions;
  /** Every request to the token endpoint: its grant type. */
  readonly grants: string[];
  readonly issued: { readonly access: string[]; readonly refresh: string[]; readonly clientSecrets: string[] };
  isValid(accessToken: string): boolean;
  /** Access tokens are no longer good; refresh tokens are. */
  forget(): void;
  /** As if the person had withdrawn the consent. */
  revokeAll(): void;
  /** What a browser does: opens the consent page, which says yes, and answers where it is sent back to. */
  consent(url: string): Promise<URL>;
  close(): Promise<void>;
}

interface Code {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly challenge: string;
  readonly resource: string | null;
}

export const CONFIDENTIAL_CLIENT = { clientId: 'client-1', clientSecret: 'client-secret-8c1d5f02' } as const;

export async function startAuthorizationServer(options: AuthorizationServerOptions = {}): Promise<TestAuthorizationServer> {
  const grants: string[] = [];
  const issued = { access: [] as string[], refresh: [] as string[], clientSecrets: [CONFIDENTIAL_CLIENT.clientSecret] as string[] };
  const clients = new Map<string, { readonly secret: string | null; readonly redirectUris: readonly string[] | null }>([
    [CONFIDENTIAL_CLIENT.clientId, { secret: CONFIDENTIAL_CLIENT.clientSecret, redirectUris: null }],
  ]);
  const codes = new Map<string, Code>();
  const valid = new Set<string>();
  /** Refresh tokens that were not used yet; a used one is kept as false. */
  const refreshing = new Map<string, boolean>();
  let url = '';

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const target = new URL(request.url ?? '/', url);
    const body = await bodyOf(request);
    switch (target.pathname) {
      case '/.well-known/oauth-authorization-server':
        return json(response, 200, metadata());
      case '/register':
        return register(body, response);
      case '/authorize':
        return authorize(target.searchParams, response);
      case '/token':
        await new Promise((resolve) => setTimeout(resolve, options.delayMs ?? 0));
        return token(new URLSearchParams(body), request, response);
      case '/api':
        return json(response, valid.has(bearerOf(request)) ? 200 : 401, { authorization: request.headers.authorization ?? null });
      case '/.well-known/oauth-protected-resource/api':
        return json(response, 200, { resource: `${url}/api`, authorization_servers: [url], scopes_supported: ['read'] });
      default:
        return json(response, 404, {});
    }
  }

  const metadata = (): object => ({
    issuer: url,
    authorization_endpoint: `${url}/authorize`,
    token_endpoint: `${url}/token`,
    ...(options.registers === false ? {} : { registration_endpoint: `${url}/register` }),
    response_types_supported: ['code'],
    grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post'],
    code_challenge_methods_supported: options.pkceMethods ?? ['S256'],
    authorization_response_iss_parameter_supported: true,
  });

  function register(body: string, response: ServerResponse): void {
    const { redirect_uris: redirectUris } = JSON.parse(body) as { redirect_uris: string[] };
    const clientId = `registered-${randomBytes(6).toString('hex')}`;
    clients.set(clientId, { secret: null, redirectUris });
    json(response, 201, { client_id: clientId, redirect_uris: redirectUris, token_endpoint_auth_method: 'none' });
  }

  function authorize(query: URLSearchParams, response: ServerResponse): unknown {
    const client = clients.get(query.get('client_id') ?? '');
    const redirectUri = query.get('redirect_uri') ?? '';
    if (client === undefined || (client.redirectUris !== null && !client.redirectUris.includes(redirectUri)))
      return json(response, 400, { error: 'invalid_client' });
    const back = new URL(redirectUri);
    back.searchParams.set('state', query.get('state') ?? '');
    back.searchParams.set('iss', options.wrongIssuer === true ? 'https://mallory.example' : url);
    if (query.get('code_challenge_method') !== 'S256' || query.get('response_type') !== 'code')
      back.searchParams.set('error', 'invalid_request');
    else {
      const code = randomBytes(16).toString('hex');
      codes.set(code, {
        clientId: query.get('client_id') ?? '',
        redirectUri,
        challenge: query.get('code_challenge') ?? '',
        resource: query.get('resource'),
      });
      back.searchParams.set('code', code);
    }
    response.writeHead(302, { location: back.href }).end();
  }

  function token(form: URLSearchParams, request: IncomingMessage, response: ServerResponse): unknown {
    const grant = form.get('grant_type') ?? '';
    grants.push(grant);
    const [clientId, secret] = clientOf(form, request);
    const client = clients.get(clientId);
    if (client === undefined || (client.secret !== null && client.secret !== secret))
      return json(response, 401, { error: 'invalid_client', error_description: `no client ${clientId} with the secret ${secret}` });
    if (grant === 'client_credentials') return give(response, false);
    if (grant === 'authorization_code') {
      const code = codes.get(form.get('code') ?? '');
      codes.delete(form.get('code') ?? '');
      const challenge = createHash('sha256')
        .update(form.get('code_verifier') ?? '')
        .digest('base64url');
      if (code === undefined || code.challenge !== challenge || code.clientId !== clientId || code.redirectUri !== form.get('redirect_uri'))
        return json(response, 400, { error: 'invalid_grant', error_description: `the code ${form.get('code')} is not good` });
      return give(response, true);
    }
    const old = form.get('refresh_token') ?? '';
    if (refreshing.get(old) !== true) {
      // Used twice: somebody has stolen it.
      if (refreshing.has(old)) revokeAll();
      return json(response, 400, { error: 'invalid_grant', error_description: `the refresh token ${old} was used or revoked` });
    }
    if (options.rotates !== false) refreshing.set(old, false);
    give(response, options.rotates !== false);
  }

  function give(response: ServerResponse, withRefresh: boolean): void {
    const access = `access-${randomBytes(16).toString('hex')}`;
    valid.add(access);
    issued.access.push(access);
    const expiresIn = options.expiresIn === undefined ? 3_600 : options.expiresIn;
    const answer: Record<string, unknown> = { access_token: access, token_type: 'Bearer' };
    if (expiresIn !== null) answer.expires_in = expiresIn;
    if (withRefresh) {
      const refresh = `refresh-${randomBytes(16).toString('hex')}`;
      refreshing.set(refresh, true);
      issued.refresh.push(refresh);
      answer.refresh_token = refresh;
    }
    json(response, 200, answer);
  }

  function revokeAll(): void {
    valid.clear();
    for (const name of refreshing.keys()) refreshing.set(name, false);
  }

  return {
    url,
    options,
    grants,
    issued,
    isValid: (accessToken) => valid.has(accessToken),
    forget: () => valid.clear(),
    revokeAll,
    async consent(address) {
      const response = await fetch(address, { redirect: 'manual' });
      const location = response.headers.get('location');
      if (location === null) throw new Error(`The consent page answered ${response.status}: ${await response.text()}`);
      return new URL(location);
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const bearerOf = (request: IncomingMessage): string => (request.headers.authorization ?? '').replace(/^Bearer /, '');

function clientOf(form: URLSearchParams, request: IncomingMessage): [string, string] {
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (basic === undefined) return [form.get('client_id') ?? '', form.get('client_secret') ?? ''];
  const [id = '', secret = ''] = Buffer.from(basic, 'base64').toString('utf8').split(':').map(decodeURIComponent);
  return [id, secret];
}

function json(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
