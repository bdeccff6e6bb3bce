import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createExecutor, type SourcePlugin } from '@code-executor/standalone';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROUTES = new URL('../examples/source-plugin/routes-kind.ts', import.meta.url);
const DOCUMENT = '#routes Notes 1.0\nget count_notes /notes/count Counts the notes\npost add_note /notes Writes a note down\n';
const notes: unknown[] = [];
let directory: string;
let upstream: Server;
let address: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'plugins-'));
  upstream = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    if (request.method === 'POST') notes.push(JSON.parse(body));
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ count: notes.length }));
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
});
afterAll(() => {
  upstream?.close();
  rmSync(directory, { recursive: true, force: true });
});

const embed = (name: string, plugins?: readonly SourcePlugin[]) => {
  const dataDir = join(directory, name);
  mkdirSync(dataDir, { recursive: true });
  const settings = { EXECUTOR_POOL_PYTHON: '1', EXECUTOR_POOL_TYPESCRIPT: '1', EXECUTOR_SHIPPED_SKILLS: 'false' };
  return createExecutor({ dataDir, settings, ...(plugins === undefined ? {} : { plugins }) });
};

test('a kind of one’s own is a source like any other: found out, searched, typed, gated, called from both languages', async () => {
  const executor = await embed('own', [ROUTES, 'openapi']);
  try {
    // Not said: the kind that knows the document takes it.
    const added = await executor.integrations.add({ slug: 'notes', document: DOCUMENT, baseUrl: address });
    expect(added).toMatchObject({ kind: 'routes', toolCount: 2, document: { title: 'Notes', format: 'a list of routes' } });
    const found = async () => JSON.stringify((await executor.tools.search({ q: 'writes a note down', limit: 3 })).items);
    await expect.poll(found).toContain('add_note');
    expect((await executor.execute({ language: 'python', code: 'tools.notes.count_notes()' })).result).toEqual({ count: 0 });
    const { status, executionId, approval } = await executor.execute("return await tools.notes.add_note({ text: 'hello' })");
    expect([status, notes.length]).toEqual(['paused', 0]);
    await executor.approvals.decide(approval?.id ?? '', { decision: 'approve' });
    expect((await executor.executions.wait(executionId)).result).toEqual({ count: 1 });
    expect(notes).toEqual([{ text: 'hello' }]);
  } finally {
    await executor.close();
  }
});

test('what is given decides: kinds that are left out are not there, and an integration whose plugin is gone says so', async () => {
  const with_ = await embed('twice', [ROUTES]);
  try {
    await with_.integrations.add({ slug: 'notes', kind: 'routes', document: DOCUMENT, baseUrl: address, trust: true });
    expect((await with_.execute('return await tools.notes.count_notes({})')).result).toEqual({ count: notes.length });
    await expect(with_.integrations.add({ slug: 'api', kind: 'openapi', document: '{}', baseUrl: address })).rejects.toMatchObject({
      code: 'INTEGRATION_INVALID',
      message: expect.stringContaining('there are mcp, routes'),
    });
  } finally {
    await with_.close();
  }
  const without = await embed('twice');
  try {
    expect(await without.integrations.get('notes')).toMatchObject({ state: 'broken', reason: expect.stringContaining('"routes"') });
  } finally {
    await without.close();
  }
  await expect(embed('twice', [new URL('file:///nowhere.js')])).rejects.toThrow(/plugins: file:\/\/\/nowhere\.js: it cannot be loaded/);
});

test('examples/source-plugin runs as it stands', async () => {
  const before = notes.length;
  const script = fileURLToPath(new URL('../examples/source-plugin/embed.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, join(directory, 'example'), address], { timeout: 110_000 });
  expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toEqual({ count: before + 1 });
});
