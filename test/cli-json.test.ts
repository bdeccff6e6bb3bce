import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COMMANDS, JSON_SCHEMAS } from '@code-executor/cli';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openShell, type RunOptions } from './support/cli.ts';
import { recordingServer } from './support/recording-entry.ts';
import { type Service, startService } from './support/start-service.ts';

let directory: string;
let service: Service;
let shell: ReturnType<typeof openShell>;
let upstream: Server;
let api: {
  paths: Record<string, Record<string, { responses: Record<string, { content?: Record<string, { schema: object }> }> }>>;
  components: object;
};
const tried = new Set<string>();

/** Commands that promise JSON and are tried with it elsewhere, or cannot be here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'connections authorize': 'waits for a person at the consent page of a provider; answers what `connections add` does',
  'service install': 'test/cli-local.test.ts',
  'service status': 'test/cli-local.test.ts',
  'service uninstall': 'test/cli-local.test.ts',
};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cli-json-'));
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'notes.txt'), '');
  const mcpServers = {
    notes: recordingServer(join(directory, 'notes.txt')),
    gated: recordingServer(join(directory, 'gated.txt'), { trust: false }),
  };
  writeFileSync(join(directory, 'data/mcp-servers.json'), JSON.stringify({ mcpServers }));
  upstream = createServer((_request, response) => response.setHeader('content-type', 'application/json').end('{"id": 1}'));
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  service = await startService(join(directory, 'data'));
  shell = openShell(directory, { EXECUTOR_URL: service.url, EXECUTOR_KEY: service.key });
  api = (await service.get('/openapi.json')).body as typeof api;
}, 150_000);

afterAll(async () => {
  await service?.stop();
  upstream?.close();
  rmSync(directory, { recursive: true, force: true });
});

/** One command with --json: what it prints, a value a line where it prints several, each held to the shape that its table promises. */
async function answers(args: readonly string[], more: RunOptions & { readonly ends?: number } = {}): Promise<unknown[]> {
  const { code, out, err } = await shell.executor([...args, '--json'], more);
  expect([args.join(' '), code], err).toEqual([args.join(' '), more.ends ?? 0]);
  const command = COMMANDS.filter(({ name }) => `${args.join(' ')} `.startsWith(`${name} `)).at(-1);
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(schemaOf(command?.json));
  const values = isLines(out)
    ? out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown)
    : [JSON.parse(out) as unknown];
  expect(values.length).toBeGreaterThan(0);
  for (const value of values) expect(validate(value), `${args.join(' ')}: ${JSON.stringify(validate.errors)}`).toBe(true);
  tried.add(command?.name ?? '');
  return values;
}
const json = async <Answer = Record<string, unknown>>(...args: string[]): Promise<Answer> => (await answers(args))[0] as Answer;

function isLines(out: string): boolean {
  try {
    JSON.parse(out);
    return false;
  } catch (error) {
    if (error instanceof SyntaxError) return true;
    throw error;
  }
}

function schemaOf(shape: (typeof COMMANDS)[number]['json']): object {
  if (shape === undefined) throw new Error('the command promises no JSON');
  if ('schema' in shape) return JSON_SCHEMAS[shape.schema] ?? {};
  const [method = '', path = ''] = shape.operation.split(' ');
  const responses = api.paths[path]?.[method.toLowerCase()]?.responses;
  const schema = (responses?.['200'] ?? responses?.['201'])?.content?.['application/json']?.schema;
  if (schema === undefined) throw new Error(`${shape.operation} answers no JSON`);
  return { ...schema, components: api.components };
}

test('of the service, its keys, its record and its policies', async () => {
  await json('health');
  await json('whoami');
  const policy = await json('policies', 'add', 'notes.learn', 'block', '--when', 'name~x*', '--per-day', '3');
  await json('policies', 'list', '--derived');
  await json('policies', 'preview', 'notes.note', '{"text": "x"}');
  await json('policies', 'remove', String(policy.id));
  const key = await json('keys', 'create', 'json', '--scope', 'execute');
  await json('keys', 'list');
  await json('keys', 'revoke', String(key.id));
  await json('audit', '--limit', '3');
});

test('of tools, clients and what is generated', async () => {
  await json('tools', 'search', 'note');
  await json('tools', 'sources');
  await json('tools', 'describe', 'notes', 'note');
  await json('call', 'notes', 'count_notes');
  const browsed = await shell.executor(['call', '--help', '--json']);
  expect(new Ajv2020().validate(JSON_SCHEMAS.browsed ?? {}, JSON.parse(browsed.out)), browsed.out).toBe(true);
  await json('generate', 'typescript', '--source', 'notes');
  await json('generate', 'openapi');
  await json('connect');
  await json('connect', 'zed', '--config', join(directory, 'zed.json'));
});

test('of skills', async () => {
  const file = join(directory, 'twice.ts');
  writeFileSync(file, 'return args.n * 2');
  await json('skills', 'save', 'twice', file, '--description', 'Doubles a number');
  await json('skills', 'list');
  await json('skills', 'show', 'twice');
  expect(await json('skills', 'run', 'twice', '{"n": 21}')).toMatchObject({ result: 42 });
  await json('skills', 'delete', 'twice');
});

test('of programs, their files and what is kept of them', async () => {
  const code = "await Bun.write('/workspace/artifacts/a.txt', 'x'); return 1";
  const [ran] = (await answers(['run', '-'], { stdin: code })) as [{ executionId: string }];
  await json('executions', 'show', ran.executionId);
  await json('executions', 'files', ran.executionId);
  await json('executions', 'follow', ran.executionId);
  await json('executions', 'list');
  await answers(['executions', 'export']);
  const endless = await shell.executor(['run', '-', '--detach'], { stdin: 'while (true) await new Promise((r) => setTimeout(r, 100))' });
  expect(await json('executions', 'cancel', endless.out.trim())).toMatchObject({ executionId: endless.out.trim() });
});

test('of sessions', async () => {
  const file = join(directory, 'rows.csv');
  writeFileSync(file, 'a,b\n');
  await answers(['run', '-', '--session', 'json'], { stdin: 'return 1' });
  await json('sessions', 'list');
  await json('sessions', 'upload', 'json', file, 'rows.csv');
  await json('sessions', 'files', 'json');
  await json('sessions', 'download', 'json', 'rows.csv', '-o', join(directory, 'back.csv'));
  expect(readFileSync(join(directory, 'back.csv'), 'utf8')).toBe('a,b\n');
  await json('sessions', 'end', 'json');
});

test('of integrations and their connections', async () => {
  const { port } = upstream.address() as AddressInfo;
  const document = join(directory, 'api.json');
  writeFileSync(
    document,
    JSON.stringify({
      openapi: '3.1.0',
      info: { title: 'Things', version: '1' },
      servers: [{ url: `http://127.0.0.1:${port}` }],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
      paths: { '/things': { get: { operationId: 'list', responses: { 200: { description: 'all' } } } } },
    }),
  );
  const secret = join(directory, 'token.txt');
  writeFileSync(secret, 'a-token-of-the-test');
  await json('add', document, '--name', 'things', '--base-url', `http://127.0.0.1:${port}`);
  await json('integrations', 'list');
  await json('integrations', 'show', 'things');
  await json('integrations', 'refresh', 'notes');
  const connection = await json('connections', 'add', 'things', 'work', '--auth', 'bearer', '--secret-file', secret);
  await json('connections', 'list');
  await json('connections', 'test', String(connection.id));
  await json('connections', 'remove', String(connection.id));
  await json('integrations', 'remove', 'things');
});

test('of approvals, and of what waits for them', async () => {
  const pause = async (): Promise<{ executionId: string; approval: { id: string } }> => {
    const code = "return await tools.gated.note({ text: 'x' })";
    return (await answers(['run', '-', '--no-wait'], { stdin: code, ends: 5 }))[0] as { executionId: string; approval: { id: string } };
  };
  const first = await pause();
  await json('approvals', 'list');
  await json('approvals', 'show', first.approval.id);
  await answers(['approvals', 'watch', '--once']);
  await json('approvals', 'approve', first.approval.id);
  await json('resume', first.executionId);
  const second = await pause();
  await json('approvals', 'deny', second.approval.id, '--reason', 'not now');
});

test('of servers, and of being let in', async () => {
  const file = join(directory, 'data/admin.key');
  await json('server', 'add', 'home', service.url, '--key-file', file);
  await json('server', 'list');
  await json('server', 'use', 'home');
  await json('login', 'home', '--key-file', file);
  await json('logout', 'home');
  await json('server', 'remove', 'home');
});

test('of workspaces', async () => {
  await json('workspaces', 'list');
  const made = await json<{ id?: string; workspace?: { id: string } }>('workspaces', 'create', 'json', '-o', join(directory, 'json.key'));
  const id = made.workspace?.id ?? made.id ?? '';
  await json('workspaces', 'rename', id, 'json-b');
  await json('workspaces', 'key', id, 'found-again', '-o', join(directory, 'json-b.key'));
  await json('workspaces', 'remove', id, '--everything');
});

test('and that was every command that promises JSON', () => {
  const promised = COMMANDS.filter((command) => command.json !== undefined).map(({ name }) => name);
  expect(promised.filter((name) => !tried.has(name) && !(name in ELSEWHERE))).toEqual([]);
  expect(Object.keys(ELSEWHERE).filter((name) => !promised.includes(name) || tried.has(name))).toEqual([]);
});

test('mistakes are one line of JSON on the error stream, in one shape', async () => {
  const validate = new Ajv2020({ strict: false }).compile(JSON_SCHEMAS.error ?? {});
  for (const args of [
    ['executions', 'show', 'exe_nothing'],
    ['call', 'notes', 'nothing', '{}'],
    ['call', 'notes', 'note', '{}'],
    ['skills', 'show', 'none'],
  ]) {
    const { code, out, err } = await shell.executor([...args, '--json']);
    expect([code === 0, out], args.join(' ')).toEqual([false, '']);
    expect(validate(JSON.parse(err)), `${args.join(' ')}: ${err}`).toBe(true);
    expect(err.trim().split('\n')).toHaveLength(1);
  }
});
