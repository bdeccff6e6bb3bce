import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixtures } from '../support/fixture-servers.ts';
import { freePort } from '../support/free-port.ts';
import type { Answer } from '../support/service-suite.ts';
import { type Service, startService } from '../support/start-service.ts';
import { connectClient, type McpConnection, textOf } from './client.ts';

let directory: string;
let service: Service;
let everything: ChildProcess | undefined;

const reference = fixtures === undefined ? null : join(fixtures, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');
const demanding = { command: process.execPath, args: [fileURLToPath(new URL('demanding-upstream.ts', import.meta.url))] };

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'reference-'));
  mkdirSync(join(directory, 'data'));
  const mcpServers: Record<string, object> = { demanding: { ...demanding, trust: true } };
  if (reference !== null) {
    const port = await freePort();
    everything = spawn(process.execPath, [reference, 'streamableHttp'], { env: { ...process.env, PORT: String(port) }, stdio: 'ignore' });
    mcpServers.here = { command: process.execPath, args: [reference, 'stdio'], trust: true };
    mcpServers.there = { url: `http://127.0.0.1:${port}/mcp`, trust: true };
  }
  writeFileSync(join(directory, 'data/mcp-servers.json'), JSON.stringify({ mcpServers }));
  service = await startService(join(directory, 'data'));
  await untilTools(reference === null ? 10 : 10 + 2 * OFFERED);
}, 180_000);
afterAll(async () => {
  everything?.kill();
  await service?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** How many tools the reference server offers to a client without capabilities. */
const OFFERED = 13;
async function untilTools(total: number): Promise<void> {
  const deadline = Date.now() + 90_000;
  for (;;) {
    const { totalTools } = (await service.get('/health')).body as { totalTools: number };
    if (totalTools >= total) return;
    if (Date.now() > deadline) throw new Error(`${totalTools} of ${total} tools after 90 s`);
    await sleep(100);
  }
}

/** What a client that is connected to the server itself would be told. */
async function connectDirectly({ command, args }: { command: string; args: string[] }): Promise<Client> {
  const client = new Client({ name: 'direct', version: '1' }, { capabilities: {} });
  await client.connect(new StdioClientTransport({ command, args, stderr: 'ignore' }));
  return client;
}
const passed = (server: string): Promise<McpConnection> => connectClient(service, { query: `?mode=passthrough&server=${server}` });
const run = async (language: string, code: string): Promise<Answer> => {
  const { status, body } = await service.post('/execute', { language, code });
  expect(status, JSON.stringify(body)).toBe(200);
  return body as Answer;
};

/** What code sees of an answer, as docs/sources.md has it. */
function codeSees({
  content = [],
  structuredContent,
}: {
  content?: { type: string; text?: string }[];
  structuredContent?: unknown;
}): unknown {
  if (structuredContent !== undefined) return structuredContent;
  const texts = content.map(({ text }) => text);
  if (content.some(({ type }) => type !== 'text')) return content;
  return texts.length === 1 && /^[[{]/.test(texts[0] ?? '') ? JSON.parse(texts[0] ?? '') : texts.join('\n');
}

/** A call of each tool that the reference server offers to a client without capabilities. */
const CALLS: readonly (readonly [tool: string, args: Record<string, unknown>])[] = [
  ['echo', { message: 'ünï \u0001 \u202e "q"' }],
  ['get-annotated-message', { messageType: 'error', includeImage: true }],
  ['get-annotated-message', { messageType: 'debug', includeImage: false }],
  ['get-resource-links', { count: 5 }],
  ['get-resource-reference', { resourceType: 'Blob', resourceId: 3 }],
  ['get-structured-content', { location: 'Chicago' }],
  ['get-sum', { a: 19, b: 23 }],
  ['get-tiny-image', {}],
  ['gzip-file-as-resource', { name: 'a.gz', data: 'data:text/plain,hello', outputType: 'resource' }],
  ['gzip-file-as-resource', { name: 'a.gz', data: 'data:text/plain,hello', outputType: 'resourceLink' }],
  ['gzip-file-as-resource', { name: 'a.gz', data: 'ftp://nowhere/', outputType: 'resource' }],
  ['toggle-simulated-logging', {}],
  ['toggle-subscriber-updates', {}],
  ['trigger-long-running-operation', { duration: 1, steps: 4 }],
];
/** Its time stamp and its session's id differ from one call to the next. */
const steady = (answer: unknown): string =>
  JSON.stringify(answer)
    .replaceAll(/\d\d?:\d\d:\d\d [AP]M/g, 'time')
    .replaceAll(/session [0-9a-f-]{36}|session undefined|session null/g, 'session');

describe.skipIf(reference === null)('the reference server as an upstream (needs EXECUTOR_TEST_FIXTURES)', () => {
  let direct: Client;
  beforeAll(async () => {
    direct = await connectDirectly({ command: process.execPath, args: [reference ?? '', 'stdio'] });
  });
  afterAll(() => direct?.close());

  it.each(['here', 'there'])('its tools are listed as it lists them: %s', async (server) => {
    const { client, close } = await passed(server);
    try {
      const listed = (await client.listTools()).tools.filter(({ name }) => name !== 'resume');
      const own = (await direct.listTools()).tools;
      expect(listed.map(({ name }) => name).sort()).toEqual(own.map(({ name }) => name).sort());
      for (const { name, title, description, inputSchema, outputSchema, annotations } of own) {
        expect(listed.find((tool) => tool.name === name)).toMatchObject({
          description,
          inputSchema,
          ...(title === undefined ? {} : { title }),
          ...(outputSchema === undefined ? {} : { outputSchema }),
          ...(annotations === undefined ? {} : { annotations }),
        });
      }
      const tried = new Set(['get-env', 'simulate-research-query', ...CALLS.map(([name]) => name)]);
      expect(own.map(({ name }) => name).filter((name) => !tried.has(name) && !/roots/.test(name))).toEqual([]);
    } finally {
      await close();
    }
  });

  it.each(['here', 'there'])('every tool answers what it answers directly, passed through from %s', async (server) => {
    // Of its own: some tools are switches.
    const fresh = await connectDirectly({ command: process.execPath, args: [reference ?? '', 'stdio'] });
    const { client, close } = await passed(server);
    try {
      for (const [name, args] of CALLS) {
        const { content, structuredContent, isError } = await fresh.callTool({ name, arguments: args });
        const through = await client.callTool({ name, arguments: args });
        const seen = { content: through.content, structuredContent: through.structuredContent, isError: through.isError ?? undefined };
        expect(`${name} ${steady(seen)}`).toBe(`${name} ${steady({ content, structuredContent, isError: isError ?? undefined })}`);
      }
    } finally {
      await close();
      await fresh.close();
    }
  });

  it('every tool gives a program the value that its answer stands for, in both languages', async () => {
    for (const [name, args] of CALLS.filter(([name]) => !name.startsWith('toggle'))) {
      const own = (await direct.callTool({ name, arguments: args })) as Parameters<typeof codeSees>[0] & { isError?: boolean };
      const json = JSON.stringify(args);
      const script = name.replaceAll('-', '_');
      const typescript = await run('typescript', `return await tools.here.${script}(${json})`);
      const python = await run('python', `import json\ntools.there.${script}(**json.loads(${JSON.stringify(json)}))`);
      for (const { result, error } of [typescript, python]) {
        if (own.isError === true) expect(error?.message).toContain(own.content?.[0]?.text);
        else expect(`${name} ${steady(result)}`).toBe(`${name} ${steady(codeSees(own))}`);
      }
    }
  });

  it('its environment holds nothing of the service, and a tool that wants a task says so', async () => {
    const { call, close } = await passed('here');
    try {
      expect(textOf(await call('get-env', {}))).not.toMatch(/EXECUTOR_|cex_/);
      const own = await direct.request(
        { method: 'tools/call', params: { name: 'simulate-research-query', arguments: { topic: 'x' } } },
        (await import('@modelcontextprotocol/sdk/types.js')).CallToolResultSchema,
      );
      const through = await call('simulate-research-query', { topic: 'x' });
      expect([through.isError, textOf(through)]).toEqual([own.isError, textOf(own as unknown as Parameters<typeof textOf>[0])]);
    } finally {
      await close();
    }
  });
});

describe('a server that asks for what it may not have, and answers in every way', () => {
  it.each([
    ['ask_model', -32_601],
    ['ask_human', -32_601],
    ['ask_human_at_address', -32_601],
    ['ask_roots', -32_601],
  ])('%s: it is told that nobody here answers that', async (tool, code) => {
    const { call, close } = await passed('demanding');
    try {
      expect(textOf(await call(tool, {}))).toMatch(new RegExp(`^refused ${code}: .*Method not found`));
      expect((await run('python', `tools.demanding.${tool}()`)).result).toMatch(/^refused -32601/);
    } finally {
      await close();
    }
  });

  it('what it answers comes through as it is: blocks, marks, structure, failures and names of its own', async () => {
    const direct = await connectDirectly(demanding);
    const { client, close } = await passed('demanding');
    try {
      for (const name of ['spaced_json', 'several_texts', 'structured_and_image', 'failing_with_image', 'nothing']) {
        const own = await direct.callTool({ name, arguments: {} });
        const { _meta, ...through } = await client.callTool({ name, arguments: {} });
        const { _meta: told, ...rest } = own;
        expect({ name, ...through }).toEqual({ name, ...rest });
        expect(_meta ?? {}).not.toMatchObject({ 'io.modelcontextprotocol/serverInfo': { name: 'a liar' } });
        if (told !== undefined) expect(_meta).toMatchObject({ 'example.com/cost': 3 });
      }
    } finally {
      await close();
      await direct.close();
    }
  });

  it('answers of megabytes come through whole, and larger ones are refused by their size', async () => {
    const { call, close } = await passed('demanding');
    try {
      expect(Buffer.byteLength(textOf(await call('long', { bytes: 7_000_000 })))).toBe(7_000_000);
      const refused = await call('long', { bytes: 8_500_000 });
      expect([refused.isError, textOf(refused)]).toEqual([true, expect.stringContaining('REPLY_TOO_LARGE')]);
      expect((await run('typescript', 'return (await tools.demanding.long({ bytes: 7_000_000 })).length')).result).toBe(3_500_000);
      expect((await run('python', 'len(tools.demanding.long(bytes=7_000_000))')).result).toBe(3_500_000);
      expect((await run('python', 'len(tools.demanding.long(bytes=8_500_000))')).error).toMatchObject({
        message: expect.stringContaining('REPLY_TOO_LARGE'),
      });
    } finally {
      await close();
    }
  });
});
