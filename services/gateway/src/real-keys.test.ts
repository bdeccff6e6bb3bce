import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKeys, executionMigrations } from '@code-executor/executions';
import { createLogger, openDatabase } from '@code-executor/platform';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildGateway } from './app.ts';
import { MemoryAudit } from './testing/memory-audit.ts';
import { MemoryExecutions } from './testing/memory-executions.ts';
import { MemoryTools } from './testing/memory-tools.ts';

const log = createLogger({ level: 'silent', service: 'test' });
let directory: string;
let close: () => Promise<void>;
let ask: (
  key: string,
  method: 'GET' | 'POST' | 'DELETE',
  url: string,
  body?: object,
) => Promise<{ status: number; body: Record<string, unknown> }>;
let adminKey: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'code-executor-gateway-'));
  const db = await openDatabase({ directory: join(directory, 'db'), log });
  await db.migrate('executions', executionMigrations);
  const keys = await createKeys({ db, log });
  await keys.ensureAdminKey(join(directory, 'admin.key'));
  adminKey = (await readFile(join(directory, 'admin.key'), 'utf8')).trim();
  const app = await buildGateway({
    executions: new MemoryExecutions(),
    keys,
    tools: new MemoryTools(),
    audit: new MemoryAudit(),
    config: {},
    log,
    poolStats: () => ({ hits: 0, misses: 0, warm: {} }),
    version: '0',
    startedAt: Date.now(),
  });
  ask = async (key, method, url, body) => {
    const response = await app.inject({ method, url, headers: { authorization: `Bearer ${key}` }, ...(body ? { payload: body } : {}) });
    return { status: response.statusCode, body: response.body === '' ? {} : response.json() };
  };
  close = async () => {
    await app.close();
    await db.close();
  };
});
afterAll(async () => {
  await close();
  await rm(directory, { recursive: true, force: true });
});

describe('the keys that are kept in the database', () => {
  it('the first admin key makes others, which may do what their role says until they are revoked', async () => {
    const made = await ask(adminKey, 'POST', '/keys', { name: 'ci', role: 'agent', expiresAt: '2099-01-01T00:00:00+02:00' });
    expect(made).toMatchObject({
      status: 201,
      body: { name: 'ci', role: 'agent', expiresAt: '2098-12-31T22:00:00.000Z', revokedAt: null },
    });
    const key = String(made.body.key);
    expect((await ask(key, 'GET', '/tools')).status).toBe(200);
    expect((await ask(key, 'GET', '/keys')).status).toBe(403);
    expect((await ask(adminKey, 'DELETE', `/keys/${made.body.id}`)).status).toBe(200);
    expect(await ask(key, 'GET', '/tools')).toMatchObject({
      status: 401,
      body: { error: { message: 'This key is unknown, expired or revoked.' } },
    });
    const { body } = await ask(adminKey, 'GET', '/keys');
    expect(body).toMatchObject({ total: 2 });
    expect(JSON.stringify(body)).not.toContain(key);
  });

  it('the last admin key cannot be revoked', async () => {
    const { body } = await ask(adminKey, 'GET', '/keys');
    const admin = (body.items as { id: string; role: string }[]).find(({ role }) => role === 'admin');
    expect(await ask(adminKey, 'DELETE', `/keys/${admin?.id}`)).toMatchObject({ status: 409, body: { error: { code: 'LAST_ADMIN_KEY' } } });
    expect(await ask(adminKey, 'DELETE', '/keys/key_00000000000000000000000000')).toMatchObject({
      status: 404,
      body: { error: { code: 'KEY_NOT_FOUND' } },
    });
  });
});
