import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ask, makeKey } from './support/ask.ts';
import { recordingServer } from './support/recording-entry.ts';
import { serviceForThisFile } from './support/service-suite.ts';

const directory = mkdtempSync(join(tmpdir(), 'operations-'));
const serversFile = join(directory, 'mcp-servers.json');
writeFileSync(join(directory, 'notes.txt'), '');
writeFileSync(
  serversFile,
  JSON.stringify({
    mcpServers: {
      notes: recordingServer(join(directory, 'notes.txt')),
      'more-notes': recordingServer(join(directory, 'notes.txt'), { trust: false }),
    },
  }),
);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const { service, execute, typescript, python } = serviceForThisFile({ EXECUTOR_MCP_SERVERS: serversFile });
const TOOLS = ['note', 'slow_note', 'count_notes', 'look', 'learn'];

/** Samples of a metric by its labels, read as Prometheus would. */
async function samples(): Promise<Map<string, number>> {
  const reply = await ask(service(), 'GET', '/metrics');
  expect(reply.status).toBe(200);
  expect(reply.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
  const found = new Map<string, number>();
  const typed = new Set<string>();
  for (const line of reply.text.split('\n').filter((one) => one !== '')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line);
    if (comment?.[1] === 'TYPE') typed.add(comment[2] ?? '');
    if (line.startsWith('#')) {
      expect(comment, line).not.toBeNull();
      continue;
    }
    const sample = /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*",?)*\})? (-?[\d.e+-]+|[+-]Inf|NaN)$/.exec(line);
    expect(sample, line).not.toBeNull();
    expect(typed.has((sample?.[1] ?? '').replace(/_(bucket|sum|count)$/, '')) || typed.has(sample?.[1] ?? ''), line).toBe(true);
    expect(found.has(`${sample?.[1]}${sample?.[2] ?? ''}`), line).toBe(false);
    found.set(`${sample?.[1]}${sample?.[2] ?? ''}`, Number(sample?.[3]?.replace('Inf', 'Infinity')));
  }
  return found;
}

describe('health', () => {
  test('says how it is, without a key', async () => {
    const reply = await ask(service(), 'GET', '/health', { key: null });
    expect(reply.status).toBe(200);
    expect(reply.json()).toMatchObject({
      status: 'ok',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      uptime: expect.any(Number),
      servers: { notes: 'ready', 'more-notes': 'ready' },
      totalTools: TOOLS.length * 2,
      toolsByServer: { notes: TOOLS.length, 'more-notes': TOOLS.length },
      queue: { queued: 0, running: 0 },
      pool: { hits: expect.any(Number), misses: expect.any(Number), warm: { typescript: expect.any(Number), python: expect.any(Number) } },
    });
    expect((await ask(service(), 'HEAD', '/health', { key: null })).status).toBe(200);
  });

  test('readiness is an answer of its own', async () => {
    const reply = await ask(service(), 'GET', '/health/ready', { key: null });
    expect(reply.status).toBe(200);
    expect(reply.json()).toEqual({ ready: true, waitingFor: [] });
  });

  test('the queue shows what runs, and the pool refills', async () => {
    const running = typescript('await new Promise((r) => setTimeout(r, 3_000))');
    await expect.poll(async () => ((await service().get('/health')).body as { queue: { running: number } }).queue.running).toBe(1);
    await running;
    const warm = async () => ((await service().get('/health')).body as { pool: { warm: { typescript: number } } }).pool.warm.typescript;
    await expect.poll(warm).toBeGreaterThan(1);
  });

  test('programs get the sandboxes that wait for them, whatever the catalog became while the service started', async () => {
    for (const language of ['typescript', 'python']) {
      const answer = await service().post('/execute', { language, code: '1' });
      expect(answer.body).toMatchObject({ status: 'succeeded', metrics: { warm: true } });
    }
  });
});

describe('metrics', () => {
  test('are text that Prometheus reads, and count executions by how they ended', async () => {
    const name = (language: string, status: string, code: string) =>
      `code_executor_executions_total{language="${language}",status="${status}",code="${code}"}`;
    const outcomes: [string, string, string, Record<string, unknown>][] = [
      ['typescript', 'succeeded', '', { code: 'return 1' }],
      ['typescript', 'failed', 'UNCAUGHT', { code: "throw new Error('x')" }],
      ['typescript', 'failed', 'SYNTAX_ERROR', { code: 'const = 1' }],
      ['python', 'succeeded', '', { code: '1' }],
      ['python', 'timed_out', 'TIMEOUT', { code: 'while True: pass', timeoutMs: 100 }],
    ];
    const before = await samples();
    for (const [language, , , body] of outcomes) await execute({ language, ...body });
    const after = await samples();
    for (const [language, status, code] of outcomes) {
      const key = name(language, status, code);
      expect((after.get(key) ?? 0) - (before.get(key) ?? 0), key).toBe(1);
    }
    expect(after.get('code_executor_executions{state="running"}')).toBe(0);
    expect(after.get('code_executor_executions{state="queued"}')).toBe(0);
    expect(after.get('code_executor_tools')).toBe(TOOLS.length * 2);
    expect(after.get('code_executor_tool_servers{state="ready"}')).toBe(2);
    const claims = (of: Map<string, number>): number =>
      ['hit', 'miss'].reduce((sum, outcome) => sum + (of.get(`code_executor_pool_claims_total{outcome="${outcome}"}`) ?? 0), 0);
    // What does not parse takes no sandbox.
    expect(claims(after) - claims(before)).toBe(outcomes.length - 1);
    const answered = 'code_executor_http_request_duration_seconds_count{method="POST",route="/execute",status="200"}';
    expect((after.get(answered) ?? 0) - (before.get(answered) ?? 0)).toBe(outcomes.length);
  });

  test('paths that clients make up do not become series', async () => {
    for (let n = 0; n < 20; n += 1) await service().get(`/made-up-${n}`);
    expect([...(await samples()).keys()].join('\n')).not.toContain('made-up');
  });
});

describe('the description of the API', () => {
  interface Operation {
    summary?: string;
    security?: unknown[];
    responses: Record<string, { content?: unknown; description?: string }>;
    requestBody?: unknown;
  }

  test('is OpenAPI 3.1 with every route of the contract and what each answers', async () => {
    const reply = await ask(service(), 'GET', '/openapi.json', { key: null });
    expect(reply.status).toBe(200);
    const document = reply.json() as {
      openapi: string;
      info: { title: string; version: string };
      paths: Record<string, Record<string, Operation>>;
    };
    expect(document.openapi).toMatch(/^3\.1\.\d$/);
    expect(document.info).toMatchObject({ title: expect.any(String), version: expect.stringMatching(/^\d/) });
    const routes = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(routes).toEqual(
      expect.arrayContaining([
        'POST /execute',
        'GET /executions',
        'GET /executions/{id}',
        'GET /executions/{id}/events',
        'POST /executions/{id}/cancel',
        'POST /executions/{id}/resume',
        'GET /tools',
        'GET /tools/search',
        'GET /tools/info/{server}/{tool}',
        'POST /tools/invoke/{server}/{tool}',
        'GET /integrations',
        'POST /integrations',
        'GET /integrations/{slug}',
        'DELETE /integrations/{slug}',
        'POST /integrations/{slug}/refresh',
        'GET /policies',
        'POST /policies',
        'DELETE /policies/{id}',
        'GET /keys',
        'POST /keys',
        'DELETE /keys/{id}',
        'GET /health',
        'GET /health/ready',
        'GET /metrics',
      ]),
    );
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const place = `${method} ${path}`;
        expect(operation.summary, place).toBeTruthy();
        expect(
          Object.keys(operation.responses).some((status) => status.startsWith('2')),
          place,
        ).toBe(true);
        for (const parameter of path.matchAll(/\{(\w+)\}/g)) {
          expect(JSON.stringify(operation), place).toContain(`"name":"${parameter[1]}"`);
        }
        if (operation.security === undefined)
          expect(Object.keys(operation.responses), place).toEqual(expect.arrayContaining(['401', '403']));
      }
    }
    unresolvedReferences(document).forEach((reference) => {
      throw new Error(`${reference} leads nowhere`);
    });
    const execute = document.paths['/execute']?.post;
    expect(JSON.stringify(execute?.requestBody)).toMatch(/"timeoutMs":\{[^}]*"maximum":300000/);
    expect(Object.keys(execute?.responses ?? {})).toEqual(expect.arrayContaining(['200', '202', '400', '401', '409', '413', '415', '503']));
  });

  test('is readable as pages that need no network', async () => {
    const page = await ask(service(), 'GET', '/docs', { key: null });
    const html =
      page.status === 302
        ? await ask(service(), 'GET', new URL(page.headers.location ?? '', `${service().url}/docs`).pathname, { key: null })
        : page;
    expect(html.status).toBe(200);
    expect(html.headers['content-type']).toMatch(/text\/html/);
    const assets = [...html.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(assets.length).toBeGreaterThan(2);
    for (const asset of assets) {
      const url = new URL(asset, `${service().url}/docs/`);
      expect(url.origin).toBe(service().url);
      expect((await ask(service(), 'GET', url.pathname, { key: null })).status, asset).toBe(200);
    }
  });
});

function unresolvedReferences(document: unknown): string[] {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] ?? '');
  return references.filter((reference) => {
    if (!reference.startsWith('#/')) return true;
    let at: unknown = document;
    for (const part of reference.slice(2).split('/')) {
      at =
        typeof at === 'object' && at !== null
          ? (at as Record<string, unknown>)[part.replaceAll('~1', '/').replaceAll('~0', '~')]
          : undefined;
    }
    return at === undefined;
  });
}

describe('the catalog', () => {
  interface ToolInfo {
    signature: string;
    inputSchema: { properties: object };
    wrapper: { path: string; source: string; pythonPath: string; pythonSource: string };
    policy: { action: string; reason: string };
    example: { typescript: string; python: string };
  }
  const infoOf = async (server: string, tool: string): Promise<ToolInfo> => {
    const { status, body } = await service().get(`/tools/info/${server}/${tool}`);
    expect(status, JSON.stringify(body)).toBe(200);
    return body as ToolInfo;
  };

  test('info has signature, schema, policy, and the very wrapper that a sandbox sees', async () => {
    const info = await infoOf('notes', 'slow_note');
    expect(info.signature).toMatch(/slow_note\(.*text: string.*ms: number/s);
    expect(Object.keys(info.inputSchema.properties)).toEqual(['text', 'ms']);
    expect(info.policy).toMatchObject({ action: 'allow', reason: expect.any(String) });
    expect((await infoOf('more-notes', 'slow_note')).policy.action).toBe('require_approval');
    const files = [info.wrapper.path, info.wrapper.pythonPath];
    const inside = await typescript(
      "const fs = await import('node:fs');\nreturn args.files.map((f: string) => fs.readFileSync(f, 'utf8'))",
      { args: { files } },
    );
    expect(inside).toMatchObject({ error: null, result: [info.wrapper.source, info.wrapper.pythonSource] });
  });

  test.each(['note', 'slow_note', 'count_notes', 'learn'])(
    'the examples of %s run as they are pasted, in both languages, and type-check',
    async (tool) => {
      const { example } = await infoOf('notes', tool);
      expect(await typescript(example.typescript, { typecheck: true })).toMatchObject({
        error: null,
        status: 'succeeded',
        toolCalls: [{ tool: `notes.${tool}`, outcome: tool === 'learn' ? expect.any(String) : 'ok' }],
      });
      expect(await python(example.python)).toMatchObject({ toolCalls: [{ tool: `notes.${tool}` }] });
    },
  );

  test('search bears typing errors, other forms of a word, and words of description or parameters', async () => {
    const found = async (q: string, more = ''): Promise<string[]> => {
      const { status, body } = await service().get(`/tools/search?q=${encodeURIComponent(q)}&detail=name&server=notes${more}`);
      expect(status, JSON.stringify(body)).toBe(200);
      return (body as { items: Record<string, string[]> }).items.notes ?? [];
    };
    expect((await found('count notes'))[0]).toBe('count_notes');
    expect((await found('cuont'))[0]).toBe('count_notes');
    expect((await found('counting'))[0]).toBe('count_notes');
    expect((await found('countNotes'))[0]).toBe('count_notes');
    expect((await found('takes its time'))[0]).toBe('slow_note');
    expect(await found('path')).toContain('look');
    expect(await found('zzzzqqqq')).toEqual([]);
    expect(await found('')).toEqual(expect.arrayContaining(TOOLS));
  });

  test('search is filtered by server, and every detail has its shape and its count of tokens', async () => {
    const search = async (query: string) =>
      (await service().get(`/tools/search?${query}`)).body as {
        items: unknown;
        total: number;
        tokens: number;
        tokensSaved: number;
        nextOffset: number | null;
      };
    const names = await search('q=note&detail=name');
    expect(Object.keys(names.items as object).sort()).toEqual(['more-notes', 'notes']);
    const one = await search('q=note&detail=description&server=more-notes');
    expect(one.items).toMatchObject({ 'more-notes': { note: 'Writes a note down' } });
    expect(Object.keys(one.items as object)).toEqual(['more-notes']);
    const full = await search('q=note&detail=full&server=notes');
    expect(full.items).toEqual(expect.arrayContaining([expect.objectContaining({ name: 'note', inputSchema: expect.any(Object) })]));
    expect(names.tokens).toBeLessThan((await search('q=note&detail=description')).tokens);
    expect(one.tokens).toBeLessThan(full.tokens);
    expect(names.tokensSaved).toBeGreaterThan(0);
  });

  test('pages of search and of the list are stable, without loss or repeat', async () => {
    const searched: string[] = [];
    for (let offset: number | null = 0; offset !== null; ) {
      const { body } = await service().get(`/tools/search?q=note&detail=name&limit=3&offset=${offset}`);
      const page = body as { items: Record<string, string[]>; total: number; nextOffset: number | null };
      const names = Object.entries(page.items).flatMap(([server, tools]) => tools.map((tool) => `${server}.${tool}`));
      expect(names.length).toBeLessThanOrEqual(3);
      searched.push(...names);
      offset = page.nextOffset;
      if (offset === null) expect(searched).toHaveLength(page.total);
    }
    expect(new Set(searched).size).toBe(searched.length);
    const again = (await service().get('/tools/search?q=note&detail=full&limit=200')).body as { items: { server: string; name: string }[] };
    expect([...searched].sort()).toEqual(again.items.map(({ server, name }) => `${server}.${name}`).sort());

    const listed: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body } = await service().get(`/tools?limit=3${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
      const page = body as { items: { server: string; name: string }[]; total: number; nextCursor: string | null };
      listed.push(...page.items.map(({ server, name }) => `${server}.${name}`));
      cursor = page.nextCursor;
      if (cursor === null) expect(listed).toHaveLength(page.total);
    }
    expect(new Set(listed).size).toBe(listed.length);
  });

  test('history is paged the same way, newest first', async () => {
    const { key } = await makeKey(service(), 'agent');
    for (let n = 0; n < 7; n += 1) await ask(service(), 'POST', '/execute', { key, body: { language: 'typescript', code: `return ${n}` } });
    const seen: { executionId: string; createdAt: string }[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = (await ask(service(), 'GET', `/executions?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`, { key })).json() as {
        items: { executionId: string; createdAt: string }[];
        nextCursor: string | null;
        total: number;
      };
      expect(page.total).toBe(7);
      seen.push(...page.items);
      cursor = page.nextCursor;
    }
    expect(new Set(seen.map(({ executionId }) => executionId)).size).toBe(7);
    expect(seen.map(({ createdAt }) => createdAt)).toEqual(
      seen
        .map(({ createdAt }) => createdAt)
        .sort()
        .reverse(),
    );
  });

  test('a tool is called without code, with its arguments checked', async () => {
    const called = await service().post('/tools/invoke/notes/note', { args: { text: 'by hand' } });
    expect(called).toMatchObject({ status: 200, body: { tool: 'notes.note', result: 'noted by hand', durationMs: expect.any(Number) } });
    const refused = await service().post('/tools/invoke/notes/note', { args: { txet: 1 } });
    expect(refused).toMatchObject({
      status: 400,
      body: { error: { code: 'INVALID_ARGUMENTS', message: expect.stringMatching(/unknown argument "txet": did you mean "text"\?/) } },
    });
    const misspelt = await service().post('/tools/invoke/notes/cuont_notes', { args: {} });
    expect(misspelt).toMatchObject({
      status: 404,
      body: { error: { code: 'TOOL_NOT_FOUND', message: expect.stringContaining('count_notes') } },
    });
  });
});
