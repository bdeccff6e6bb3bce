import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, openDatabase } from '@code-executor/platform';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DAY_MS, insertOld, journalCounts } from '../../../test/history/old-executions.ts';
import { dockerAnswers, startPostgres, startRedis, type TestContainer } from '../../../test/support/containers.ts';
import { runService, type SpawnedService, spawnService } from './testing/spawn-service.ts';

const reachable = await dockerAnswers();
const secret = () => randomBytes(32).toString('base64url');
const PROGRAM = { language: 'typescript', code: 'return 1' };

describe.skipIf(!reachable)(`gateways of a fleet${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  const adminKey = `cex_${secret()}`;
  let directory: string;
  let postgres: TestContainer;
  let redis: TestContainer;
  let proxy: SpawnedService;
  let one: SpawnedService;
  let other: SpawnedService;
  let environment: Record<string, string>;
  let proxyEnvironment: Record<string, string>;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'code-executor-gateways-'));
    [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    const gatewayKey = secret();
    const keyFile = join(directory, 'gateway-key');
    const adminKeyFile = join(directory, 'admin.key');
    await Promise.all([writeFile(keyFile, `${gatewayKey}\n`), writeFile(adminKeyFile, `${adminKey}\n`, { mode: 0o400 })]);
    const stores = { DATABASE_URL: postgres.url, REDIS_URL: redis.url, EXECUTOR_PORT: '0' };
    proxyEnvironment = {
      ...stores,
      EXECUTOR_DATA_DIR: join(directory, 'proxy'),
      EXECUTOR_GATEWAY_INTERNAL_KEY: gatewayKey,
      EXECUTOR_WORKER_INTERNAL_KEY: secret(),
      EXECUTOR_GRANT_KEY: secret(),
    };
    proxy = await spawnService('mcp-proxy', proxyEnvironment);
    environment = {
      ...stores,
      EXECUTOR_PROXY_URL: proxy.url,
      EXECUTOR_GATEWAY_INTERNAL_KEY_FILE: keyFile,
      EXECUTOR_ADMIN_KEY_FILE: adminKeyFile,
    };
    // Both at once: one of them makes the tables and the first key known, the other finds them.
    [one, other] = await Promise.all([spawnService('gateway', environment), spawnService('gateway', environment)]);
    await Promise.all([ready(one), ready(other)]);
  }, 120_000);

  afterAll(async () => {
    await Promise.all([one?.stop(), other?.stop(), proxy?.stop()]);
    await Promise.all([postgres?.stop(), redis?.stop()]);
    await rm(directory, { recursive: true, force: true });
  });

  async function ask(gateway: SpawnedService, path: string, options: { method?: string; key?: string; body?: unknown } = {}) {
    const { method = 'GET', key = adminKey, body } = options;
    const response = await fetch(`${gateway.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
  }
  const ready = (gateway: SpawnedService) => readiness(gateway, { ready: true, waitingFor: [] }, 200);
  const readiness = (gateway: SpawnedService, answer: unknown, status = 503, timeout = 10_000) =>
    vi.waitFor(
      async () => {
        const { json, status: given } = await ask(gateway, '/health/ready');
        expect(json()).toEqual(answer);
        expect(given).toBe(status);
      },
      { timeout, interval: 50 },
    );
  const submit = (gateway: SpawnedService, options: { wait?: boolean; key?: string } = {}) =>
    ask(gateway, '/execute', {
      method: 'POST',
      body: { ...PROGRAM, wait: options.wait ?? false },
      ...(options.key ? { key: options.key } : {}),
    });
  const configure = (name: string, value: string) =>
    redis.exec(['redis-cli', '--no-auth-warning', '-a', new URL(redis.url).password, 'CONFIG', 'SET', name, value]);

  test('purge the same history side by side, each execution once, and export the rest; the record of tool calls stays whole', async () => {
    const log = createLogger({ level: 'silent', service: 'test' });
    const db = await openDatabase({ url: postgres.url, directory, log, connections: 2 });
    try {
      await insertOld(db, 1_500, 9);
      const kept = await insertOld(db, 2, 5);
      const before = new Date(Date.now() - 6 * DAY_MS).toISOString();
      const purges = await Promise.all([one, other].map((gateway) => ask(gateway, `/executions?before=${before}`, { method: 'DELETE' })));
      expect(purges.map(({ status }) => status)).toEqual([200, 200]);
      expect(purges.reduce((sum, { json }) => sum + json().purged, 0)).toBe(1_500);
      expect(await journalCounts(db)).toEqual({ orphans: 3_000, calls: 3_004, outcomes: 1_502 });
      const lines = (await ask(other, '/executions/export')).text.trim().split('\n');
      expect(lines.map((line) => JSON.parse(line).executionId)).toEqual(kept);
      expect((await ask(one, '/executions?before=2999-01-01T00:00:00Z', { method: 'DELETE' })).json()).toEqual({
        purged: 2,
        complete: true,
      });
    } finally {
      await db.close();
    }
  });

  test('answer with the admin key that lay in the file before the first start', async () => {
    for (const gateway of [one, other]) {
      const keys = (await ask(gateway, '/keys')).json();
      expect(keys.items).toMatchObject([{ name: 'first admin', role: 'admin' }]);
    }
    expect((await ask(one, '/tools')).status).toBe(200);
    expect((await ask(one, '/health', { key: 'none' })).json()).toMatchObject({
      status: 'ok',
      queue: { queued: expect.any(Number), running: 0 },
      pool: { hits: 0, misses: 0, warm: {} },
    });
  });

  test('share keys: a new one works everywhere at once, a revoked one nowhere within a second, with Redis or without', async () => {
    for (const redisIsThere of [true, false]) {
      const { id, key } = (await ask(one, '/keys', { method: 'POST', body: { name: 'shared', role: 'agent' } })).json();
      expect((await ask(other, '/executions', { key })).status).toBe(200);
      if (!redisIsThere) await redis.kill();
      expect((await ask(one, `/keys/${id}`, { method: 'DELETE' })).status).toBe(200);
      const since = performance.now();
      await vi.waitFor(async () => expect((await ask(other, '/executions', { key })).status).toBe(401), { timeout: 5_000, interval: 10 });
      expect(performance.now() - since).toBeLessThan(1_000);
      expect((await ask(one, '/executions', { key })).status).toBe(401);
    }
    await redis.restart();
    await Promise.all([ready(one), ready(other)]);
  });

  test('a program that one has accepted is known to the other and can be cancelled there', async () => {
    const accepted = await submit(one);
    expect(accepted.status).toBe(202);
    const { executionId } = accepted.json();
    expect((await ask(other, `/executions/${executionId}`)).json()).toMatchObject({ status: 'queued' });
    await vi.waitFor(async () => expect((await ask(other, '/health')).json().queue.queued).toBeGreaterThan(0), { timeout: 3_000 });
    expect((await ask(other, `/executions/${executionId}/cancel`, { method: 'POST' })).json()).toMatchObject({ status: 'cancelled' });
    const events = await ask(one, `/executions/${executionId}/events`);
    expect(events.text).toMatch(/id: 1\nevent: status[\s\S]*id: 2\nevent: ended/);
  });

  test('without a Redis that takes writes they are not ready, accept nothing, and say when to come back', async () => {
    await configure('maxmemory', '1');
    try {
      await readiness(one, { ready: false, waitingFor: ['redis'] });
      const refused = await submit(one);
      expect(refused.status).toBe(503);
      expect(refused.json().error).toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect((await ask(one, '/executions')).status).toBe(200);
      expect((await ask(one, '/health')).json().status).toBe('degraded');
    } finally {
      await configure('maxmemory', '0');
    }
    await ready(one);
    expect((await submit(one)).status).toBe(202);
    const metrics = (await ask(one, '/metrics')).text;
    expect(metrics).toMatch(/code_executor_executions_refused_total\{code="QUEUE_UNAVAILABLE"\} 1/);
    expect(metrics).toMatch(/code_executor_executions_accepted_total\{replayed="false"\} [1-9]/);
    expect(metrics).toMatch(/code_executor_executions\{state="queued"\} \d/);
    expect(metrics).not.toContain('code_executor_pool_warm');
  });

  test('without PostgreSQL they say so, and go on when it is back', async () => {
    await postgres.kill();
    try {
      await readiness(one, { ready: false, waitingFor: ['postgres'] });
      const refused = await submit(one);
      expect(refused.status).toBe(503);
      expect(refused.json().error.code).toBe('LEDGER_UNAVAILABLE');
    } finally {
      await postgres.restart();
    }
    await Promise.all([ready(one), ready(other)]);
    expect((await submit(one)).status).toBe(202);
  });

  test('without mcp-proxy they are not ready', async () => {
    await proxy.stop();
    await readiness(one, { ready: false, waitingFor: ['mcp-proxy'] });
    expect((await ask(one, '/tools')).json().error.code).toBe('TOOLS_UNAVAILABLE');
    proxy = await spawnService('mcp-proxy', { ...proxyEnvironment, EXECUTOR_PORT: new URL(proxy.url).port });
    await ready(one);
  });

  test('at SIGTERM who waits is told where the answer will be, and the process ends by itself', async () => {
    const leaving = await spawnService('gateway', environment);
    await ready(leaving);
    const waiting = submit(leaving, { wait: true });
    await vi.waitFor(async () => expect((await ask(other, '/executions?status=queued')).json().total).toBeGreaterThan(0), {
      timeout: 5_000,
    });
    const since = performance.now();
    leaving.process.kill('SIGTERM');
    const answer = await waiting;
    expect(answer.status).toBe(503);
    const { code, details } = answer.json().error;
    expect(code).toBe('SHUTTING_DOWN');
    expect(await leaving.exited()).toBe(0);
    expect(performance.now() - since).toBeLessThan(15_000);
    expect((await ask(other, `/executions/${details.executionId}`)).json().status).toBe('queued');
    expect(leaving.output()).not.toMatch(/"level":(50|60)/);
  }, 40_000);

  test('a configuration that cannot work ends it at once and names what is wrong', async () => {
    const { code, output } = await runService('gateway', { EXECUTOR_PORT: '70000', EXECUTOR_QUEU_LIMIT: '5', REDIS_URL: redis.url });
    expect(code).toBe(78);
    expect(output).toMatch(/EXECUTOR_PORT: must be from/);
    expect(output).toMatch(/did you mean EXECUTOR_QUEUE_LIMIT/);
    expect(output).toMatch(/DATABASE_URL/);
    expect(output).toMatch(/EXECUTOR_GATEWAY_INTERNAL_KEY/);
  });

  test('an MCP session and its calls are no one gateway\u2019s: the other answers for it, cancels and goes on with its streams', async () => {
    const mcp = (gateway: SpawnedService, body: unknown, headers: Record<string, string> = {}, method = 'POST') =>
      fetch(`${gateway.url}/mcp`, {
        method,
        headers: {
          authorization: `Bearer ${adminKey}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...headers,
        },
        body: body === null ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(20_000),
      });
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
    const begun = await mcp(one, { jsonrpc: '2.0', id: 0, method: 'initialize', params });
    const session = { 'mcp-session-id': begun.headers.get('mcp-session-id') ?? '', 'mcp-protocol-version': '2025-11-25' };
    expect((await mcp(other, { jsonrpc: '2.0', id: 1, method: 'tools/list' }, session)).status).toBe(200);

    // There is no worker: it waits, and the stream that tells of it begins.
    const call = { name: 'execute', arguments: PROGRAM, _meta: { progressToken: 'p' } };
    const stream = await mcp(one, { jsonrpc: '2.0', id: 2, method: 'tools/call', params: call }, session);
    const { value } = (await stream.body?.getReader().read()) ?? {};
    const lastEventId = /^id: (\S+)$/m.exec(new TextDecoder().decode(value))?.[1] ?? '';
    expect(lastEventId).not.toBe('');
    const goesOn = mcp(other, null, { ...session, 'last-event-id': lastEventId }, 'GET').then((response) => response.text());
    expect((await mcp(other, { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 2 } }, session)).status).toBe(202);
    expect(await goesOn).toMatch(/"id":2.*"status":"cancelled"/s);

    expect((await mcp(other, null, session, 'DELETE')).status).toBe(204);
    await vi.waitFor(async () => expect((await mcp(one, { jsonrpc: '2.0', id: 3, method: 'tools/list' }, session)).status).toBe(404), {
      timeout: 10_000,
    });
  });

  test('an OAuth token of one gateway is taken by the other, until its grant is revoked there', async () => {
    const form = async (gateway: SpawnedService, path: string, fields: Record<string, string>, cookie = '') =>
      await fetch(`${gateway.url}${path}`, { method: 'POST', headers: { cookie }, body: new URLSearchParams(fields) });
    const device = (await (
      await form(one, '/oauth/device_authorization', { client_id: 'executor-cli', scope: 'operator' })
    ).json()) as Record<string, string>;
    const page = await fetch(`${other.url}/oauth/device?user_code=${device.user_code}`);
    const token = /name="token" value="([^"]+)"/.exec(await page.text())?.[1] ?? '';
    const cookie = page.headers.get('set-cookie')?.split(';', 1)[0] ?? '';
    const consent = { user_code: device.user_code ?? '', token, key: adminKey, decision: 'approve', role: 'operator' };
    expect((await form(one, '/oauth/device', consent, cookie)).status).toBe(200);
    const grant_type = 'urn:ietf:params:oauth:grant-type:device_code';
    const answer = await form(other, '/oauth/token', { grant_type, client_id: 'executor-cli', device_code: device.device_code ?? '' });
    const { access_token: key } = (await answer.json()) as { access_token: string };
    for (const gateway of [one, other]) expect((await ask(gateway, '/integrations', { key })).status).toBe(200);
    const [grant] = (await ask(one, '/oauth/grants')).json().items;
    expect((await ask(one, `/oauth/grants/${grant.id}`, { method: 'DELETE' })).status).toBe(200);
    await vi.waitFor(async () => expect((await ask(other, '/integrations', { key })).status).toBe(401), { timeout: 10_000 });
  });
});
