import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_WORKSPACE_ID, type Principal } from '@code-executor/contracts';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openTestDatabase, testLog } from '../testing/open-test-executions.ts';
import { createKeys, type KeysService } from './create-keys.ts';

let database: Awaited<ReturnType<typeof openTestDatabase>>;
let directory: string;
let now = Date.now();
let keys: KeysService;
let admin: Principal;
let file: string;

const open = (): Promise<KeysService> => createKeys({ db: database.db, log: testLog, now: () => now });

beforeAll(async () => {
  database = await openTestDatabase();
  directory = await mkdtemp(join(tmpdir(), 'code-executor-keys-'));
  file = join(directory, 'admin.key');
});

afterAll(async () => {
  await database.remove();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  await database.db.query<{ api_keys: { id: string } }>().deleteFrom('api_keys').execute();
  await rm(file, { force: true });
  now = Date.now();
  keys = await open();
  await keys.ensureAdminKey(file);
  const principal = await keys.authenticate((await readFile(file, 'utf8')).trim());
  if (principal === null) throw new Error('The first admin key does not work.');
  admin = principal;
});

test('the first admin key lies bare in its file, for its owner alone, and nowhere in the database', async () => {
  const text = await readFile(file, 'utf8');
  expect(text).toMatch(/^cex_[\w-]{43}\n$/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(admin).toMatchObject({ workspaceId: DEFAULT_WORKSPACE_ID, role: 'admin' });
  const rows = await database.db.query<{ api_keys: { id: string } }>().selectFrom('api_keys').selectAll().execute();
  expect(JSON.stringify(rows)).not.toContain(text.trim());
});

test('a second start leaves the key as it is', async () => {
  const before = await readFile(file, 'utf8');
  expect(await (await open()).ensureAdminKey(file)).toEqual({ created: false });
  expect(await readFile(file, 'utf8')).toBe(before);
});

test.each([
  ['is missing', undefined],
  ['holds something else', 'hello\n'],
  ['holds a key of another database', `cex_${'A'.repeat(43)}\n`],
])('where the file %s a new admin key is made, and the old one goes on working', async (_title, content) => {
  const before = (await readFile(file, 'utf8')).trim();
  await rm(file);
  if (content !== undefined) await writeFile(file, content);
  const restarted = await open();
  expect(await restarted.ensureAdminKey(file)).toEqual({ created: true });
  const after = (await readFile(file, 'utf8')).trim();
  expect(after).not.toBe(before);
  expect(await restarted.authenticate(after)).toMatchObject({ role: 'admin' });
  expect(await restarted.authenticate(before)).toMatchObject({ role: 'admin' });
});

test('in a fleet, which is handed its file, a first admin key that was revoked stays in it, stays revoked, and does not stop the start', async () => {
  const before = await readFile(file, 'utf8');
  const second = await keys.create(admin, { name: 'mine', role: 'admin' });
  await keys.revoke({ ...admin, id: second.id }, admin.id);
  const restarted = await createKeys({ db: database.db, log: testLog, now: () => now, announce: () => Promise.resolve() });
  try {
    expect(await restarted.ensureAdminKey(file)).toEqual({ created: false });
    expect(await readFile(file, 'utf8')).toBe(before);
    expect(await restarted.authenticate(before.trim())).toBeNull();
    expect(await restarted.authenticate(second.key)).toMatchObject({ role: 'admin' });
  } finally {
    restarted.close();
  }
});

test('a file that cannot be written leaves no key behind', async () => {
  const before = (await keys.list(admin)).length;
  await expect((await open()).ensureAdminKey(join(directory, 'missing', 'admin.key'))).rejects.toThrow('Cannot write the admin key file');
  expect(await keys.list(admin)).toHaveLength(before);
});

test('a created key works at once and after a restart, and shows itself only once', async () => {
  const created = await keys.create(admin, { name: 'ci', role: 'agent' });
  expect(await keys.authenticate(created.key)).toEqual({
    ...{ id: created.id, workspaceId: DEFAULT_WORKSPACE_ID, role: 'agent', name: 'ci', scopes: null },
  });
  expect(await (await open()).authenticate(created.key)).toMatchObject({ id: created.id });
  const listed = (await keys.list(admin)).find(({ id }) => id === created.id);
  expect(listed).toEqual({
    id: created.id,
    name: 'ci',
    role: 'agent',
    createdAt: created.createdAt,
    expiresAt: null,
    revokedAt: null,
    scopes: null,
  });
});

test('a revoked key stops working at once, here and after a restart', async () => {
  const created = await keys.create(admin, { name: 'ci', role: 'agent' });
  const revoked = await keys.revoke(admin, created.id);
  expect(revoked.revokedAt).not.toBeNull();
  expect(await keys.authenticate(created.key)).toBeNull();
  expect(await (await open()).authenticate(created.key)).toBeNull();
  expect(await keys.revoke(admin, created.id)).toEqual(revoked);
});

test('a key stops working the moment it expires', async () => {
  const created = await keys.create(admin, { name: 'ci', role: 'agent', expiresAt: new Date(now + 1_000).toISOString() });
  now += 999;
  expect(await keys.authenticate(created.key)).not.toBeNull();
  now += 1;
  expect(await keys.authenticate(created.key)).toBeNull();
});

test.each(['', 'cex_', `cex_${'A'.repeat(43)}`, `cex_${'A'.repeat(44)}`, `cex_${'é'.repeat(43)}`, 'x'.repeat(100_000)])(
  'a key that was never given out is nobody',
  async (key) => {
    expect(await keys.authenticate(key)).toBeNull();
  },
);

test('only an admin manages keys', async () => {
  for (const role of ['operator', 'agent'] as const) {
    const principal = { ...admin, role };
    await expect(keys.create(principal, { name: 'x', role: 'agent' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(keys.revoke(principal, admin.id)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(keys.list(principal)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  }
});

test('the last admin key cannot be revoked, not even by two who revoke each other', async () => {
  await expect(keys.revoke(admin, admin.id)).rejects.toMatchObject({ code: 'LAST_ADMIN_KEY' });
  const second = await keys.create(admin, { name: 'second', role: 'admin' });
  const results = await Promise.allSettled([keys.revoke(admin, second.id), keys.revoke({ ...admin, id: second.id }, admin.id)]);
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
});

test('an admin key that has expired does not count as another', async () => {
  await keys.create(admin, { name: 'short', role: 'admin', expiresAt: new Date(now + 1_000).toISOString() });
  now += 2_000;
  await expect(keys.revoke(admin, admin.id)).rejects.toMatchObject({ code: 'LAST_ADMIN_KEY' });
});

test("another workspace's key cannot be revoked", async () => {
  const created = await keys.create(admin, { name: 'ci', role: 'agent' });
  await expect(keys.revoke({ ...admin, workspaceId: 'wsp_other' }, created.id)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
  expect(await keys.authenticate(created.key)).not.toBeNull();
});

test.each([
  [{ name: '', role: 'agent' as const }],
  [{ name: 'a\nb', role: 'agent' as const }],
  [{ name: 'x', role: 'root' as 'agent' }],
  [{ name: 'x', role: 'agent' as const, expiresAt: 'soon' }],
  [{ name: 'x', role: 'agent' as const, expiresAt: '2001-01-01T00:00:00Z' }],
])('%j is refused', async (key) => {
  await expect(keys.create(admin, key)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
});
