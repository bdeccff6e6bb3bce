import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client as NewestClient, StreamableHTTPClientTransport as NewestTransport } from '@modelcontextprotocol/client';
import { ElicitRequestSchema, LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask } from '../support/ask.ts';
import { docsBlocks } from '../support/docs-blocks.ts';
import { type Service, startService } from '../support/start-service.ts';
import { connectClient, textOf } from './client.ts';

const run = promisify(execFile);
let directory: string;
let service: Service;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mcp-'));
  const dataDir = join(directory, 'data');
  mkdirSync(dataDir);
  const upstream = (name: string, ...args: string[]) => [fileURLToPath(new URL(name, import.meta.url)), ...args];
  const mcpServers = {
    notes: { command: process.execPath, args: upstream('../support/recording-server.ts', join(directory, 'notes')), trust: true },
    // Not trusted and not read-only: each of its calls waits for a human.
    gated: { command: process.execPath, args: upstream('../support/recording-server.ts', join(directory, 'gated')), trust: false },
    shapes: { command: process.execPath, args: upstream('conformance-upstream.ts'), trust: true },
  };
  writeFileSync(join(dataDir, 'mcp-servers.json'), JSON.stringify({ mcpServers }));
  service = await startService(dataDir);
}, 150_000);
afterAll(async () => {
  await service?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const SLOW = "for (let i = 0; i < 4; i += 1) { console.log('line ' + i); await new Promise((r) => setTimeout(r, 300)); } return 'done'";
const initialize = (protocolVersion = '2025-11-25') => ({
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion, capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
});
const callExecute = (id: number, code: string, more: object = {}) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'execute', arguments: { language: 'typescript', code }, ...more },
});
const post = (body: unknown, headers: Record<string, string> = {}, key = service.key) =>
  ask(service, 'POST', '/mcp', { body, key, headers: { accept: 'application/json, text/event-stream', ...headers } });
const beginSession = async (key = service.key): Promise<string> => String((await post(initialize(), {}, key)).headers['mcp-session-id']);
const decide = async (url: string): Promise<void> => {
  expect((await service.post(`/approvals/${url.split('/').at(-1)}`, { decision: 'approve', scope: 'once' })).status).toBe(200);
};

it('the official client finds a tool, reads its signature and runs a program that calls it', async () => {
  const { client, transport, call, close } = await connectClient(service);
  try {
    expect(transport.protocolVersion).toBe('2025-11-25');
    expect(client.getInstructions()).toContain('/workspace/servers/');
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['execute', 'search_tools', 'describe_tool', 'resume']);
    expect(textOf(await call('search_tools', { query: 'write a note' }))).toContain('"note"');
    const described = textOf(await call('describe_tool', { tools: ['notes.note', 'notes.nothing'] }));
    expect(described).toContain('/workspace/servers/notes/note.js');
    expect(described).toContain('notes has no tool');
    const answer = await call('execute', {
      language: 'typescript',
      code: "import { note } from '/workspace/servers/notes/note.js'; return await note({ text: 'from a client' })",
    });
    expect(answer).toMatchObject({ structuredContent: { status: 'succeeded', result: 'noted from a client', effects: 'some' } });
    expect(textOf(answer)).toBe('"noted from a client"');
  } finally {
    await close();
  }
});

it('a program that fails is an answer with its code, its line and what it had printed', async () => {
  const { call, close } = await connectClient(service);
  try {
    const answer = await call('execute', { language: 'python', code: "print('before')\n1/0" });
    expect(answer).toMatchObject({ isError: true, structuredContent: { status: 'failed', error: { code: 'UNCAUGHT', line: 2 } } });
    expect(textOf(answer)).toMatch(/UNCAUGHT \(line 2\).*\n.*\nbefore/);
    expect(textOf(await call('execute', { lang: 'python' }))).toMatch(/Unknown field "lang".*Field "code" is missing/);
  } finally {
    await close();
  }
});

it('progress and log messages come while a program runs', async () => {
  const { client, call, close } = await connectClient(service);
  const logged: unknown[] = [];
  const progress: number[] = [];
  try {
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void logged.push(params.data));
    await client.setLoggingLevel('info');
    const answer = await call(
      'execute',
      { language: 'typescript', code: SLOW },
      { onprogress: ({ progress: at }) => void progress.push(at) },
    );
    expect(answer.structuredContent).toMatchObject({ result: 'done' });
    expect(logged.join('')).toBe('line 0\nline 1\nline 2\nline 3\n');
    expect(progress.length).toBeGreaterThan(3);
    expect([...progress].sort((a, b) => a - b)).toEqual(progress);
  } finally {
    await close();
  }
});

it('a client of the 2026 version needs no session, and is told of progress too', async () => {
  const client = new NewestClient({ name: 'newest', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  const transport = new NewestTransport(new URL(`${service.url}/mcp`), {
    requestInit: { headers: { authorization: `Bearer ${service.key}` } },
  });
  const progress: number[] = [];
  try {
    await client.connect(transport);
    expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28');
    expect(transport.sessionId).toBeUndefined();
    expect((await client.listTools()).tools).toHaveLength(4);
    const options = { onprogress: ({ progress: at }: { progress: number }) => void progress.push(at) };
    const answer = await client.callTool({ name: 'execute', arguments: { language: 'typescript', code: SLOW } }, options);
    expect(answer.structuredContent).toMatchObject({ result: 'done' });
    expect(progress.length).toBeGreaterThan(3);
  } finally {
    await client.close();
  }
});

it('a call without a session is answered, and so is every version since 2025-03-26', async () => {
  expect((await post(callExecute(5, 'return 1 + 1'))).json()).toMatchObject({ id: 5, result: { structuredContent: { result: 2 } } });
  for (const version of ['2025-03-26', '2025-06-18', '2025-11-25']) {
    expect((await post(initialize(version))).json()).toMatchObject({ result: { protocolVersion: version } });
  }
  expect((await post(callExecute(6, 'return 1'), { 'mcp-protocol-version': '1999-01-01' })).status).toBe(400);
});

it('a session belongs to its key: another key, a session that ended and a made-up one are answered 404', async () => {
  const { body } = await service.post('/keys', { name: 'other', role: 'agent' });
  const { key: other } = body as { key: string };
  const session = await beginSession();
  const header = { 'mcp-session-id': session };
  expect((await post({ jsonrpc: '2.0', id: 1, method: 'tools/list' }, header)).status).toBe(200);
  expect((await post({ jsonrpc: '2.0', id: 1, method: 'tools/list' }, header, other)).status).toBe(404);
  expect((await post({ jsonrpc: '2.0', id: 1, method: 'tools/list' }, { 'mcp-session-id': `mcp_${'a'.repeat(32)}` })).status).toBe(404);
  expect((await ask(service, 'DELETE', '/mcp', { key: other, headers: header })).status).toBe(404);
  expect((await ask(service, 'DELETE', '/mcp', { headers: header })).status).toBe(204);
  const after = await post({ jsonrpc: '2.0', id: 1, method: 'tools/list' }, header);
  expect(after.status).toBe(404);
  expect(after.json()).toMatchObject({ error: { code: -32_001 } });
});

it('a stream that broke goes on after its last event, to the answer', async () => {
  const session = await beginSession();
  const headers = { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25', accept: 'text/event-stream, application/json' };
  const first = await fetch(`${service.url}/mcp`, {
    method: 'POST',
    headers: { ...headers, authorization: `Bearer ${service.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(callExecute(7, SLOW, { _meta: { progressToken: 'p' } })),
  });
  let lastEventId = '';
  let seen = '';
  const reader = (first.body ?? new ReadableStream<Uint8Array>()).getReader();
  while (!seen.includes('line 0')) {
    const { value, done } = await reader.read();
    expect(done).toBe(false);
    seen += new TextDecoder().decode(value);
    lastEventId = [...seen.matchAll(/^id: (\S+)$/gm)].at(-1)?.[1] ?? '';
  }
  await reader.cancel();

  const rest = await ask(service, 'GET', '/mcp', { headers: { ...headers, 'last-event-id': lastEventId } });
  expect(rest.status).toBe(200);
  const messages = [...rest.text.matchAll(/^data: (\{.*)$/gm)].map(([, data = '']) => JSON.parse(data) as Record<string, unknown>);
  expect(messages.at(-1)).toMatchObject({ id: 7, result: { structuredContent: { result: 'done', status: 'succeeded' } } });
  const told = [...seen.matchAll(/"message":"line (\d)"/g), ...rest.text.matchAll(/"message":"line (\d)"/g)].map(([, line]) => line);
  expect(told).toEqual(['0', '1', '2', '3']);

  expect((await ask(service, 'GET', '/mcp', { headers: { ...headers, 'last-event-id': 'rubbish' } })).status).toBe(400);
  expect((await ask(service, 'GET', '/mcp', { headers })).status).toBe(405);
  const { body } = await service.post('/keys', { name: 'thief', role: 'agent' });
  const stolen = await ask(service, 'GET', '/mcp', {
    key: (body as { key: string }).key,
    headers: { accept: headers.accept, 'last-event-id': lastEventId },
  });
  expect(stolen.status).toBe(404);
});

it('cancelling a call stops its program; hanging up does not', async () => {
  const { call, close } = await connectClient(service);
  const statusOf = async () => {
    const { items } = (await service.get('/executions?limit=1')).body as { items: { executionId: string; status: string }[] };
    return items[0]?.status;
  };
  try {
    const cancel = new AbortController();
    const answer = call(
      'execute',
      { language: 'typescript', code: 'await new Promise((r) => setTimeout(r, 20_000))' },
      { signal: cancel.signal },
    );
    const refused = expect(answer).rejects.toThrow();
    await expect.poll(statusOf).toBe('running');
    cancel.abort('enough');
    await refused;
    await expect.poll(statusOf).toBe('cancelled');
  } finally {
    await close();
  }
  const hangUp = new AbortController();
  const left = fetch(`${service.url}/mcp`, {
    method: 'POST',
    signal: hangUp.signal,
    headers: { authorization: `Bearer ${service.key}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify(callExecute(8, 'await new Promise((r) => setTimeout(r, 1500)); return 1')),
  }).then((response) => response.text());
  const gone = expect(left).rejects.toThrow();
  await expect.poll(statusOf).toBe('running');
  hangUp.abort();
  await gone;
  await expect.poll(statusOf).toBe('succeeded');
});

it('a paused program answers with where to decide; the client is asked to show it, and resume brings the result', async () => {
  const shown: string[] = [];
  const { call, close } = await connectClient(service, {
    capabilities: { elicitation: { url: {} } },
    before: (client) =>
      client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
        if (params.mode === 'url') shown.push(params.url);
        return { action: 'accept' as const };
      }),
  });
  try {
    const paused = await call('execute', { language: 'typescript', code: "return await tools.gated.note({ text: 'with a yes' })" });
    const { executionId, status, approval } = paused.structuredContent as {
      executionId: string;
      status: string;
      approval: { id: string; url: string };
    };
    expect(status).toBe('paused');
    expect(textOf(paused)).toContain(approval.url);
    await expect.poll(() => shown).toEqual([approval.url]);
    expect((await call('resume', { executionId, approvalId: approval.id, waitMs: 0 })).structuredContent).toMatchObject({
      status: 'paused',
    });
    const resumed = call('resume', { executionId, approvalId: approval.id });
    await decide(approval.url);
    expect((await resumed).structuredContent).toMatchObject({ status: 'succeeded', result: 'noted with a yes' });
    expect(readFileSync(join(directory, 'gated'), 'utf8')).toContain('note with a yes');
  } finally {
    await close();
  }
});

it('a client of the 2026 version shows the address and gets the result of the very call', async () => {
  const client = new NewestClient(
    { name: 'newest', version: '1' },
    { versionNegotiation: { mode: 'auto' }, capabilities: { elicitation: { url: {} } } },
  );
  client.setRequestHandler('elicitation/create', async ({ params }) => {
    await decide('url' in params ? params.url : '');
    return { action: 'accept' };
  });
  try {
    await client.connect(
      new NewestTransport(new URL(`${service.url}/mcp`), { requestInit: { headers: { authorization: `Bearer ${service.key}` } } }),
    );
    const answer = await client.callTool({
      name: 'execute',
      arguments: { language: 'typescript', code: "return await tools.gated.note({ text: 'in one call' })" },
    });
    expect(answer.structuredContent).toMatchObject({ status: 'succeeded', result: 'noted in one call' });
  } finally {
    await client.close();
  }
});

it('images and files that a program leaves come back as blocks, and what it returns as blocks is passed on', async () => {
  const { client, call, close } = await connectClient(service);
  try {
    const left = await call('execute', {
      language: 'python',
      code: "import os\nos.makedirs('/workspace/artifacts', exist_ok=True)\nopen('/workspace/artifacts/a.png', 'wb').write(b'\\x89PNG')\nopen('/workspace/artifacts/b.csv', 'w').write('x,y\\n')",
    });
    expect(left.content).toContainEqual({
      type: 'image',
      data: Buffer.from('\x89PNG', 'latin1').toString('base64'),
      mimeType: 'image/png',
    });
    const link = left.content.find(({ type }) => type === 'resource_link');
    expect((await client.readResource({ uri: link?.uri ?? '' })).contents).toMatchObject([{ mimeType: 'text/csv', text: 'x,y\n' }]);
    const passed = await call('execute', { language: 'typescript', code: 'return await tools.shapes.test_multiple_content_types({})' });
    expect(passed.content.map(({ type }) => type)).toEqual(['text', 'image', 'resource']);
    const wrapper = await client.readResource({ uri: 'wrapper://notes/note.ts' });
    expect(wrapper.contents[0]).toMatchObject({ text: expect.stringContaining('note') });
  } finally {
    await close();
  }
});

it('passthrough lists the real tools with their schemas and calls them; what is gated waits there too', async () => {
  const { client, call, close } = await connectClient(service, { query: '?mode=passthrough' });
  try {
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['notes__note', 'gated__note', 'shapes__test_simple_text', 'resume']));
    expect(names).not.toContain('execute');
    expect(textOf(await call('notes__note', { text: 'passed' }))).toBe('noted passed');
    expect(textOf(await call('notes__note', { txt: 'wrong' }))).toMatch(/^INVALID_ARGUMENTS/);
    const paused = await call('gated__note', { text: 'gated' });
    expect(paused.isError).toBe(true);
    const [, url = ''] = /decide: (\S+)/.exec(textOf(paused)) ?? [];
    const [, executionId = ''] = /"executionId":"(\w+)"/.exec(textOf(paused)) ?? [];
    await decide(url);
    expect(textOf(await call('resume', { executionId }))).toContain('noted gated');
  } finally {
    await close();
  }
});

it('forty sessions at once each get their own answers', async () => {
  const connections = await Promise.all(Array.from({ length: 40 }, () => connectClient(service)));
  try {
    const answers = await Promise.all(
      connections.map(({ call }, index) => call('execute', { language: 'typescript', code: `return ${index} * 2` })),
    );
    expect(answers.map(({ structuredContent }) => structuredContent?.result)).toEqual(connections.map((_connection, index) => index * 2));
    expect(new Set(connections.map(({ transport }) => transport.sessionId)).size).toBe(40);
  } finally {
    await Promise.all(connections.map(({ close }) => close()));
  }
}, 120_000);

it.each([
  ['no JSON', '{"jsonrpc":', 400, -32_700],
  ['a batch', '[]', 400, -32_600],
  ['no message', '{"hello":1}', 400, -32_600],
  ['a key twice', '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', 400, -32_700],
])('%s is refused in the form of the protocol', async (_name, raw, status, code) => {
  const answer = await ask(service, 'POST', '/mcp', { raw });
  expect(answer.status).toBe(status);
  expect(answer.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code } });
});

it('a page of another site is not answered, and who has no key is told where to get in', async () => {
  expect((await post(initialize(), { origin: 'https://evil.example' })).status).toBe(403);
  expect((await ask(service, 'POST', '/mcp', { body: initialize(), headers: { host: 'evil.example' } })).status).toBe(403);
  const refused = await ask(service, 'POST', '/mcp', { body: initialize(), key: null });
  expect(refused.status).toBe(401);
  expect(refused.headers['www-authenticate']).toContain(`resource_metadata="${service.url}/.well-known/oauth-protected-resource/mcp"`);
});

it('the commands of docs/mcp.md run as they stand', async () => {
  mkdirSync(join(directory, '.code-executor'), { recursive: true });
  writeFileSync(join(directory, '.code-executor', 'admin.key'), service.key);
  const script = docsBlocks('mcp.md')
    .filter(({ language }) => language === 'sh')
    .map(({ code }) => code.replaceAll('http://127.0.0.1:9091', service.url))
    .join('\n');
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script], { env: { PATH: process.env.PATH, HOME: directory } });
  for (const expected of [
    '"describe_tool"',
    '"result":42',
    '"items":[',
    '"user_code"',
    '"code_challenge_methods_supported":["S256"]',
    `"resource":"${service.url}/mcp"`,
  ]) {
    expect(stdout).toContain(expected);
  }
  expect(stdout).not.toMatch(/"error":(\{"code|")/);
});
