import { readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN, callOutcome, createTestBed, errorOf, IS_ROOT, type TestBed, valueOfCall } from './testing/with-tool-domain.ts';
import type { ToolDomain } from './tool-domain.ts';

const FIXTURES = process.env.EXECUTOR_TEST_FIXTURES;
type Entry = { command: string; args: string[]; trust?: boolean };

describe.skipIf(FIXTURES === undefined || IS_ROOT)(
  'the ten real servers (EXECUTOR_TEST_FIXTURES names their folder; not run as root)',
  () => {
    let bed: TestBed;
    let domain: ToolDomain;
    let entries: Record<string, Entry>;
    const work = join(FIXTURES ?? '', 'work');
    beforeAll(async () => {
      bed = await createTestBed();
      entries = (JSON.parse(await readFile(join(FIXTURES ?? '', 'mcp-servers.json'), 'utf8')) as { mcpServers: Record<string, Entry> })
        .mcpServers;
      domain = await bed.restart(Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, { ...entry, trust: true }])));
    });
    afterAll(() => bed.close());

    it('are up at once with their 108 tools', () => {
      const { servers, totalTools } = domain.summary();
      expect(Object.entries(servers).filter(([, { state }]) => state !== 'ready')).toEqual([]);
      expect(totalTools).toBe(108);
    });

    const table = `t${process.pid}_${Date.now()}`;
    it.each<[string, unknown, (value: unknown) => Promise<void> | void]>([
      [
        'filesystem.read_text_file',
        { path: join(work, 'fs/hello.txt') },
        (value) => expect(value).toEqual({ content: 'hello from a real file\n' }),
      ],
      ['memory.read_graph', {}, (value) => expect(value).toMatchObject({ entities: expect.any(Array), relations: expect.any(Array) })],
      ['everything.get-sum', { a: 2, b: 40 }, (value) => expect(String(value)).toContain('42')],
      ['everything.get_sum', { a: 2, b: 41 }, (value) => expect(String(value)).toContain('43')],
      [
        'sequential_thinking.sequentialthinking',
        { thought: 'x', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
        (value) => expect(value).toMatchObject({ thoughtNumber: 1 }),
      ],
      ['dbhub.execute_sql', { sql: 'SELECT 6 * 7 AS answer' }, (value) => expect(JSON.stringify(value)).toContain('42')],
      ['mcp-sqlite.query', { sql: 'SELECT 6 * 7 AS answer' }, (value) => expect(JSON.stringify(value)).toContain('42')],
      ['sqlite.read_query', { query: 'SELECT 6 * 7 AS answer' }, (value) => expect(value).toEqual([{ answer: 42 }])],
      ['n8n.tools_documentation', {}, (value) => expect(JSON.stringify(value).length).toBeGreaterThan(500)],
      ['calc.math', { action: 'eval', expression: '6 * 7' }, (value) => expect(JSON.stringify(value)).toContain('42')],
      ['git.git_log', { path: join(work, 'git/repo') }, (value) => expect(JSON.stringify(value)).toContain('first')],
    ])('answer what they really hold: %s', async (tool, args, check) => {
      await check(await valueOfCall(domain, tool, args));
    });

    it('cost at most 4 tokens a tool by name, 19 with one line of description, really counted', async () => {
      const tokens = async (detail: 'name' | 'description'): Promise<number> => {
        const answer = await domain.search(ADMIN, { q: '', detail, limit: 1_000, offset: 0 });
        return answer.tokens / answer.total;
      };
      expect(await tokens('name')).toBeLessThanOrEqual(4);
      expect(await tokens('description')).toBeLessThanOrEqual(19);
    });

    it.each([
      ['read a file', 'read_file'],
      ['commit changes', 'git_commit'],
      ['sql query', 'query'],
      ['knowledge graph', 'read_graph'],
      ['decode jwt', 'jwt_decode'],
    ])('are found: %s', async (q, name) => {
      const { items } = await domain.search(ADMIN, { q, detail: 'name', limit: 5, offset: 0 });
      expect(Object.values(items as Record<string, string[]>).flat()).toContain(name);
    });

    it('keep a file that one writes for the next call, where the entry says it is', async () => {
      const path = join(work, 'fs', `${table}.txt`);
      await writeFile(path, 'before');
      await valueOfCall(domain, 'filesystem.write_file', { path, content: 'after' });
      expect(await readFile(path, 'utf8')).toBe('after');
    });

    it('add at most 3 ms to a call over calling the same server directly', async () => {
      const entry = entries.filesystem;
      if (entry === undefined) throw new Error('the fixture has no filesystem server');
      const args = { path: join(work, 'fs/hello.txt') };
      const direct = new Client({ name: 'direct', version: '1' }, { capabilities: {} });
      await direct.connect(new StdioClientTransport({ command: entry.command, args: entry.args, stderr: 'ignore' }));
      try {
        const directMs: number[] = [];
        const ourMs: number[] = [];
        for (let round = 0; round < 300; round += 1) {
          directMs.push(await timed(() => direct.callTool({ name: 'read_text_file', arguments: args })));
          ourMs.push(await timed(() => valueOfCall(domain, 'filesystem.read_text_file', args)));
          await sleep(2);
        }
        // The fastest tenth of each: what other programs take from this machine is not the subject.
        expect(fastestTenth(ourMs) - fastestTenth(directMs)).toBeLessThan(3);
      } finally {
        await direct.close();
      }
    });

    it('come back by themselves when one is killed in a call', async () => {
      const call = callOutcome(domain, 'everything.trigger-long-running-operation', { duration: 20, steps: 40 });
      await sleep(1_500);
      killServers('server-everything');
      const { reply, effects } = await call;
      expect(errorOf(reply).code).toBe('UPSTREAM_LOST');
      expect(effects).toBe('unknown');
      expect(await valueOfCall(domain, 'calc.math', { action: 'eval', expression: '1+1' })).toBeDefined();
      await expect
        .poll(() => valueOfCall(domain, 'everything.echo', { message: 'back' }).catch(String), { timeout: 15_000 })
        .toContain('back');
    });
  },
);

async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

const fastestTenth = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 10)] ?? Number.NaN;

/** Those of this process alone: bubblewrap's child and its child, by their parents. */
function killServers(marker: string): void {
  const parents = new Map<number, number>();
  const found: number[] = [];
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
      if (readFileSync(`/proc/${entry}/cmdline`, 'utf8').includes(marker)) found.push(Number(entry));
    } catch {
      // It ended between the two looks.
    }
  }
  const isOurs = (pid: number): boolean => {
    for (let at = parents.get(pid); at !== undefined && at > 1; at = parents.get(at)) if (at === process.pid) return true;
    return false;
  };
  for (const pid of found.filter(isOurs)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It died with the one before.
    }
  }
}
