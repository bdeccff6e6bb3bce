import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Principal, Role } from '@code-executor/contracts';
import { decodeJwt, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createKeys, type KeysService } from '../keys/create-keys.ts';
import { openTestDatabase, testLog } from '../testing/open-test-executions.ts';
import { CLI_CLIENT } from './clients.ts';
import { createOAuthServer } from './create-oauth-server.ts';
import { oauthMigrations } from './migrations.ts';
import type { AuthorizationQuery, OAuthOrigin, OAuthServer } from './port.ts';

const ISSUER = 'http://127.0.0.1:9091';
const RESOURCE = `${ISSUER}/mcp`;
const REDIRECT = 'http://127.0.0.1:7777/callback';
const isOwn = (resource: string) => resource === RESOURCE || resource === ISSUER;
const origin: OAuthOrigin = { issuer: ISSUER, defaultResource: RESOURCE, isOwn };
const SECRET = 'a secret of more than 32 characters.';

let database: Awaited<ReturnType<typeof openTestDatabase>>;
let directory: string;
let now = Date.now();
let keys: KeysService;
let server: OAuthServer & { close(): void };
let admin: Principal;

const open = (secret = SECRET) =>
  createOAuthServer({ db: database.db, log: testLog, secret, isOwnResource: isOwn, onKeysChanged: () => keys.changed(), now: () => now });

beforeAll(async () => {
  database = await openTestDatabase();
  await database.db.migrate('oauth', oauthMigrations);
  directory = await mkdtemp(join(tmpdir(), 'code-executor-oauth-'));
  keys = await createKeys({ db: database.db, log: testLog, now: () => now });
  const file = join(directory, 'admin.key');
  await keys.ensureAdminKey(file);
  const principal = await keys.authenticate((await readFile(file, 'utf8')).trim());
  if (principal === null) throw new Error('The first admin key does not work.');
  admin = principal;
});
beforeEach(() => {
  now = Date.now();
  server?.close();
  server = open();
});
afterAll(async () => {
  server.close();
  await database.remove();
  await rm(directory, { recursive: true, force: true });
});

const verifier = randomBytes(48).toString('base64url');
const challenge = createHash('sha256').update(verifier).digest('base64url');

async function asked(more: AuthorizationQuery = {}) {
  const client = await server.register({ name: 'editor', redirectUris: [REDIRECT] });
  const query = {
    response_type: 'code',
    client_id: client.id,
    redirect_uri: REDIRECT,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    state: 'st',
    scope: 'agent operator admin',
    ...more,
  };
  return { client, query, answer: await server.checkAuthorization(query, origin) };
}

async function consented(human: Principal = admin, role: Role = 'agent') {
  const { client, answer } = await asked();
  if (answer.kind !== 'ask') throw new Error(`not asked: ${JSON.stringify(answer)}`);
  const code = await server.consent(answer.request, human, role);
  const exchange = (more: object = {}) =>
    server.exchangeCode({ clientId: client.id, code, redirectUri: REDIRECT, verifier, resource: RESOURCE, origin, ...more });
  return { client, code, exchange };
}

async function keyOf(role: Role, more: { expiresAt?: string; scopes?: string[] } = {}): Promise<Principal> {
  const { key } = await keys.create(admin, { name: role, role, ...more });
  const principal = await keys.authenticate(key);
  if (principal === null) throw new Error('The key does not work.');
  return principal;
}

test('a code and its verifier give a token that is a principal of its own, with the role that was consented to', async () => {
  const { client, exchange } = await consented(admin, 'operator');
  const { access_token, scope, expires_in } = await exchange();
  expect({ scope, expires_in }).toEqual({ scope: 'operator', expires_in: 600 });
  expect(decodeJwt(access_token)).toMatchObject({ iss: ISSUER, aud: RESOURCE, client_id: client.id, scope: 'operator' });
  const principal = await server.authenticate(access_token);
  expect(principal).toMatchObject({ role: 'operator', workspaceId: admin.workspaceId, name: 'editor (OAuth)' });
  expect(principal?.id).not.toBe(admin.id);
  expect(await keys.find(principal?.id ?? '')).toMatchObject({ role: 'operator', isActive: true });
});

test('no role is above that of the key that consents, and what narrows the key narrows the client', async () => {
  const agent = await keyOf('agent', { scopes: ['execute', 'servers:notes'] });
  const { exchange } = await consented(agent, 'admin');
  const { access_token, scope } = await exchange();
  expect(scope).toBe('agent');
  expect(await server.authenticate(access_token)).toMatchObject({ role: 'agent', scopes: ['execute', 'servers:notes'] });
});

test('a code works once: used again, it ends what it gave', async () => {
  const { exchange } = await consented();
  const { access_token } = await exchange();
  await expect(exchange()).rejects.toMatchObject({ code: 'invalid_grant' });
  expect(await server.authenticate(access_token)).toBeNull();
});

test('a code is for its client, its address, its verifier and one minute', async () => {
  const other = await server.register({ name: 'other', redirectUris: [REDIRECT] });
  const refused = { code: 'invalid_grant' };
  const stolen = await consented();
  await expect(stolen.exchange({ clientId: other.id })).rejects.toMatchObject(refused);
  await expect((await consented()).exchange({ redirectUri: `${REDIRECT}/x` })).rejects.toMatchObject(refused);
  await expect((await consented()).exchange({ verifier: randomBytes(48).toString('base64url') })).rejects.toMatchObject(refused);
  await expect((await consented()).exchange({ verifier: '' })).rejects.toMatchObject(refused);
  await expect((await consented()).exchange({ resource: 'https://elsewhere.example/mcp' })).rejects.toMatchObject({
    code: 'invalid_target',
  });
  const late = await consented();
  now += 61_000;
  await expect(late.exchange()).rejects.toMatchObject(refused);
  // Another client's attempt has not used it up.
  now -= 61_000;
  expect((await stolen.exchange()).token_type).toBe('Bearer');
});

test('a refresh token works once: used again, the grant ends for whoever holds a part of it', async () => {
  const { client, exchange } = await consented();
  const first = await exchange();
  const refresh = (token: string) => server.refresh({ clientId: client.id, token, scope: undefined, origin });
  const second = await refresh(first.refresh_token);
  expect(await server.authenticate(second.access_token)).not.toBeNull();
  await expect(refresh(first.refresh_token)).rejects.toMatchObject({ code: 'invalid_grant' });
  await expect(refresh(second.refresh_token)).rejects.toMatchObject({ code: 'invalid_grant' });
  expect(await server.authenticate(second.access_token)).toBeNull();
});

test('two who refresh at the same moment do not both get tokens', async () => {
  const { client, exchange } = await consented();
  const { refresh_token: token } = await exchange();
  const both = await Promise.allSettled([1, 2].map(() => server.refresh({ clientId: client.id, token, scope: undefined, origin })));
  expect(both.filter(({ status }) => status === 'fulfilled').length).toBeLessThan(2);
});

test('an access token ends after ten minutes, with its grant, and with the key that consented', async () => {
  const short = await (await consented()).exchange();
  now += 601_000;
  expect(await server.authenticate(short.access_token)).toBeNull();

  now = Date.now();
  const { client, exchange } = await consented();
  const tokens = await exchange();
  expect(await server.authenticate(tokens.access_token)).not.toBeNull();
  await server.revokeToken('client_of_somebody_else', tokens.refresh_token);
  expect(await server.authenticate(tokens.access_token)).not.toBeNull();
  await server.revokeToken(client.id, tokens.access_token);
  expect(await server.authenticate(tokens.access_token)).toBeNull();

  const human = await keyOf('operator');
  const theirs = await (await consented(human, 'operator')).exchange();
  expect(await server.authenticate(theirs.access_token)).toMatchObject({ role: 'operator' });
  await keys.revoke(admin, human.id);
  now += 2_100;
  expect(await server.authenticate(theirs.access_token)).toBeNull();
});

test('what a client runs ends with its last grant, and with the key that consented; let in again, it is the same principal', async () => {
  const { client, answer } = await asked();
  if (answer.kind !== 'ask') throw new Error('not asked');
  const { request } = answer;
  const human = await keyOf('operator');
  const letIn = async () => {
    const code = await server.consent(request, human, 'operator');
    return await server.exchangeCode({ clientId: client.id, code, redirectUri: REDIRECT, verifier, resource: RESOURCE, origin });
  };
  const first = await letIn();
  const second = await letIn();
  const id = (await server.authenticate(first.access_token))?.id ?? '';
  await server.revokeToken(client.id, first.refresh_token);
  expect(await keys.find(id)).toMatchObject({ isActive: true });
  await server.revokeToken(client.id, second.refresh_token);
  expect(await keys.find(id)).toMatchObject({ isActive: false });

  const third = await letIn();
  expect((await server.authenticate(third.access_token))?.id).toBe(id);
  expect(await keys.find(id)).toMatchObject({ isActive: true });
  expect(await server.authenticate(first.access_token)).toBeNull();

  // Put out by an admin: what was given before does not come back with what is given anew.
  await keys.revoke(admin, id);
  const fourth = await letIn();
  now += 2_100;
  expect(await server.authenticate(third.access_token)).toBeNull();
  expect((await server.authenticate(fourth.access_token))?.id).toBe(id);

  await keys.revoke(admin, human.id);
  expect(await keys.find(id)).toMatchObject({ isActive: false });
});

test('another gateway notices a revoked grant within two seconds, and has the same keys', async () => {
  const other = open();
  try {
    const { exchange } = await consented();
    const { access_token } = await exchange();
    const principal = await other.authenticate(access_token);
    expect(principal).not.toBeNull();
    const grant = (await server.listGrants(admin)).find(({ principalId }) => principalId === principal?.id);
    expect(await server.revokeGrant(admin, grant?.id ?? '')).toMatchObject({ revokedAt: expect.any(String) });
    now += 2_100;
    expect(await other.authenticate(access_token)).toBeNull();
    expect(await other.publishedKeys()).toEqual(await server.publishedKeys());
  } finally {
    other.close();
  }
});

test('the same human and client again are the same principal, and one workspace sees nothing of another', async () => {
  const { client, answer } = await asked();
  if (answer.kind !== 'ask') throw new Error('not asked');
  const ids = await Promise.all(
    [1, 2].map(async () => {
      const code = await server.consent(answer.request, admin, 'agent');
      const tokens = await server.exchangeCode({
        clientId: client.id,
        code,
        redirectUri: undefined,
        verifier,
        resource: undefined,
        origin,
      });
      return (await server.authenticate(tokens.access_token))?.id;
    }),
  );
  expect(ids[0]).toBeDefined();
  const [grant] = await server.listGrants(admin);
  expect(await server.revokeGrant({ ...admin, workspaceId: 'wsp_other' }, grant?.id ?? '')).toBeNull();
  expect(await server.listGrants({ ...admin, workspaceId: 'wsp_other' })).toEqual([]);
});

test('no token of another signer, algorithm, audience or kind is taken', async () => {
  const { exchange } = await consented();
  const { access_token } = await exchange();
  const [header = '', payload = '', signature = ''] = access_token.split('.');
  const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).toString('base64url');
  const [published] = await server.publishedKeys();
  const byPublicKey = await new SignJWT(decodeJwt(access_token))
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: String(published?.kid) })
    .sign(new TextEncoder().encode(JSON.stringify(published)));
  const other = createOAuthServer({ db: database.db, log: testLog, secret: SECRET, isOwnResource: () => false, now: () => now });
  try {
    for (const token of [
      `${none}.${payload}.`,
      `${header}.${payload}.${signature.slice(0, -4)}AAAA`,
      byPublicKey,
      `${header}.e30.${signature}`,
      'a.b.c',
      '',
    ]) {
      expect(await server.authenticate(token)).toBeNull();
    }
    expect(await other.authenticate(access_token)).toBeNull();
  } finally {
    other.close();
  }
});

test('keys outlive a restart; with another secret they verify, and a new one signs', async () => {
  const { exchange } = await consented();
  const { access_token, refresh_token } = await exchange();
  server.close();
  server = open('another secret of more than 32 characters');
  expect(await server.authenticate(access_token)).not.toBeNull();
  const clientId = String(decodeJwt(access_token).client_id);
  const renewed = await server.refresh({ clientId, token: refresh_token, scope: undefined, origin });
  expect(await server.authenticate(renewed.access_token)).not.toBeNull();
  expect(await server.publishedKeys()).toHaveLength(2);
  expect(
    JSON.stringify(
      await database.db.query<{ oauth_signing_keys: { sealed_private: string } }>().selectFrom('oauth_signing_keys').selectAll().execute(),
    ),
  ).not.toMatch(/\\"d\\":/);
});

test.each<[string, AuthorizationQuery, string]>([
  ['no PKCE', { code_challenge: undefined }, 'invalid_request'],
  ['plain PKCE', { code_challenge_method: 'plain' }, 'invalid_request'],
  ['the implicit flow', { response_type: 'token' }, 'unsupported_response_type'],
  ['a scope there is not', { scope: 'root' }, 'invalid_scope'],
  ['another resource', { resource: 'https://elsewhere.example' }, 'invalid_target'],
])('%s is told to the client at its own address, with its state', async (_name, more, code) => {
  expect((await asked(more)).answer).toMatchObject({ kind: 'redirect', code, redirectUri: REDIRECT, state: 'st' });
});

test.each([
  'https://evil.example/callback',
  `${REDIRECT}/../x`,
  `${REDIRECT}?x=1`,
  'http://127.0.0.1.evil.example:7777/callback',
  'http://user@127.0.0.1:7777/callback',
  'http://127.0.0.1:7777/callback#f',
  'http://localhost:7777/callback',
])('an address that was not registered is never redirected to: %s', async (redirectUri) => {
  expect((await asked({ redirect_uri: redirectUri })).answer.kind).toBe('page');
  expect((await asked({ client_id: 'client_unknown', redirect_uri: redirectUri })).answer.kind).toBe('page');
});

test('a loopback address may come with another port, nothing else may', async () => {
  expect((await asked({ redirect_uri: 'http://127.0.0.1:50123/callback' })).answer).toMatchObject({ kind: 'ask' });
});

test.each([
  'javascript:alert(1)',
  'data:text/html,x',
  'http://example.com/cb',
  'https://x.example/#f',
  'ftp://x.example',
  '/relative',
  'https://x.example/ a',
  '',
])('nobody registers %j', async (redirectUri) => {
  await expect(server.register({ redirectUris: [redirectUri] })).rejects.toMatchObject({ code: 'invalid_redirect_uri' });
});

test('a device is let in by the code that a human entered, once', async () => {
  const begin = () => server.beginDevice({ clientId: CLI_CLIENT.id, scope: 'operator', resource: undefined, origin });
  const { deviceCode, userCode } = await begin();
  const poll = () => server.pollDevice({ clientId: CLI_CLIENT.id, deviceCode, origin });
  await expect(poll()).rejects.toMatchObject({ code: 'authorization_pending' });
  await expect(poll()).rejects.toMatchObject({ code: 'slow_down' });
  expect(await server.findDevice(userCode)).toMatchObject({ clientName: 'executor CLI', role: 'operator' });
  expect(await server.decideDevice(userCode, admin, 'admin')).toBe(true);
  expect(await server.findDevice(userCode)).toBeNull();
  const tokens = await poll();
  expect(tokens.scope).toBe('operator');
  await expect(poll()).rejects.toMatchObject({ code: 'invalid_grant' });

  const refused = await begin();
  expect(await server.decideDevice(refused.userCode, admin, null)).toBe(true);
  await expect(server.pollDevice({ clientId: CLI_CLIENT.id, deviceCode: refused.deviceCode, origin })).rejects.toMatchObject({
    code: 'access_denied',
  });

  const late = await begin();
  now += 601_000;
  expect(await server.decideDevice(late.userCode, admin, 'agent')).toBe(false);
  await expect(server.pollDevice({ clientId: CLI_CLIENT.id, deviceCode: late.deviceCode, origin })).rejects.toMatchObject({
    code: 'expired_token',
  });
});

test('a client that nobody let in is forgotten after a day; one that was let in stays', async () => {
  const { client: unused } = await asked();
  const { client: used, exchange } = await consented();
  await exchange();
  now += 25 * 60 * 60 * 1000;
  await server.register({ name: 'next', redirectUris: [REDIRECT] });
  const known = async (id: string) =>
    (await server.checkAuthorization({ client_id: id, response_type: 'code', redirect_uri: REDIRECT }, origin)).kind;
  expect(await known(unused.id)).toBe('page');
  expect(await known(used.id)).toBe('redirect');
});

test('revoking the last real admin key is refused, however many OAuth clients are admins', async () => {
  await (await consented(admin, 'admin')).exchange();
  await expect(keys.revoke(admin, admin.id)).rejects.toMatchObject({ code: 'LAST_ADMIN_KEY' });
});
