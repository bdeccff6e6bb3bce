import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type OAuthClientProvider, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, expect, it } from 'vitest';
import { ask } from '../support/ask.ts';
import { serviceForThisFile } from '../support/service-suite.ts';
import { cookieOf, hiddenFields, newLogin, openConsent, postForm, REDIRECT } from './consent.ts';

const AUDIENCE = 'code-executor';
const signer = await generateKeyPair('RS256');
const publishedKeys = { keys: [{ ...(await exportJWK(signer.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }] };

/** An identity provider of the operator's: it describes itself and publishes its key. */
const provider = createServer((request, response) => {
  const isDescription = request.url === '/.well-known/openid-configuration';
  response
    .setHeader('content-type', 'application/json')
    .end(JSON.stringify(isDescription ? { issuer, jwks_uri: `${issuer}/keys` } : publishedKeys));
});
await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;

const { service } = serviceForThisFile({
  EXECUTOR_OIDC_ISSUER: issuer,
  EXECUTOR_OIDC_AUDIENCE: AUDIENCE,
  EXECUTOR_OIDC_ROLE_CLAIM: 'realm_access.roles',
  EXECUTOR_OIDC_ROLES: 'platform=operator,developers=agent',
});
afterAll(() => void provider.close());

const form = (...given: Parameters<typeof postForm> extends [unknown, ...infer Rest] ? Rest : never) => postForm(service(), ...given);
const transportFor = (authProvider: OAuthClientProvider) =>
  new StreamableHTTPClientTransport(new URL(`${service().url}/mcp`), { authProvider });
const connect = async (transport: StreamableHTTPClientTransport): Promise<Client> => {
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(transport as Parameters<Client['connect']>[0]);
  return client;
};

it('the official client registers itself, a human lets it in with a key, and it runs programs until it is put out', async () => {
  const { kept, authProvider } = newLogin<OAuthClientProvider>('An <b>editor</b> \u202egpj');
  const first = transportFor(authProvider);
  await expect(connect(first)).rejects.toThrow(UnauthorizedError);
  const url = kept.url ?? new URL('about:blank');
  expect(url.searchParams.get('resource')).toBe(`${service().url}/mcp`);

  const { page, answer } = await openConsent(service(), url);
  expect(page.text).toContain('An &lt;b&gt;editor&lt;/b&gt; ');
  expect(page.text).not.toContain('<b>');
  expect(page.headers).toMatchObject({
    'content-security-policy': expect.stringMatching(
      /default-src 'none'.*form-action 'self' http:\/\/127\.0\.0\.1:7777; frame-ancestors 'none'/,
    ),
    'x-frame-options': 'DENY',
    'cache-control': 'no-store',
  });
  // The least role is chosen, whatever was asked for.
  expect(page.text).toContain('<option value="agent" selected>');

  expect((await answer({ decision: 'approve', key: service().key }, {})).status).toBe(403);
  expect((await answer({ decision: 'approve', key: service().key, token: 'x'.repeat(32) })).status).toBe(403);
  expect((await answer({ decision: 'approve', key: service().key }, { cookie: '', origin: 'https://evil.example' })).status).toBe(403);
  expect((await answer({ decision: 'approve', key: 'cex_wrong' })).status).toBe(401);
  const denied = new URL(String((await answer({ decision: 'deny' })).headers.location));
  expect(Object.fromEntries(denied.searchParams)).toMatchObject({ error: 'access_denied', state: 'a state', iss: service().url });

  const let_in = await answer({ decision: 'approve', key: service().key, role: 'agent' });
  expect(let_in.status).toBe(303);
  const back = new URL(String(let_in.headers.location));
  expect(back.origin + back.pathname).toBe(REDIRECT);
  expect(Object.fromEntries(back.searchParams)).toMatchObject({ state: 'a state', iss: service().url });

  await first.finishAuth(back.searchParams.get('code') ?? '');
  const client = await connect(transportFor(authProvider));
  const run = () => client.callTool({ name: 'execute', arguments: { language: 'typescript', code: 'return 1 + 1' } });
  expect((await run()).structuredContent).toMatchObject({ result: 2 });

  const { access_token: token } = kept.tokens as { access_token: string };
  const withToken = (path: string) => ask(service(), 'GET', path, { key: token });
  expect((await withToken('/executions')).status).toBe(200);
  expect((await withToken('/keys')).status).toBe(403);
  // A token cannot beget another.
  const again = await openConsent(service(), url);
  expect((await again.answer({ decision: 'approve', key: token })).status).toBe(401);

  const { items } = (await service().get('/oauth/grants')).body as { items: { id: string; clientName: string; role: string }[] };
  expect(items[0]).toMatchObject({ clientName: expect.stringContaining('editor'), role: 'agent' });
  expect((await ask(service(), 'DELETE', `/oauth/grants/${items[0]?.id}`)).status).toBe(200);
  await expect.poll(async () => (await withToken('/executions')).status).toBe(401);
  await client.close();
});

it('the metadata lead a client from the endpoint to everything it needs', async () => {
  const get = async (path: string) => (await ask(service(), 'GET', path, { key: null })).json() as Record<string, unknown>;
  const { url } = service();
  for (const path of ['/.well-known/oauth-protected-resource', '/.well-known/oauth-protected-resource/mcp']) {
    expect(await get(path)).toMatchObject({ resource: `${url}/mcp`, authorization_servers: [url, issuer], scopes_supported: ['agent'] });
  }
  const server = await get('/.well-known/oauth-authorization-server');
  expect(server).toMatchObject({
    issuer: url,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
  });
  expect(await get(new URL(String(server.jwks_uri)).pathname)).toMatchObject({
    keys: [{ kty: 'EC', alg: 'ES256', kid: expect.any(String) }],
  });
  expect(JSON.stringify(await get('/oauth/jwks'))).not.toContain('"d"');
});

it('a device is logged in by the code that a human enters', async () => {
  const begun = (await form('/oauth/device_authorization', { client_id: 'executor-cli', scope: 'operator' })).json() as Record<
    string,
    string
  >;
  const poll = () =>
    form('/oauth/token', {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      client_id: 'executor-cli',
      device_code: begun.device_code ?? '',
    });
  expect((await poll()).json()).toMatchObject({ error: 'authorization_pending' });
  const complete = new URL(begun.verification_uri_complete ?? '');
  const page = await ask(service(), 'GET', complete.pathname + complete.search, { key: null });
  expect(page.text).toContain('executor CLI');
  expect(page.text).toContain(`the device in front of you shows ${begun.user_code}: with a code that somebody sent you`);
  const cookie = cookieOf(page);
  const fields = { ...hiddenFields(page.text), decision: 'approve', role: 'operator' };
  expect((await form('/oauth/device', { ...fields, key: 'cex_wrong' }, { cookie })).status).toBe(401);
  expect((await form('/oauth/device', { ...fields, key: service().key }, { cookie })).status).toBe(200);
  const tokens = (await poll()).json() as { access_token: string };
  const approvals = () => ask(service(), 'GET', '/approvals', { key: tokens.access_token });
  expect((await approvals()).status).toBe(200);
  expect((await form('/oauth/revoke', { client_id: 'executor-cli', token: tokens.access_token })).status).toBe(200);
  expect((await approvals()).status).toBe(401);
  expect((await ask(service(), 'GET', '/oauth/device?user_code=BBBB-BBBB', { key: null })).text).toContain('There is no such code');
});

it('codes of devices are not found by trying, whichever way they are sent', async () => {
  const page = await ask(service(), 'GET', '/oauth/device?user_code=BBBB-BBBB', { key: null });
  expect(page.status).toBe(400);
  const begun = (await form('/oauth/device_authorization', { client_id: 'executor-cli' })).json() as Record<string, string>;
  const shown = await ask(service(), 'GET', `/oauth/device?user_code=${begun.user_code}`, { key: null });
  const cookie = cookieOf(shown);
  const fields = { ...hiddenFields(shown.text), decision: 'deny', key: service().key };
  const statuses = [];
  for (let guess = 0; guess < 70; guess += 1)
    statuses.push((await form('/oauth/device', { ...fields, user_code: 'BBBBBBBB' }, { cookie })).status);
  expect(statuses.at(-1)).toBe(429);
  expect((await form('/oauth/device', fields, { cookie })).status).toBe(429);
});

it('bad requests of clients are answered in the words of OAuth', async () => {
  expect((await form('/oauth/token', { grant_type: 'password', client_id: 'x' })).json()).toMatchObject({
    error: 'unsupported_grant_type',
  });
  expect((await form('/oauth/token', { client_id: 'x' })).json()).toMatchObject({ error: 'invalid_request' });
  const twice = await ask(service(), 'POST', '/oauth/token', {
    key: null,
    raw: 'grant_type=refresh_token&grant_type=password&client_id=x',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  expect(twice.json()).toMatchObject({ error: 'invalid_request' });
  expect(
    (await ask(service(), 'POST', '/oauth/register', { key: null, body: { redirect_uris: ['javascript:alert(1)'] } })).json(),
  ).toMatchObject({
    error: 'invalid_redirect_uri',
  });
  const unknown = await ask(service(), 'GET', '/oauth/authorize?client_id=client_x&redirect_uri=https://evil.example&response_type=code', {
    key: null,
  });
  expect([unknown.status, unknown.headers.location]).toEqual([400, undefined]);
});

const tokenOf = (claims: Record<string, unknown>, { audience = AUDIENCE, from = issuer, expires = '5m' } = {}) =>
  new SignJWT({ preferred_username: 'ada', ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
    .setIssuer(from)
    .setAudience(audience)
    .setSubject('ada')
    .setIssuedAt()
    .setExpirationTime(expires)
    .sign(signer.privateKey);

it("tokens of the operator's identity provider are taken, with the roles that its groups mean", async () => {
  const ask_ = async (path: string, token: Promise<string>) => (await ask(service(), 'GET', path, { key: await token })).status;
  const operator = () => tokenOf({ realm_access: { roles: ['platform', 'whatever'] } });
  expect(await ask_('/integrations', operator())).toBe(200);
  expect(await ask_('/keys', operator())).toBe(403);
  expect(await ask_('/tools', tokenOf({ realm_access: { roles: ['nothing'] } }))).toBe(401);
  expect(await ask_('/tools', tokenOf({}))).toBe(401);
  expect(await ask_('/tools', tokenOf({ realm_access: { roles: ['platform'] } }, { audience: 'somebody-else' }))).toBe(401);
  expect(await ask_('/tools', tokenOf({ realm_access: { roles: ['platform'] } }, { expires: '-5m' }))).toBe(401);
  expect(await ask_('/tools', tokenOf({ realm_access: { roles: ['platform'] } }, { from: 'https://evil.example' }))).toBe(401);
  const { items } = (await service().get('/keys')).body as { items: { name: string; role: string }[] };
  expect(items).toContainEqual(expect.objectContaining({ name: 'ada (OIDC)', role: 'operator' }));
});
