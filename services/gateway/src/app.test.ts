import { ENDED_STATUSES } from '@code-executor/contracts';
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
const admin = { key: KEYS.admin };

describe('POST /execute', () => {
  it('answers how the execution ended', async () => {
    const answer = await gateway.ask('POST', '/execute', { body: program });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.json()).toEqual({
      executionId: gateway.executions.ids()[0],
      status: 'succeeded',
      output: '',
      result: 42,
      error: null,
      executionTime: 0,
      truncated: false,
      droppedBytes: 0,
      effects: 'none',
      toolCalls: [],
      metrics: { queueMs: 0, totalMs: 0, warm: true, outputBytes: 0, outputTokens: 0 },
      approval: null,
    });
  });

  it('answers a failing program with 200 and its error', async () => {
    gateway.executions.held = true;
    const asked = gateway.ask('POST', '/execute', { body: program });
    const id = await firstId();
    gateway.executions.end(id, {
      status: 'failed',
      error: { code: 'UNCAUGHT', message: 'boom', line: 1 },
      resultJson: null,
      output: '"\n',
    });
    expect((await asked).json()).toMatchObject({ status: 'failed', result: null, output: '"\n', error: { code: 'UNCAUGHT', line: 1 } });
    expect((await asked).status).toBe(200);
  });

  it('hands the result over as it was written: no digit is lost', async () => {
    gateway.executions.held = true;
    const asked = gateway.ask('POST', '/execute', { body: program });
    gateway.executions.end(await firstId(), { resultJson: '{"big":12345678901234567890,"f":1.0,"e":1E400}' });
    expect((await asked).text).toContain('"result":{"big":12345678901234567890,"f":1.0,"e":1E400},"error":null');
  });

  it('passes everything on, and takes a NUL in args as data', async () => {
    const body = { ...program, timeoutMs: 1, args: { a: '\0', big: 1e300 }, files: { 'lib/a.ts': '1' }, typecheck: true, wait: true };
    expect((await gateway.ask('POST', '/execute', { body })).status).toBe(200);
    expect(gateway.executions.submitted).toEqual([body]);
  });

  it('answers 202 with a Location at once when asked not to wait', async () => {
    gateway.executions.held = true;
    const answer = await gateway.ask('POST', '/execute', { body: { ...program, wait: false } });
    const [id] = gateway.executions.ids();
    expect(answer.status).toBe(202);
    expect(answer.headers.location).toBe(`/executions/${id}`);
    expect(answer.json()).toEqual({ executionId: id, status: 'queued' });
  });

  it('answers when an execution pauses, as paused', async () => {
    gateway.executions.held = true;
    const asked = gateway.ask('POST', '/execute', { body: program });
    gateway.executions.pause(await firstId());
    expect((await asked).json().status).toBe('paused');
  });

  it('gives the same execution for the same Idempotency-Key, and says that it did', async () => {
    const headers = { 'idempotency-key': 'b7c9-1' };
    const [first, second] = [
      await gateway.ask('POST', '/execute', { body: program, headers }),
      await gateway.ask('POST', '/execute', { body: program, headers }),
    ];
    expect(second.json()).toEqual(first.json());
    expect([first.headers['idempotency-replayed'], second.headers['idempotency-replayed']]).toEqual([undefined, 'true']);
    expect(gateway.executions.submitted).toHaveLength(1);
    const third = await gateway.ask('POST', '/execute', { body: { ...program, wait: false }, headers });
    expect([third.status, third.json().status]).toEqual([202, 'succeeded']);
  });

  it('keeps a harmless X-Request-Id of the caller and replaces others', async () => {
    expect((await gateway.ask('GET', '/tools', { headers: { 'x-request-id': 'trace-1.a' } })).headers['x-request-id']).toBe('trace-1.a');
    expect((await gateway.ask('GET', '/tools', { headers: { 'x-request-id': 'a b' } })).headers['x-request-id']).toMatch(/^req_/);
  });
});

describe('executions', () => {
  it('lists history without output and results', async () => {
    await gateway.ask('POST', '/execute', { body: program });
    const { items, total, nextCursor } = (await gateway.ask('GET', '/executions?limit=10&status=succeeded')).json();
    expect({ total, nextCursor }).toEqual({ total: 1, nextCursor: null });
    expect(items).toEqual([expect.objectContaining({ executionId: gateway.executions.ids()[0], status: 'succeeded', toolCalls: 0 })]);
    expect(Object.keys(items[0])).not.toContain('output');
  });

  it('shows one whole, and cancels it once', async () => {
    gateway.executions.held = true;
    await gateway.ask('POST', '/execute', { body: { ...program, wait: false } });
    const [id] = gateway.executions.ids();
    expect((await gateway.ask('GET', `/executions/${id}`)).json()).toMatchObject({
      executionId: id,
      status: 'queued',
      language: 'typescript',
      endedAt: null,
    });
    const cancelled = await gateway.ask('POST', `/executions/${id}/cancel`, { body: {} });
    expect([cancelled.status, cancelled.json().status]).toEqual([200, 'cancelled']);
    const again = await gateway.ask('POST', `/executions/${id}/cancel`);
    expect([again.status, again.json().error.code]).toEqual([409, 'EXECUTION_ENDED']);
    expect(ENDED_STATUSES).toContain((await gateway.ask('GET', `/executions/${id}`)).json().status);
  });

  it('resumes nothing that is not paused', async () => {
    await gateway.ask('POST', '/execute', { body: program });
    const answer = await gateway.ask('POST', `/executions/${gateway.executions.ids()[0]}/resume`);
    expect([answer.status, answer.json().error.code]).toEqual([409, 'EXECUTION_NOT_PAUSED']);
    expect(answer.json().error.message).toMatch(/ is succeeded and never waited for an approval\.$/);
  });
});

describe('tools', () => {
  it('are listed, searched with defaults, and shown', async () => {
    expect((await gateway.ask('GET', '/tools?limit=5')).json()).toMatchObject({ total: 1, items: [{ server: 'notes', name: 'read' }] });
    expect((await gateway.ask('GET', '/tools/search?q=note')).json()).toEqual({
      items: { notes: ['read'] },
      total: 1,
      tokens: 6,
      tokensSaved: 94,
      nextOffset: null,
    });
    await gateway.ask('GET', '/tools/search?q=x&server=notes&detail=full&limit=7&offset=3');
    expect(gateway.tools.searches).toEqual([
      { q: 'note', detail: 'description', limit: 50, offset: 0 },
      { q: 'x', server: 'notes', detail: 'full', limit: 7, offset: 3 },
    ]);
    expect((await gateway.ask('GET', '/tools/info/notes/read')).json()).toMatchObject({ name: 'read', policy: { action: 'allow' } });
  });

  it('are called without code', async () => {
    const answer = await gateway.ask('POST', '/tools/invoke/notes/read', { body: { args: { id: 1 } } });
    expect(answer.json()).toEqual({ tool: 'notes.read', result: { text: 'hello' }, durationMs: expect.any(Number) });
    expect(gateway.tools.invocations).toEqual([{ id: 1 }]);
  });

  it.each([
    ['INVALID_ARGUMENTS', 400, 'INVALID_ARGUMENTS'],
    ['TOOL_TIMEOUT', 504, 'TOOL_TIMEOUT'],
    ['E_OF_ITS_OWN', 502, 'TOOL_FAILED'],
    ['constructor', 502, 'TOOL_FAILED'],
  ])('that fail with %s answer %d %s', async (code, status, answered) => {
    gateway.tools.reply = { ok: false, error: { code, message: 'no', details: { id: 1 } } };
    const answer = await gateway.ask('POST', '/tools/invoke/notes/read', { body: {} });
    expect([answer.status, answer.json().error.code, answer.json().error.message]).toEqual([status, answered, 'no']);
  });
});

describe('administration', () => {
  it('adds, shows, refreshes and removes an integration', async () => {
    const body = { slug: 'git', kind: 'mcp', command: 'mcp-git', args: ['--repo', '/r'], env: { TOKEN: 'secret' }, trust: true };
    const added = await gateway.ask('POST', '/integrations', { ...admin, body });
    expect([added.status, added.headers.location]).toEqual([201, '/integrations/git']);
    expect(added.json()).toMatchObject({ slug: 'git', kind: 'mcp', toolCount: 1, warnings: [] });
    expect(added.text).not.toContain('secret');
    expect((await gateway.ask('GET', '/integrations', admin)).json()).toMatchObject({ total: 2, nextCursor: null });
    expect((await gateway.ask('GET', '/integrations/git', admin)).status).toBe(200);
    expect((await gateway.ask('POST', '/integrations/git/refresh', admin)).json()).toMatchObject({ slug: 'git', added: ['read'] });
    const removed = await gateway.ask('DELETE', '/integrations/git', admin);
    expect([removed.status, removed.text]).toEqual([204, '']);
    expect((await gateway.ask('GET', '/integrations/git', admin)).status).toBe(404);
  });

  it('adds, lists and removes a policy', async () => {
    const added = await gateway.ask('POST', '/policies', { ...admin, body: { pattern: 'notes.*', action: 'block' } });
    expect(added.status).toBe(201);
    expect((await gateway.ask('GET', '/policies', admin)).json().items).toEqual([added.json()]);
    expect((await gateway.ask('DELETE', `/policies/${added.json().id}`, admin)).status).toBe(204);
    expect((await gateway.ask('DELETE', `/policies/${added.json().id}`, admin)).json().error.code).toBe('POLICY_NOT_FOUND');
  });

  it('shows a new key once, and a revoked one is refused at once', async () => {
    const made = await gateway.ask('POST', '/keys', { ...admin, body: { name: 'ci', role: 'agent', expiresAt: '2099-01-01T00:00:00Z' } });
    const { key, id } = made.json();
    expect(made.status).toBe(201);
    expect((await gateway.ask('GET', '/keys', admin)).text).not.toContain(key);
    expect((await gateway.ask('GET', '/tools', { key })).status).toBe(200);
    expect((await gateway.ask('DELETE', `/keys/${id}`, admin)).json()).toMatchObject({ id, revokedAt: expect.any(String) });
    expect((await gateway.ask('GET', '/tools', { key })).status).toBe(401);
    expect((await gateway.ask('DELETE', '/keys/nope', admin)).json().error.code).toBe('KEY_NOT_FOUND');
  });
});

describe('operations', () => {
  it('/health needs no key and says how it is, without reasons', async () => {
    gateway.tools.integrations.set('git', {
      ...gateway.tools.getIntegration(principal, 'notes'),
      slug: 'git',
      state: 'broken',
      reason: 'no /srv/git',
    });
    const answer = await gateway.ask('GET', '/health', { key: null });
    expect(answer.json()).toEqual({
      status: 'degraded',
      version: '0.0.0-test',
      uptime: expect.any(Number),
      servers: { notes: 'ready', git: 'broken' },
      totalTools: 2,
      toolsByServer: { notes: 1, git: 1 },
      queue: { queued: 0, running: 0 },
      pool: { hits: 3, misses: 1, warm: { typescript: 2, python: 1 } },
    });
    expect((await gateway.app.inject({ method: 'HEAD', url: '/health' })).statusCode).toBe(200);
  });

  it('/health/ready waits for integrations that start, and then stays ready', async () => {
    const notes = gateway.tools.getIntegration(principal, 'notes');
    gateway.tools.integrations.set('git', { ...notes, slug: 'git', state: 'starting' });
    const before = await gateway.ask('GET', '/health/ready', { key: null });
    expect([before.status, before.json()]).toEqual([503, { ready: false, waitingFor: ['git'] }]);
    gateway.tools.integrations.set('git', { ...notes, slug: 'git', state: 'broken' });
    expect((await gateway.ask('GET', '/health/ready', { key: null })).status).toBe(200);
    gateway.tools.integrations.set('new', { ...notes, slug: 'new', state: 'starting' });
    expect((await gateway.ask('GET', '/health/ready', { key: null })).json()).toEqual({ ready: true, waitingFor: [] });
  });

  it('/metrics counts requests by route, outcomes, claims and servers', async () => {
    await gateway.ask('POST', '/execute', { body: program });
    await gateway.ask('GET', '/no/such/path');
    const answer = await gateway.ask('GET', '/metrics', { key: KEYS.operator });
    expect(answer.headers['content-type']).toMatch(/^text\/plain/);
    for (const line of [
      'code_executor_http_request_duration_seconds_count{method="POST",route="/execute",status="200"} 1',
      'code_executor_http_request_duration_seconds_count{method="GET",route="unknown",status="404"} 1',
      'code_executor_executions_total{language="typescript",status="succeeded",code=""} 1',
      'code_executor_pool_claims_total{outcome="hit"} 3',
      'code_executor_pool_warm{runtime="python"} 1',
      'code_executor_tool_servers{state="ready"} 1',
      'code_executor_executions{state="queued"} 0',
      'process_resident_memory_bytes',
    ]) {
      expect(answer.text).toContain(line);
    }
  });

  it('logs one wide line per request', async () => {
    await gateway.ask('POST', '/execute', { body: program, headers: { 'x-request-id': 'r1' } });
    expect(gateway.logLines.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({
        requestId: 'r1',
        method: 'POST',
        path: '/execute',
        status: 200,
        durationMs: expect.any(Number),
        principal: gateway.records.agent.id,
        role: 'agent',
        executionId: gateway.executions.ids()[0],
        errorCode: null,
      }),
    ]);
  });
});

describe('the documents', () => {
  it('/openapi.json describes every route with its answers and error codes, and nothing of the instance', async () => {
    const answer = await gateway.ask('GET', '/openapi.json', { key: null });
    const document = answer.json();
    expect(document.openapi).toBe('3.1.0');
    expect(document.servers).toEqual([{ url: '/' }]);
    expect(answer.text).not.toContain('notes');
    for (const [path, methods] of Object.entries<Record<string, { summary?: string; responses: Record<string, { description: string }> }>>(
      document.paths,
    )) {
      for (const [method, { summary, responses }] of Object.entries(methods)) {
        expect(summary, `${method} ${path}`).toBeTruthy();
        expect(
          Object.keys(responses).some((status) => status.startsWith('2')),
          `${method} ${path}`,
        ).toBe(true);
        expect(responses['500']?.description).toContain('INTERNAL');
        if (!/^\/(health|oauth)/.test(path)) expect(responses['401']?.description).toContain('UNAUTHENTICATED');
      }
    }
    const execute = document.paths['/execute'].post;
    expect(execute.requestBody.content['application/json'].schema).toMatchObject({
      additionalProperties: false,
      required: ['code', 'language'],
      properties: { timeoutMs: { minimum: 1, maximum: 300_000 }, language: { enum: ['typescript', 'python', 'node'] } },
    });
    expect(execute.responses['413'].content['application/json'].schema.properties.error.properties.code.enum).toEqual([
      'BODY_TOO_LARGE',
      'CODE_TOO_LARGE',
    ]);
  });

  it('/docs works without key and without network', async () => {
    const page = await gateway.ask('GET', '/docs', { key: null });
    expect(page.status).toBe(200);
    expect(page.headers['content-security-policy']).toContain("default-src 'self'");
    const files = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file ?? '');
    expect(files.length).toBeGreaterThan(3);
    for (const file of files) {
      expect(file).toMatch(/^\/docs\/static\//);
      expect((await gateway.ask('GET', file, { key: null })).status).toBe(200);
    }
  });
});

const principal = { id: 'key_x', workspaceId: 'wsp_default', role: 'admin' as const };

async function firstId(): Promise<string> {
  for (let tries = 0; tries < 500; tries += 1) {
    const [id] = gateway.executions.ids();
    if (id !== undefined && gateway.executions.waits > 0) return id;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error('nothing was submitted');
}
