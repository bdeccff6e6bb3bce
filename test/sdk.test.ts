import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createClient, type ExecutionEvent, ExecutorError } from '@code-executor/sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openShell } from './support/cli.ts';
import { docsBlocks } from './support/docs-blocks.ts';
import { recordingServer } from './support/recording-entry.ts';
import { type Service, startService } from './support/start-service.ts';

let directory: string;
let service: Service;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sdk-'));
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'notes.txt'), '');
  const mcpServers = { notes: recordingServer(join(directory, 'notes.txt')) };
  writeFileSync(join(directory, 'data/mcp-servers.json'), JSON.stringify({ mcpServers }));
  service = await startService(join(directory, 'data'));
}, 150_000);

afterAll(async () => {
  await service?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const connect = (more: Parameters<typeof createClient>[0] = {}) => createClient({ url: service.url, key: service.key, ...more });

test('what docs/sdk.md and docs/generate.md say works as it stands', async () => {
  const shell = openShell(join(directory, 'docs'), { EXECUTOR_URL: service.url, EXECUTOR_KEY: service.key });
  const commands = docsBlocks('generate.md').filter(({ language }) => language === 'sh');
  expect(await shell.bash(commands.map(({ code }) => code).join('\n'))).toMatchObject({ code: 0 });
  const printed: string[] = [];
  for (const page of ['sdk.md', 'generate.md']) {
    for (const [at, { code }] of docsBlocks(page)
      .filter(({ language }) => language === 'ts')
      .entries()) {
      const file = join(directory, 'docs', `${page}-${at}.ts`);
      writeFileSync(file, code);
      const ended = await shell.node(file);
      expect([ended.code, ended.err]).toEqual([0, '']);
      printed.push(ended.out.trim());
    }
  }
  expect(printed).toEqual(['42\nhello\n42\ntrue\n{ count: 0 }', 'succeeded\nTOOL_NOT_FOUND', '{ count: 0 }']);
});

test('a generated client type-checks in the strictest of projects', async () => {
  const file = join(directory, 'docs', 'notes.ts');
  const tsc = fileURLToPath(new URL('../node_modules/.bin/tsc', import.meta.url));
  const use = join(directory, 'docs', 'use.ts');
  writeFileSync(
    use,
    `import { createClient } from './notes.ts';
const client = createClient({ url: 'http://x' });
export const good: Promise<unknown> = client.notes.slow_note({ text: 'a', ms: 1 });
// @ts-expect-error: a text, not a number
export const bad = client.notes.note({ text: 1 });
// @ts-expect-error: no such tool
export const none = client.notes.nothing({});
`,
  );
  const strict = [
    'strict',
    'exactOptionalPropertyTypes',
    'noUncheckedIndexedAccess',
    'noUnusedLocals',
    'noUnusedParameters',
    'noImplicitOverride',
    'erasableSyntaxOnly',
  ];
  const flags = [
    ...strict.map((flag) => `--${flag}`),
    '--noEmit',
    '--ignoreConfig',
    '--allowImportingTsExtensions',
    '--module',
    'esnext',
    '--moduleResolution',
    'bundler',
    '--target',
    'es2022',
    '--lib',
    'es2022,dom',
  ];
  const checked = await promisify(execFile)(tsc, [...flags, file, use]).catch((error: { stdout: string }) => error);
  expect(checked.stdout).toBe('');
  expect(readFileSync(file, 'utf8')).not.toMatch(/^import/m);
});

test('the same request never starts a second execution, also where its answer was lost', async () => {
  let isFirst = true;
  const client = connect({
    async fetch(...args) {
      const response = await fetch(...args);
      if (!isFirst) return response;
      isFirst = false;
      await response.text();
      throw new TypeError('fetch failed');
    },
  });
  const { result } = await client.execute("return await tools.notes.note({ text: 'once' })");
  expect(result).toBe('noted once');
  expect(readFileSync(join(directory, 'notes.txt'), 'utf8').match(/note once/g)).toHaveLength(1);
});

test('events go on where a connection breaks: none is lost, none comes twice', async () => {
  // Between the two, a proxy that cuts every answer after its first few hundred bytes.
  let cuts = 0;
  const proxy = createServer((request, response) => {
    const headers = { authorization: `Bearer ${service.key}`, 'last-event-id': String(request.headers['last-event-id'] ?? '') };
    void fetch(`${service.url}${request.url}`, { headers }).then(async (answer) => {
      response.writeHead(answer.status, { 'content-type': 'text/event-stream' });
      let sent = 0;
      for await (const chunk of answer.body ?? []) {
        response.write(chunk);
        sent += chunk.length;
        if (sent < 400) continue;
        cuts += 1;
        // What was written has to get through first.
        setTimeout(() => response.destroy(), 100);
        return;
      }
      response.end();
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  try {
    const { executionId } = await connect().submit({
      language: 'typescript',
      code: 'for (let i = 0; i < 60; i += 1) { console.log("line " + i); await new Promise((r) => setTimeout(r, 20)); }',
    });
    const events: ExecutionEvent[] = [];
    const through = createClient({ url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, key: 'k' });
    for await (const event of through.executions.events(executionId)) events.push(event);
    expect(cuts).toBeGreaterThan(0);
    expect(events.map(({ id }) => id)).toEqual(events.map((_, at) => at + 1));
    const text = events.map((event) => (event.type === 'output' ? event.data.text : '')).join('');
    expect(text).toBe(Array.from({ length: 60 }, (_, at) => `line ${at}\n`).join(''));
    expect(events.at(-1)).toMatchObject({ type: 'ended', data: { status: 'succeeded' } });
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});

test('refusals carry code, status and request id, and are not repeated where something may have happened', async () => {
  let requests = 0;
  const client = connect({
    fetch: (...args) => {
      requests += 1;
      return fetch(...args);
    },
  });
  const refused = await client.tools.invoke('notes', 'note', { text: 1 }).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(ExecutorError);
  expect(refused).toMatchObject({ code: 'INVALID_ARGUMENTS', status: 400, requestId: expect.stringMatching(/^req_/) });
  expect(requests).toBe(1);
  const away = createClient({ url: 'http://127.0.0.1:9', retries: 0 });
  await expect(away.health()).rejects.toMatchObject({ code: 'NETWORK_ERROR', status: 0 });
});

test('patience is as long as the service asks for, and a POST without effect-once is not sent twice', async () => {
  const statuses = [503, 503, 200];
  const asked: number[] = [];
  const fetcher = (code: string) => async () => {
    asked.push(Date.now());
    const status = statuses[asked.length - 1] ?? 200;
    return status === 200
      ? Response.json({ items: [], total: 0, nextCursor: null })
      : Response.json({ error: { code, message: 'later', requestId: 'req_1' } }, { status, headers: { 'retry-after': '1' } });
  };
  await expect(createClient({ fetch: fetcher('TOOLS_UNAVAILABLE') }).keys.list()).resolves.toMatchObject({ total: 0 });
  expect(asked).toHaveLength(3);
  expect((asked[1] ?? 0) - (asked[0] ?? 0)).toBeGreaterThanOrEqual(990);
  asked.length = 0;
  const post = createClient({ fetch: fetcher('TOOLS_UNAVAILABLE') }).keys.create({ name: 'n', role: 'agent' });
  await expect(post).rejects.toMatchObject({ code: 'TOOLS_UNAVAILABLE', retryAfterMs: 1_000 });
  expect(asked).toHaveLength(1);
});

test('a timeout and a signal end the wait, not what runs', async () => {
  const client = connect();
  const code = 'await new Promise((r) => setTimeout(r, 1500)); return 5';
  await expect(client.execute(code, { timeoutMs: 200 })).rejects.toMatchObject({ code: 'CLIENT_TIMEOUT' });
  const reason = new Error('enough');
  await expect(client.execute(code, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const { items } = await client.executions.list({ limit: 1 });
  expect(await client.executions.wait(items[0]?.executionId ?? '')).toMatchObject({ status: 'succeeded', result: 5 });
});

test('files of sessions go in and out as they are', async () => {
  const client = connect();
  await client.execute({ language: 'python', code: 'x = 1', sessionId: 'bytes' });
  const bytes = new Uint8Array([0, 255, 128, 10, 13]);
  expect(await client.sessions.upload('bytes', 'a-b/c.bin', bytes)).toEqual({ path: 'a-b/c.bin', bytes: 5 });
  expect(await client.sessions.download('bytes', 'a-b/c.bin')).toEqual(bytes);
  await client.sessions.end('bytes');
});
