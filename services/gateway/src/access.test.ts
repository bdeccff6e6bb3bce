import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KEYS, type OpenGateway, openGateway } from './testing/open-gateway.ts';

let gateway: OpenGateway;
beforeEach(async () => {
  gateway = await openGateway();
});
afterEach(async () => {
  await gateway.app.close();
});

const program = { code: 'return 1', language: 'typescript' };

describe('keys', () => {
  it('without one the answer is 401 and says how to send it, before the body is looked at', async () => {
    const answer = await gateway.ask('POST', '/execute', { key: null, raw: '{"not json' });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="code-executor"');
    expect(answer.json().error).toMatchObject({
      code: 'UNAUTHENTICATED',
      message: 'No key was given: send `Authorization: Bearer <key>`.',
    });
  });

  it.each(['admin-key', 'Basic YTpi', 'Bearer', 'Bearer a b', `Bearer ${'x'.repeat(5_000)}`, 'Bearer ä'])(
    'a header %j that is no bearer token is named as such',
    async (authorization) => {
      const answer = await gateway.ask('GET', '/tools', { key: null, headers: { authorization } });
      expect(answer.status).toBe(401);
      expect(answer.json().error.message).toBe('The Authorization header is not of the form `Bearer <key>`.');
    },
  );

  it('unknown, revoked and expired ones get the very same answer', async () => {
    gateway.keys.add('revoked-key', 'agent', { revokedAt: '2026-01-01T00:00:00Z' });
    gateway.keys.add('expired-key', 'agent', { expiresAt: '2020-01-01T00:00:00Z' });
    const answers = await Promise.all(
      ['unknown-key', 'revoked-key', 'expired-key'].map(async (key) => {
        const { status, headers, json } = await gateway.ask('POST', '/execute', { key, body: program });
        const { requestId: _, ...error } = json().error;
        return { status, challenge: headers['www-authenticate'], error };
      }),
    );
    const expected = {
      status: 401,
      challenge: 'Bearer realm="code-executor", error="invalid_token"',
      error: { code: 'UNAUTHENTICATED', message: 'This key is unknown, expired or revoked.' },
    };
    expect(answers).toEqual([expected, expected, expected]);
    expect(gateway.executions.submitted).toEqual([]);
  });

  it('are not taken from the query', async () => {
    expect((await gateway.ask('GET', `/tools?access_token=${KEYS.agent}`, { key: null })).status).toBe(401);
  });

  it('never reach the log', async () => {
    await gateway.ask('POST', '/execute', { body: program });
    await gateway.ask('GET', '/tools/search?q=my-secret-search');
    await gateway.ask('POST', '/keys', { key: KEYS.admin, body: { name: 'x', role: 'agent' } });
    const log = gateway.logLines.join('');
    expect(gateway.logLines).toHaveLength(3);
    for (const secret of [KEYS.agent, KEYS.admin, 'cek_', program.code, 'my-secret-search']) expect(log).not.toContain(secret);
  });
});

describe('roles', () => {
  it('an agent sees its own executions only, an operator all', async () => {
    const { executionId } = (await gateway.ask('POST', '/execute', { body: program })).json();
    expect((await gateway.ask('GET', `/executions/${executionId}`)).status).toBe(200);
    for (const path of ['', '/events']) {
      const foreign = await gateway.ask('GET', `/executions/${executionId}${path}`, { key: KEYS.other });
      expect(foreign.status).toBe(404);
      expect(foreign.json().error.code).toBe('EXECUTION_NOT_FOUND');
    }
    expect((await gateway.ask('POST', `/executions/${executionId}/cancel`, { key: KEYS.other })).status).toBe(404);
    expect((await gateway.ask('GET', '/executions', { key: KEYS.other })).json()).toEqual({ items: [], total: 0, nextCursor: null });
    expect((await gateway.ask('GET', `/executions/${executionId}`, { key: KEYS.operator })).status).toBe(200);
  });
});

describe('Host and Origin, bound to loopback', () => {
  it.each(['localhost', 'localhost:9091', '127.0.0.1:1', '[::1]:9091', 'LOCALHOST.:9091'])('answers to %s', async (host) => {
    expect((await gateway.ask('GET', '/tools', { headers: { host } })).status).toBe(200);
  });

  it.each(['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example:9091', '169.254.169.254', '192.168.1.2:9091', 'a b'])(
    'does not answer to %j',
    async (host) => {
      for (const url of ['/tools', '/health', '/docs', '/openapi.json', '/nothing']) {
        const answer = await gateway.ask('GET', url, { headers: { host } });
        expect(answer.status).toBe(403);
        expect(answer.json().error.code).toBe('HOST_NOT_ALLOWED');
      }
    },
  );

  it.each([
    'https://evil.example',
    'null',
    'http://localhost:3000',
    'http://127.0.0.1.evil.example:9091',
    'file://',
    'chrome-extension://x',
  ])('refuses pages of %s, without CORS headers', async (origin) => {
    const answer = await gateway.ask('POST', '/execute', { body: program, headers: { host: 'localhost:9091', origin } });
    expect(answer.status).toBe(403);
    expect(answer.json().error.code).toBe('HOST_NOT_ALLOWED');
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(gateway.executions.submitted).toEqual([]);
  });

  it('answers to its own pages', async () => {
    const headers = { host: 'localhost:9091', origin: 'http://localhost:9091' };
    expect((await gateway.ask('POST', '/execute', { body: program, headers })).status).toBe(200);
  });
});

describe('Host and Origin, bound elsewhere', () => {
  it('any Host will do where none is configured, but pages must be its own', async () => {
    const open = await openGateway({ host: '0.0.0.0' });
    expect((await open.ask('GET', '/tools', { headers: { host: 'box.lan:9091' } })).status).toBe(200);
    expect((await open.ask('GET', '/tools', { headers: { host: 'box.lan:9091', origin: 'http://box.lan:9091' } })).status).toBe(200);
    expect((await open.ask('GET', '/tools', { headers: { host: 'box.lan:9091', origin: 'http://evil.example' } })).status).toBe(403);
    await open.app.close();
  });

  it.each(['10.1.2.3:9091', '[fd00::7]:9091'])(
    'Prometheus, which knows an address alone (%s), reads /metrics with its key, and nothing else',
    async (host) => {
      const open = await openGateway({ host: '0.0.0.0', allowedHosts: ['executor.example'] });
      expect((await open.ask('GET', '/metrics', { key: KEYS.operator, headers: { host } })).status).toBe(200);
      expect((await open.ask('GET', '/metrics', { key: null, headers: { host } })).status).toBe(401);
      expect((await open.ask('GET', '/metrics', { key: KEYS.operator, headers: { host: 'evil.example:9091' } })).status).toBe(403);
      expect((await open.ask('GET', '/executions', { key: KEYS.operator, headers: { host } })).status).toBe(403);
      expect((await gateway.ask('GET', '/metrics', { key: KEYS.operator, headers: { host } })).status).toBe(403);
      await open.app.close();
    },
  );

  it('where hosts are configured it must be one of them, except for probes', async () => {
    const open = await openGateway({ host: '0.0.0.0', allowedHosts: ['Executor.example'] });
    expect((await open.ask('GET', '/tools', { headers: { host: 'executor.example' } })).status).toBe(200);
    expect((await open.ask('GET', '/tools', { headers: { host: 'executor.example', origin: 'https://executor.example' } })).status).toBe(
      200,
    );
    expect((await open.ask('GET', '/tools', { headers: { host: 'box.lan' } })).status).toBe(403);
    expect((await open.ask('GET', '/health/ready', { key: null, headers: { host: '10.1.2.3:9091' } })).status).toBe(200);
    await open.app.close();
  });
});

describe('the rate limit', () => {
  it('holds per key, says when to come back, and leaves probes alone', async () => {
    const limited = await openGateway({ rateLimitPerMinute: 2 });
    for (const _ of [1, 2]) expect((await limited.ask('GET', '/tools')).status).toBe(200);
    const refused = await limited.ask('GET', '/tools');
    expect(refused.status).toBe(429);
    expect(refused.json().error).toMatchObject({
      code: 'RATE_LIMITED',
      message: expect.stringMatching(/^More than 2 requests in a minute; come back in \d+ s\.$/),
    });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await limited.ask('GET', '/tools', { key: KEYS.other })).status).toBe(200);
    for (const _ of [1, 2, 3]) expect((await limited.ask('GET', '/health', { key: null })).status).toBe(200);
    await limited.app.close();
  });
});
