import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConnectionAuth, DEFAULT_WORKSPACE_ID, type Principal } from '@code-executor/contracts';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openSeal } from '../integrations/seal.ts';
import { openTestConnections, type TestConnections, type TestProcess } from '../testing/open-test-connections.ts';
import { startUpstream, type Upstream } from '../testing/upstream.ts';
import { startVault, type TestVault, VAULT_APPROLE, VAULT_TOKEN } from '../testing/vault-server.ts';
import type { SecurityScheme } from './port.ts';

const ADMIN: Principal = { id: 'key_admin', workspaceId: DEFAULT_WORKSPACE_ID, role: 'admin' };
const OPERATOR: Principal = { id: 'key_operator', workspaceId: DEFAULT_WORKSPACE_ID, role: 'operator' };
const AGENT: Principal = { id: 'key_agent', workspaceId: DEFAULT_WORKSPACE_ID, role: 'agent' };
const SCHEMES: readonly SecurityScheme[] = [
  { name: 'appKey', type: 'apiKey', in: 'query', parameter: 'app_key' },
  { name: 'session', type: 'apiKey', in: 'cookie', parameter: 'SID' },
];
let upstream: Upstream;
let bed: TestConnections;
let service: TestProcess;
let count = 0;

beforeAll(async () => {
  upstream = await startUpstream((request, response) => {
    response
      .writeHead(request.headers.authorization === 'Bearer good-token-1' ? 200 : 401)
      .end(`not with ${request.headers.authorization}`);
  });
  bed = await openTestConnections(upstream.origin, { schemes: SCHEMES });
  service = await bed.open();
});
afterAll(async () => {
  await bed.close();
  await upstream[Symbol.asyncDispose]();
});

/** What a new connection of this auth adds to a request. */
async function credentialOf(auth: ConnectionAuth, from = service) {
  count += 1;
  await from.add(`n${count}`, auth);
  return from.credential(`n${count}`);
}

describe('a credential goes where its type says', () => {
  const cases: [string, ConnectionAuth, object][] = [
    ['bearer', { type: 'bearer', token: 'tok-123456' }, { headers: { authorization: 'Bearer tok-123456' }, secrets: ['tok-123456'] }],
    [
      'basic',
      { type: 'basic', username: 'ann', password: 'pass:word' },
      { headers: { authorization: 'Basic YW5uOnBhc3M6d29yZA==' }, secrets: ['pass:word', 'YW5uOnBhc3M6d29yZA=='] },
    ],
    ['apiKey in a header', { type: 'apiKey', value: 'key-1234', in: 'header', name: 'X-Key' }, { headers: { 'x-key': 'key-1234' } }],
    ['api_key by the name of its scheme', { type: 'api_key', key: 'key-1234', scheme: 'session' }, { cookies: { SID: 'key-1234' } }],
    ['apiKey by where its scheme is', { type: 'apiKey', token: 'key-1234', in: 'query' }, { query: { app_key: 'key-1234' } }],
    [
      'headers',
      { type: 'headers', headers: { Authorization: 'Token abcd1234', 'X-Org': 'org-77' } },
      { headers: { authorization: 'Token abcd1234', 'x-org': 'org-77' }, secrets: ['Token abcd1234', 'abcd1234', 'org-77'] },
    ],
  ];
  test.each(cases)('%s', async (_type, auth, expected) => {
    expect(await credentialOf(auth)).toMatchObject(expected);
  });

  test('and what cannot be used is refused by name, never by value', async () => {
    const wrong: [ConnectionAuth, RegExp][] = [
      [{ type: 'apiKey', value: 'secret-value-1' }, /auth.scheme: api declares several API key schemes; name one: appKey, session/],
      [{ type: 'apiKey', value: 'secret-value-1', scheme: 'nothing' }, /auth.scheme/],
      [{ type: 'apiKey', value: 'secret-value-1', key: 'secret-value-2' }, /once/],
      [{ type: 'apiKey', value: 'secret-value-1', in: 'header', name: 'Host' }, /the header Host/],
      [{ type: 'headers', headers: { 'Transfer-Encoding': 'secret-value-1' } }, /Transfer-Encoding/],
      [{ type: 'headers', headers: {} }, /1 to 32/],
      [{ type: 'oauth2', grant: 'client_credentials', clientSecret: 'secret-value-1' }, /clientId and auth.clientSecret/],
      [{ type: 'bearer', token: { provider: 'vault', key: 'secret/a#b' } }, /EXECUTOR_VAULT_ADDR/],
    ];
    for (const [auth, message] of wrong) {
      const refused: unknown = await service.add('wrong', auth).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringMatching(message) });
      expect(String(refused)).not.toContain('secret-value');
    }
    for (const token of ['line\nbreak', 'snow\u2603man', 'trailing\n', '\ttab in front'])
      await expect(service.add('wrong', { type: 'headers', headers: { 'X-Key': token } })).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
        message: expect.stringContaining('characters that a header cannot carry'),
      });
  });
});

describe('which connection a call is made with', () => {
  test('the named one, else the default of the principal, else that of the workspace, else none', async () => {
    const other = await openTestConnections(upstream.origin);
    try {
      const here = await other.open();
      const token = async (name: string | null, principal?: string) =>
        (await here.credential(name, principal))?.headers.authorization ?? null;
      expect(await token(null)).toBeNull();
      expect(await here.add('main', { type: 'bearer', token: 'tok-main' })).toMatchObject({ default: true });
      expect(await here.add('second', { type: 'bearer', token: 'tok-second' })).toMatchObject({ default: false });
      const own = await here.add('main', { type: 'bearer', token: 'tok-own' }, { principalId: AGENT.id });
      expect(own).toMatchObject({ default: true, principalId: AGENT.id });
      expect([await token(null), await token('second'), await token(null, AGENT.id), await token('main', AGENT.id)]).toEqual([
        'Bearer tok-main',
        'Bearer tok-second',
        'Bearer tok-own',
        'Bearer tok-own',
      ]);
      expect(await token('second', AGENT.id)).toBe('Bearer tok-second');
      await expect(here.add('main', { type: 'bearer', token: 'x' })).rejects.toMatchObject({ code: 'CONNECTION_EXISTS' });
      const third = await here.add('third', { type: 'bearer', token: 'tok-third' }, { default: true });
      expect(await token(null)).toBe('Bearer tok-third');
      // A process that knew nothing of it looks, and a removed one is gone.
      const there = await other.open();
      await here.add('late', { type: 'bearer', token: 'tok-late' });
      expect((await there.credential('late'))?.headers.authorization).toBe('Bearer tok-late');
      await here.administration.removeConnection(ADMIN, third.id);
      expect(await token(null)).toBeNull();
      await expect(token('third')).rejects.toMatchObject({
        code: 'CONNECTION_NOT_FOUND',
        details: { connections: ['main', 'second', 'late'] },
      });
      await here.connections.removeOf('api');
      expect((await here.administration.listConnections(ADMIN, { limit: 10 })).total).toBe(0);
    } finally {
      await other.close();
    }
  });

  test('many that are made at the same moment leave one default', async () => {
    const other = await openTestConnections(upstream.origin);
    try {
      const processes = await Promise.all([other.open(), other.open(), other.open()]);
      const made = await Promise.all(
        Array.from({ length: 12 }, (_, index) => processes[index % 3]?.add(`c${index}`, { type: 'bearer', token: 'x' })),
      );
      expect(made.filter((record) => record?.default)).toHaveLength(1);
      const page = await processes[0].administration.listConnections(ADMIN, { limit: 5 });
      expect(page).toMatchObject({ total: 12, items: { length: 5 } });
      const rest = await processes[1].administration.listConnections(ADMIN, { limit: 20, cursor: page.nextCursor ?? '' });
      expect(rest).toMatchObject({ items: { length: 7 }, nextCursor: null });
    } finally {
      await other.close();
    }
  });
});

describe('who may do what', () => {
  test('an agent nothing, an operator its own, an admin all', async () => {
    const shared = await service.add('shared', { type: 'bearer', token: 'tok-shared' });
    const body = { integration: 'api', name: 'op', auth: { type: 'bearer' as const, token: 'tok-op' } };
    const { administration } = service;
    for (const act of [
      () => administration.listConnections(AGENT, { limit: 1 }),
      () => administration.addConnection(AGENT, { ...body, owner: 'principal' }),
      () => administration.removeConnection(AGENT, shared.id),
      () => administration.listProviders(AGENT),
      () => administration.addConnection(OPERATOR, { ...body, owner: 'workspace' }),
      () => administration.addConnection(OPERATOR, { ...body, owner: 'principal', principalId: ADMIN.id }),
      () => administration.changeConnection(OPERATOR, shared.id, { default: true }),
      () => administration.removeConnection(OPERATOR, shared.id),
      () => administration.validateConnection(OPERATOR, shared.id, AbortSignal.timeout(5_000)),
      () => administration.resealSecrets(OPERATOR, false),
    ])
      await expect(act()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const own = await administration.addConnection(OPERATOR, { ...body, owner: 'principal' });
    expect(own).toMatchObject({ principalId: OPERATOR.id });
    const another: Principal = { ...OPERATOR, id: 'key_another' };
    await expect(administration.getConnection(another, own.id)).rejects.toMatchObject({ code: 'CONNECTION_NOT_FOUND' });
    expect((await administration.getConnection(ADMIN, own.id)).id).toBe(own.id);
  });
});

describe('validating', () => {
  test('tells what is good, what is refused, and what is not reached, without repeating the value', async () => {
    const good = await service.add('good', { type: 'bearer', token: 'good-token-1' });
    const bad = await service.add('bad', { type: 'bearer', token: 'bad-token-19e2' });
    const check = (id: string) => service.administration.validateConnection(ADMIN, id, AbortSignal.timeout(10_000));
    expect(await check(good.id)).toEqual({ outcome: 'ok', status: 200, message: null });
    const refused = await check(bad.id);
    expect(refused).toMatchObject({ outcome: 'refused', status: 401, message: 'not with Bearer [secret]' });
    const nowhere = await openTestConnections('http://127.0.0.1:9');
    try {
      const there = await nowhere.open();
      const { id } = await there.add('x', { type: 'bearer', token: 'tok-nowhere' });
      expect(await there.administration.validateConnection(ADMIN, id, AbortSignal.timeout(10_000))).toMatchObject({
        outcome: 'unreachable',
        status: null,
      });
    } finally {
      await nowhere.close();
    }
  });
});

describe('a value that lies elsewhere', () => {
  test('in a file is read at each use, follows the links of Kubernetes, and never leaves its directory', async () => {
    const directory = join(bed.dir, 'secret-files');
    await mkdir(join(directory, '..2026_01'), { recursive: true });
    await writeFile(join(directory, '..2026_01', 'token'), 'from-a-file-1\n');
    await symlink('..2026_01', join(directory, '..data'));
    await symlink('..data/token', join(directory, 'token'));
    await writeFile(join(bed.dir, 'outside'), 'outside');
    await symlink('../outside', join(directory, 'escape'));
    await symlink('/etc', join(directory, 'etc'));
    await writeFile(join(directory, 'empty'), '\n');
    await writeFile(join(directory, 'large'), 'x'.repeat(70_000));
    const there = await bed.open({ secrets: { filesDirs: [join(bed.dir, 'nowhere'), directory], vault: null, cacheMs: 0 } });
    const read = (key: string) => credentialOf({ type: 'bearer', token: { provider: 'file', key } }, there);
    expect(await read('token')).toMatchObject({ headers: { authorization: 'Bearer from-a-file-1' } });
    await writeFile(join(directory, '..2026_01', 'token'), 'from-a-file-2');
    expect(await there.credential(`n${count}`)).toMatchObject({ headers: { authorization: 'Bearer from-a-file-2' } });
    for (const key of [
      '../outside',
      'escape',
      'etc/passwd',
      '/etc/passwd',
      './token',
      'a//b',
      '..',
      '.',
      'empty',
      'large',
      'etc',
      'none',
      'tok\0en',
    ])
      await expect(read(key)).rejects.toMatchObject({ code: 'CONNECTION_BROKEN' });
  });

  test("in the environment is one of the operator's own variables, and no other", async () => {
    const environment = { EXECUTOR_SECRET_GITHUB: 'from-env', EXECUTOR_SECRET_FILES_DIR: '/srv', EXECUTOR_GRANT_KEY: 'no', HOME: '/root' };
    const there = await bed.open({ environment });
    const read = (key: string) => credentialOf({ type: 'bearer', token: { provider: 'env', key } }, there);
    expect(await read('GITHUB')).toMatchObject({ headers: { authorization: 'Bearer from-env' } });
    expect(await read('EXECUTOR_SECRET_GITHUB')).toMatchObject({ headers: { authorization: 'Bearer from-env' } });
    for (const key of ['HOME', 'FILES_DIR', 'EXECUTOR_GRANT_KEY', 'EXECUTOR_SECRET_FILES_DIR', '__proto__', ''])
      await expect(read(key || 'NOTHING')).rejects.toMatchObject({ code: 'CONNECTION_BROKEN' });
    expect(await there.administration.listProviders(ADMIN)).toMatchObject([
      { kind: 'sealed', configured: true },
      { kind: 'file', configured: false },
      { kind: 'env', configured: true },
      { kind: 'vault', configured: false },
    ]);
  });
});

describe('a value in Vault', () => {
  let vault: TestVault;
  beforeAll(async () => {
    vault = await startVault();
    vault.secrets.set('secret/team/github', { token: 'kv2-value', number: 5 });
    vault.secrets.set('old/slack', { value: 'kv1-value' });
  });
  afterAll(() => vault.close());
  const login = (cacheMs: number, token: string | null = VAULT_TOKEN) =>
    bed.open({
      secrets: {
        filesDirs: [],
        cacheMs,
        vault: {
          address: vault.url,
          namespace: null,
          login: token === null ? { method: 'approle', ...VAULT_APPROLE, mount: 'approle' } : { method: 'token', token },
        },
      },
    });
  const read = (there: TestProcess, key: string) => credentialOf({ type: 'bearer', token: { provider: 'vault', key } }, there);

  test('is read from both engines, once while it is kept', async () => {
    const there = await login(60_000);
    expect(await read(there, 'secret/team/github#token')).toMatchObject({ headers: { authorization: 'Bearer kv2-value' } });
    expect(await read(there, 'old/slack')).toMatchObject({ headers: { authorization: 'Bearer kv1-value' } });
    const before = vault.requests.length;
    await Promise.all(Array.from({ length: 20 }, () => there.credential(`n${count}`)));
    expect(vault.requests.length).toBe(before);
    for (const key of [
      'secret/team/github#number',
      'secret/team/github#none',
      'secret/none#x',
      'secret',
      '../sys/seal#x',
      'secret/../sys#x',
      'secret/a?b#x',
    ])
      await expect(read(there, key)).rejects.toMatchObject({ code: 'CONNECTION_BROKEN' });
  });

  test('is read again after a new login when the token was revoked, and renewed while nobody reads', async () => {
    vault.tokenSeconds = 2;
    const there = await login(0, null);
    expect(await read(there, 'secret/team/github#token')).toMatchObject({ headers: { authorization: 'Bearer kv2-value' } });
    await vi.waitFor(() => expect(vault.requests).toContain('POST auth/token/renew-self'), 10_000);
    vault.revoke();
    expect(await there.credential(`n${count}`)).toMatchObject({ headers: { authorization: 'Bearer kv2-value' } });
    await there.close();
  });

  test('that is sealed or refuses us says which, without a token', async () => {
    const there = await login(0, 'hvs.wrong-token-31');
    const refused: unknown = await read(there, 'secret/team/github#token').catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'CONNECTION_BROKEN', message: expect.stringContaining('HTTP 403') });
    expect(String(refused)).not.toContain('hvs.');
    vault.sealed = true;
    await expect(read(there, 'secret/team/github#token')).rejects.toMatchObject({ code: 'CONNECTION_UNAVAILABLE' });
    vault.sealed = false;
  });
});

describe('the seal key', () => {
  test('is rotated while the service works: every row is under the new key, nothing is lost, and a cut is made good by the next start', async () => {
    const other = await openTestConnections(upstream.origin);
    try {
      const [first, second] = [await other.open(), await other.open()];
      for (let index = 0; index < 20; index += 1) await first.add(`c${index}`, { type: 'bearer', token: `tok-${index}-${'k'.repeat(20)}` });
      const rotating = second.administration.resealSecrets(ADMIN, true);
      const readAll = () => Promise.all(Array.from({ length: 20 }, (_, index) => first.credential(`c${index}`)));
      const during = readAll();
      const { keyId, keys, total } = await rotating;
      expect({ keys, total }).toEqual({ keys: 2, total: 20 });
      const expected = Array.from({ length: 20 }, (_, index) => ({ headers: { authorization: `Bearer tok-${index}-${'k'.repeat(20)}` } }));
      expect(await during).toMatchObject(expected);
      await first.connections.reload();
      expect(await readAll()).toMatchObject(expected);
      const sealed = async () =>
        (await sql<{ sealed: string }>`select sealed_values as sealed from connections`.execute(other.db.query())).rows.map(
          (row) => row.sealed,
        );
      expect((await sealed()).every((text) => text.startsWith(`v2.${keyId}.`))).toBe(true);
      expect(await second.administration.resealSecrets(ADMIN, false)).toMatchObject({ keyId, resealed: 0, total: 20 });
      // As if a rotation had been cut off behind the key file.
      await (await openSeal(join(other.dir, 'seal.key'))).keys.add();
      const third = await other.open();
      expect((await sealed()).some((text) => text.startsWith(`v2.${keyId}.`))).toBe(false);
      expect(await third.credential('c0')).toMatchObject(expected[0] ?? {});
    } finally {
      await other.close();
    }
  });

  test('of another service, or a row that was moved, makes a connection say what to do', async () => {
    const { id } = await service.add('moved', { type: 'bearer', token: 'tok-moved-1' });
    await sql`update connections set settings = replace(settings, 'bearer', 'basic') where id = ${id}`.execute(bed.db.query());
    await service.connections.reload();
    await expect(service.credential('moved')).rejects.toMatchObject({
      code: 'CONNECTION_BROKEN',
      message: expect.stringContaining(`PATCH /connections/${id}`),
    });
  });
});
