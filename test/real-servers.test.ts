import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyFixtureServers, fixtures } from './support/fixture-servers.ts';
import { type Service, startService } from './support/start-service.ts';

interface Answer {
  status: string;
  result: unknown;
  output: string;
  error: { code: string; message: string } | null;
  effects: string;
  toolCalls: { tool: string; outcome: string }[];
}

describe.skipIf(fixtures === undefined)('programs and the ten real servers (needs EXECUTOR_TEST_FIXTURES)', () => {
  let directory: string;
  let work: string;
  let service: Service;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'real-servers-'));
    const copy = copyFixtureServers(fixtures ?? '', directory);
    work = copy.work;
    const dataDir = join(directory, 'data');
    mkdirSync(dataDir);
    service = await startService(dataDir, { EXECUTOR_MCP_SERVERS: copy.serversFile });
    await untilAllReady(service, 10);
  }, 180_000);
  afterAll(async () => {
    await service?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const run = async (language: string, code: string): Promise<Answer> => {
    const answer = await service.post('/execute', { language, code });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return answer.body as Answer;
  };
  const succeed = async (language: string, code: string): Promise<unknown> => {
    const answer = await run(language, code);
    expect(answer.error).toBeNull();
    expect(answer.status).toBe('succeeded');
    return answer.result;
  };

  test('all ten are up at once with their 108 tools', async () => {
    const { body } = await service.get('/health');
    const health = body as { totalTools: number; toolsByServer: Record<string, number> };
    expect(Object.keys(health.toolsByServer)).toHaveLength(10);
    expect(health.totalTools).toBe(108);
  });

  // One call a server whose answer shows what that server really holds; the same in both languages.
  const calls: [server: string, tool: string, args: (work: string) => Record<string, unknown>, holds: (work: string) => RegExp][] = [
    ['filesystem', 'read_text_file', (at) => ({ path: `${at}/fs/hello.txt` }), () => /hello from a real file/],
    [
      'memory',
      'create_entities',
      () => ({ entities: [{ name: 'ada', entityType: 'person', observations: ['writes programs'] }] }),
      () => /ada|\[\]/,
    ],
    ['everything', 'get_sum', () => ({ a: 19, b: 23 }), () => /42/],
    [
      'sequential_thinking',
      'sequentialthinking',
      () => ({ thought: 'first', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 }),
      () => /thoughtNumber"?: ?1/,
    ],
    ['dbhub', 'execute_sql', () => ({ sql: 'select 6 * 7 as answer' }), () => /42/],
    ['mcp_sqlite', 'query', () => ({ sql: 'select 6 * 7 as answer' }), () => /42/],
    ['sqlite', 'read_query', () => ({ query: 'select 6 * 7 as answer' }), () => /42/],
    ['n8n', 'search_nodes', () => ({ query: 'webhook', limit: 2 }), () => /[Ww]ebhook/],
    ['calc', 'math', () => ({ expression: '6 * 7' }), () => /42/],
    ['git', 'git_log', (at) => ({ path: `${at}/git/repo` }), () => /first/],
  ];
  test.each(calls)('%s.%s answers from TypeScript and from Python', async (server, tool, args, holds) => {
    const input = JSON.stringify(args(work));
    const typescript = await succeed('typescript', `return await tools.${server}.${tool}(${input})`);
    const python = await succeed('python', `import json\ntools.${server}.${tool}(**json.loads(${JSON.stringify(input)}))`);
    expect(JSON.stringify(typescript).replaceAll('\\"', '"')).toMatch(holds(work));
    expect(JSON.stringify(python).replaceAll('\\"', '"')).toMatch(holds(work));
  });

  test('a TypeScript program reads files, filters in the sandbox and stores in another server', async () => {
    const result = await succeed(
      'typescript',
      `import { list_directory } from '/workspace/servers/filesystem/list_directory.js';
       import { read_text_file } from '/workspace/servers/filesystem/read_text_file';
       import * as sqlite from '/workspace/servers/sqlite/index.js';
       const listing = String(Object.values(await list_directory({ path: ${JSON.stringify(`${work}/fs/logs`)} }))[0]);
       const names = [...listing.matchAll(/\\[FILE\\] (\\S+)/g)].map((match) => match[1]);
       const texts = await Promise.all(names.map((name) => read_text_file({ path: ${JSON.stringify(`${work}/fs/logs`)} + '/' + name })));
       const errors = texts.flatMap((text) => JSON.stringify(text).match(/ERROR disk \\d+%/g) ?? []);
       await sqlite.create_table({ query: 'create table found_ts (line text)' });
       for (const error of errors) await sqlite.write_query({ query: \`insert into found_ts values ('\${error}')\` });
       return errors.length;`,
    );
    expect(result).toBe(5);
    expect(sqlite(`${work}/sqlite/b.db`, 'select line from found_ts order by line')).toEqual(
      [19, 38, 57, 76, 95].map((n) => `ERROR disk ${n}%`),
    );
  });

  test('a Python program does the same', async () => {
    const result = await succeed(
      'python',
      `import json, re
from servers.filesystem import list_directory, read_text_file
from servers.sqlite import create_table, write_query
root = ${JSON.stringify(`${work}/fs/logs`)}
names = re.findall(r'\\[FILE\\] ([\\w.]+)', json.dumps(list_directory(path=root)))
errors = [hit for name in names for hit in re.findall(r'ERROR disk \\d+%', json.dumps(read_text_file(path=f'{root}/{name}')))]
create_table(query='create table found_py (line text)')
for error in errors:
    write_query(query=f"insert into found_py values ('{error}')")
len(errors)`,
    );
    expect(result).toBe(5);
    expect(sqlite(`${work}/sqlite/b.db`, 'select count(*) from found_py')).toEqual(['5']);
  });

  test('the asynchronous form of Python calls tools side by side', async () => {
    const result = await succeed(
      'python',
      `import asyncio
from servers.aio.everything import get_sum
answers = await asyncio.gather(*(get_sum(a=n, b=1) for n in range(5)))
len(answers)`,
    );
    expect(result).toBe(5);
  });

  test('a failing tool raises ToolError with a code, catchable in both languages', async () => {
    const missing = JSON.stringify(`${work}/fs/none.txt`);
    const typescript = await succeed(
      'typescript',
      `try { await tools.filesystem.read_text_file({ path: ${missing} }) } catch (error) { return [error instanceof ToolError, error.code] }`,
    );
    expect(typescript).toEqual([true, 'TOOL_FAILED']);
    const python = await succeed(
      'python',
      `from code_executor import ToolError
try:
    tools.filesystem.read_text_file(path=${missing})
except ToolError as error:
    caught = error.code
caught`,
    );
    expect(python).toBe('TOOL_FAILED');
  });

  test('wrong arguments are refused by name before anything is sent, and so is an unknown tool', async () => {
    const wrong = await run('typescript', `await tools.filesystem.read_text_file({ path: 1, pathh: 'x' })`);
    expect(wrong.error).toMatchObject({ code: 'UNCAUGHT' });
    expect(wrong.error?.message).toContain('pathh');
    expect(wrong.toolCalls[0]?.outcome).toBe('INVALID_ARGUMENTS');
    expect(wrong.effects).toBe('none');
    const unknown = await run('typescript', `await tools.filesystem.read_text_fil({ path: 'x' })`);
    expect(unknown.error?.message).toContain('read_text_file');
  });

  test('a program finds tools by itself and imports what it found', async () => {
    const found = await succeed(
      'typescript',
      `import { listServers, searchTools, getTool } from '/workspace/servers/discovery.js';
       const servers = await listServers();
       const hits = await searchTools('read a text file', { server: 'filesystem' });
       const tool = await getTool('filesystem', 'read_text_file');
       const { read_text_file } = await import('/workspace/servers/filesystem/read_text_file.ts');
       const text = await read_text_file({ path: ${JSON.stringify(`${work}/fs/hello.txt`)} });
       return { servers: JSON.stringify(servers), hits: JSON.stringify(hits), tool: JSON.stringify(tool), text: JSON.stringify(text) };`,
    );
    const { servers, hits, tool, text } = found as Record<string, string>;
    expect(servers).toContain('sequential-thinking');
    expect(hits).toContain('read_text_file');
    expect(tool).toContain('inputSchema');
    expect(text).toContain('hello from a real file');
  });

  test('names of all tools cost at most 4 tokens a tool, with one-line descriptions at most 19', async () => {
    const search = async (detail: string) =>
      (await service.get(`/tools/search?q=&detail=${detail}&limit=200`)).body as { tokens: number; total: number };
    const names = await search('name');
    const described = await search('description');
    expect(names.total).toBe(108);
    expect(names.tokens / 108).toBeLessThanOrEqual(4);
    expect(described.tokens / 108).toBeLessThanOrEqual(19);
  });

  test('a server killed mid-call gives a clear error, an honest effect, and comes back by itself', async () => {
    const pending = run(
      'typescript',
      `console.log('calls');\nreturn await tools.everything.trigger_long_running_operation({ duration: 20, steps: 2 })`,
    );
    const running = async () => (await service.get('/executions?status=running&limit=1')).body as { items: { executionId: string }[] };
    await expect.poll(async () => (await running()).items).toHaveLength(1);
    const [execution] = (await running()).items;
    await expect
      .poll(async () => ((await service.get(`/executions/${execution?.executionId}`)).body as { output: string }).output)
      .toBe('calls\n');
    await sleep(1_000);
    for (const pid of pidsOf('server-everything', service.pid)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It died with the one before.
      }
    }
    const answer = await pending;
    expect(answer.status).toBe('failed');
    expect(answer.toolCalls[0]?.outcome).toBe('UPSTREAM_LOST');
    expect(answer.effects).toBe('unknown');
    await untilAllReady(service, 10);
    expect(JSON.stringify(await succeed('typescript', `return await tools.everything.get_sum({ a: 1, b: 2 })`))).toContain('3');
  }, 60_000);
});

async function untilAllReady(service: Service, count: number): Promise<void> {
  for (let attempt = 0; attempt < 450; attempt += 1) {
    const { body } = await service.get('/health');
    const states = Object.values((body as { servers: Record<string, string> }).servers);
    if (states.length === count && states.every((state) => state === 'ready')) return;
    await sleep(200);
  }
  throw new Error(`not all ${count} servers are ready after 90 s: ${JSON.stringify((await service.get('/health')).body)}`);
}

/** Processes below `root` whose command line names `needle`. */
function pidsOf(needle: string, root: number): number[] {
  const below = (pid: number): number[] => {
    let children: number[] = [];
    try {
      children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    } catch {
      // It ended meanwhile.
    }
    return [pid, ...children.flatMap(below)];
  };
  return below(root).filter((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return command.includes(needle) && !command.startsWith('/usr/bin/bwrap') && !command.startsWith('bwrap');
    } catch {
      return false;
    }
  });
}

/** Asks the database file itself, beside the server that wrote it. */
function sqlite(file: string, query: string): string[] {
  const program = 'import sqlite3, sys\nfor row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print(row[0])';
  return execFileSync('/usr/bin/python3', ['-c', program, file, query], { encoding: 'utf8' }).trim().split('\n');
}
