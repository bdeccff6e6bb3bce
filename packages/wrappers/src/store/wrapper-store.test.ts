import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ToolDefinition } from '@code-executor/contracts';
import { afterAll, describe, expect, test } from 'vitest';
import { generateToolFiles } from '../generate/tool-files.ts';
import { codeNames } from '../naming/code-names.ts';
import { createWrapperStore, type WrapperStore, type WrapperStoreOptions } from './wrapper-store.ts';

const base = mkdtempSync(join(tmpdir(), 'wrapper-store-'));
const open: WrapperStore[] = [];
let number = 0;

function newDir(): string {
  number += 1;
  return join(base, `store-${number}`);
}

function openStore(options: WrapperStoreOptions): WrapperStore {
  const store = createWrapperStore(options);
  open.push(store);
  return store;
}

const tool = (server: string, name: string, description = 'Does it.'): ToolDefinition => ({
  server,
  name,
  description,
  inputSchema: { type: 'object', properties: { path: { type: 'string', description } }, required: ['path'] },
});

/** A catalog of this size, spread over servers. */
const catalog = (size: number, servers: number): ToolDefinition[] =>
  Array.from({ length: size }, (_, index) => tool(`server-${index % servers}`, `tool_${index}`));

const read = (dir: string, path: string): string => readFileSync(join(dir, path), 'utf8');

describe('the wrapper store', () => {
  afterAll(async () => {
    for (const store of open) await store.close();
    rmSync(base, { recursive: true });
  });

  test('a snapshot holds a file for each tool in each language, and what they import', async () => {
    const store = openStore({ dir: newDir() });
    expect(store.current()).toBeNull();
    const { id, dir } = await store.snapshot([tool('filesystem', 'read-file'), tool('sequential-thinking', 'think')]);
    expect(store.current()).toEqual({ id, dir });
    expect(readdirSync(dir).sort()).toEqual([
      '__init__.py',
      '_runtime.py',
      'aio',
      'discovery.py',
      'discovery.ts',
      'filesystem',
      'globals.d.ts',
      'runtime.ts',
      'sequential-thinking',
      'sequential_thinking',
    ]);
    expect(readdirSync(join(dir, 'filesystem')).sort()).toEqual(['__init__.py', 'index.ts', 'read_file.py', 'read_file.ts']);
    expect(readdirSync(join(dir, 'aio')).sort()).toEqual(['__init__.py', 'filesystem.py', 'sequential_thinking.py']);
    expect(read(dir, 'sequential_thinking/think.ts')).toContain('"sequential-thinking.think"');
    expect(lstatSync(join(dir, 'filesystem/read_file.ts')).mode & 0o777).toBe(0o444);
  });

  test('a catalog without tools still has discovery', async () => {
    const { dir } = await openStore({ dir: newDir() }).snapshot([]);
    expect(existsSync(join(dir, 'discovery.ts'))).toBe(true);
  });

  test('the same tools in another order are the same snapshot, also for the next process', async () => {
    const dir = newDir();
    const first = openStore({ dir });
    const snapshot = await first.snapshot([tool('a', 'x'), tool('b', 'y'), tool('a', 'z')]);
    expect(await first.snapshot([tool('b', 'y'), tool('a', 'z'), tool('a', 'x')])).toEqual(snapshot);
    await first.close();
    const inode = statSync(join(snapshot.dir, 'a/x.ts')).ino;
    expect(await openStore({ dir }).snapshot([tool('a', 'z'), tool('a', 'x'), tool('b', 'y')])).toEqual(snapshot);
    expect(statSync(join(snapshot.dir, 'a/x.ts')).ino).toBe(inode);
  });

  test('a change writes what changed, shares the rest, and leaves the older snapshot as it was', async () => {
    const store = openStore({ dir: newDir() });
    const before = await store.snapshot([tool('a', 'x'), tool('a', 'y'), tool('b', 'z')]);
    const after = await store.snapshot([tool('a', 'x', 'Does it better.'), tool('a', 'y'), tool('c', 'w')]);
    expect(after.id).not.toBe(before.id);
    expect(read(before.dir, 'a/x.ts')).toContain('Does it. ');
    expect(read(after.dir, 'a/x.ts')).toContain('Does it better. ');
    expect(read(after.dir, 'a/x.py')).toContain('Does it better.');
    expect(statSync(join(after.dir, 'a/y.ts')).ino).toBe(statSync(join(before.dir, 'a/y.ts')).ino);
    expect(existsSync(join(after.dir, 'b'))).toBe(false);
    expect(existsSync(join(before.dir, 'b/z.py'))).toBe(true);
    expect(readdirSync(join(after.dir, 'aio')).sort()).toEqual(['__init__.py', 'a.py', 'c.py']);
  });

  test('a long chain of changes ends in what a fresh store would have written', async () => {
    const store = openStore({ dir: newDir(), keep: 0, graceMs: 0 });
    let tools = catalog(450, 9);
    for (let step = 0; step < 12; step += 1) {
      tools = tools.filter((_, index) => index !== step * 11);
      tools.push(tool(`server-${step % 5}`, `new-${step}`), tool(`extra-${step % 3}`, 'tool_x', `${step}`));
      tools = tools.filter(
        (candidate, index) => tools.findIndex(({ server, name }) => server === candidate.server && name === candidate.name) === index,
      );
      tools[step] = tool(tools[step]?.server ?? 'server-0', tools[step]?.name ?? 'x', `step ${step}`);
      // Every other step comes while the spare is still being linked.
      if (step % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 60));
      await store.snapshot(tools);
    }
    const chained = store.current();
    const fresh = await openStore({ dir: newDir() }).snapshot(tools);
    expect(chained?.id).toBe(fresh.id);
    expect(contentOf(chained?.dir ?? '')).toEqual(contentOf(fresh.dir));
  });

  test('calls that overlap are answered in order, each with its own tools', async () => {
    const store = openStore({ dir: newDir() });
    const snapshots = await Promise.all([1, 2, 3, 4].map((count) => store.snapshot(catalog(count * 10, 2))));
    for (const [index, { dir }] of snapshots.entries()) expect(readdirSync(join(dir, 'server-0')).length).toBe((index + 1) * 10 + 2);
    expect(store.current()).toEqual(snapshots.at(-1));
  });

  test('snapshots go when they are neither recent, nor young, nor in use', async () => {
    let now = Date.now();
    const used = new Set<string>();
    const store = openStore({ dir: newDir(), keep: 1, graceMs: 1000, inUse: () => used, now: () => now });
    const snapshots = [];
    for (let step = 0; step < 4; step += 1) {
      snapshots.push(await store.snapshot([tool('a', `x${step}`)]));
      now += 10;
    }
    expect(snapshots.every(({ dir }) => existsSync(dir))).toBe(true);
    used.add(snapshots[0]?.dir ?? '');
    now += 5000;
    await store.snapshot([tool('a', 'last')]);
    expect(snapshots.map(({ dir }) => existsSync(dir))).toEqual([true, false, false, true]);
  });

  test('a list that was read anew is known again, and one whose members stand in another order is not', async () => {
    const store = openStore({ dir: newDir() });
    const definition = {
      ...tool('a', 'x'),
      inputSchema: { type: 'object', properties: { b: { enum: [1, null] }, c: { type: 'string' } } },
    };
    const first = await store.snapshot([definition]);
    expect(await store.snapshot([structuredClone(definition)])).toEqual(first);
    const turned = { ...definition, inputSchema: { type: 'object', properties: { c: { type: 'string' }, b: { enum: [1, null] } } } };
    expect((await store.snapshot([turned])).id).not.toBe(first.id);
    const other = { ...definition, inputSchema: { type: 'object', properties: { b: { enum: [1, 0] }, c: { type: 'string' } } } };
    expect((await store.snapshot([other])).id).not.toBe(first.id);
    expect((await store.snapshot([structuredClone(definition)])).id).toBe(first.id);
  });

  test('a snapshot that somebody removed is written again', async () => {
    const store = openStore({ dir: newDir() });
    const { dir } = await store.snapshot([tool('a', 'x')]);
    rmSync(dir, { recursive: true });
    await store.snapshot([tool('a', 'x')]);
    expect(read(dir, 'a/x.ts')).toContain('a.x');
  });

  test('what a killed process left half-written is never used', async () => {
    const dir = newDir();
    const tools = [tool('a', 'x'), tool('a', 'y')];
    const store = openStore({ dir });
    const { id, dir: snapshotDir } = await store.snapshot(tools);
    await store.close();
    rmSync(snapshotDir, { recursive: true });
    // As after a kill between two files, and as after one between the rename and the record.
    mkdirSync(join(dir, '.tmp-1-x/a'), { recursive: true });
    writeFileSync(join(dir, '.tmp-1-x/a/x.ts'), 'half');
    mkdirSync(snapshotDir);
    writeFileSync(join(snapshotDir, 'runtime.ts'), 'half');
    writeFileSync(join(dir, `${id}.json`), '{"bootId"');
    const again = await openStore({ dir }).snapshot(tools);
    expect(again.id).toBe(id);
    expect(read(again.dir, 'a/y.py')).toContain('def y(');
    expect(readdirSync(dir).filter((entry) => entry.startsWith('.tmp-'))).toEqual([]);
  });

  test('a snapshot of an earlier boot of the machine is written anew, one of this boot is taken as it is', async () => {
    const dir = newDir();
    const first = openStore({ dir });
    const { id, dir: snapshotDir } = await first.snapshot([tool('a', 'x')]);
    await first.close();
    // As after a power cut: the file is there, its text is not.
    chmodSync(join(snapshotDir, 'a/x.ts'), 0o644);
    writeFileSync(join(snapshotDir, 'a/x.ts'), '');
    const second = openStore({ dir });
    await second.snapshot([tool('a', 'x')]);
    await second.close();
    expect(read(snapshotDir, 'a/x.ts')).toBe('');
    writeFileSync(join(dir, `${id}.json`), JSON.stringify({ bootId: 'another', lastCurrentAt: Date.now() }));
    await openStore({ dir }).snapshot([tool('a', 'x')]);
    expect(read(snapshotDir, 'a/x.ts')).toContain('a.x');
  });

  test('a full disk, or what stands in the way, is an error and leaves the last snapshot in place', async () => {
    const dir = newDir();
    const store = openStore({ dir });
    const before = await store.snapshot([tool('a', 'x')]);
    const after = await openStore({ dir: newDir() }).snapshot([tool('a', 'other')]);
    // A file where the next snapshot belongs: renaming a directory onto it fails.
    writeFileSync(join(dir, after.id), 'in the way');
    await expect(store.snapshot([tool('a', 'other')])).rejects.toThrow(/ENOTDIR|EEXIST/);
    expect(store.current()).toEqual(before);
    expect(readdirSync(dir).filter((entry) => entry.startsWith('.tmp-'))).toEqual([]);
    expect(await store.snapshot([tool('a', 'x')])).toEqual(before);
  });

  test('the files of a large catalog say what those of a small one do, also where a definition is strange', async () => {
    const strange = tool('server-0', 'strange', 'Half a pair \ud800, `x`, */ and \u2028.');
    const tools = [...catalog(600, 3), strange];
    const { dir } = await openStore({ dir: newDir() }).snapshot(tools);
    const names = codeNames(tools);
    for (const one of tools) {
      for (const { path, source } of generateToolFiles(one, names.get(`${one.server}.${one.name}`))) {
        expect(read(dir, path)).toBe(source.toWellFormed());
        expect(statSync(join(dir, path)).mode & 0o777).toBe(0o444);
      }
    }
  });

  test('a large catalog that cannot be written is an error, and the next is written', async () => {
    const dir = newDir();
    const store = openStore({ dir });
    const before = await store.snapshot(catalog(3, 1));
    const endless = {
      ...tool('server-0', 'x'.repeat(400)),
      inputSchema: {
        type: 'object',
        get properties() {
          throw new Error('unreadable');
        },
      },
    };
    await expect(store.snapshot([...catalog(600, 1), endless as ToolDefinition])).rejects.toThrow('unreadable');
    expect(store.current()).toEqual(before);
    expect(readdirSync(dir).filter((name) => name.startsWith('.tmp'))).toEqual([]);
    await store.snapshot(catalog(600, 1));
    expect(readdirSync(join(store.current()?.dir ?? '', 'server-0')).length).toBeGreaterThan(1_200);
  });

  test('a snapshot of two thousand tools shares with the next all but what changed', async () => {
    const store = openStore({ dir: newDir() });
    const tools = catalog(2000, 50);
    const before = await store.snapshot(tools);
    const changed = [...tools];
    changed[123] = tool('server-23', 'tool_123', 'Changed.');
    const after = await store.snapshot(changed);
    const samples = Array.from({ length: 50 }, (_, server) => `server-${server}/tool_${1000 + server}.ts`);
    for (const path of samples) expect(statSync(join(after.dir, path)).ino, path).toBe(statSync(join(before.dir, path)).ino);
    expect(read(after.dir, 'server-23/tool_123.ts')).toContain('Changed.');
    expect(read(before.dir, 'server-23/tool_123.ts')).toContain('Does it.');
  }, 120_000);
});

/** Every file below a directory with its text, symbolic links with their target. */
function contentOf(dir: string): Record<string, string> {
  const content: Record<string, string> = {};
  for (const entry of readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort()) {
    if (lstatSync(join(dir, entry)).isFile()) content[entry] = read(dir, entry);
  }
  return content;
}
