import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '@code-executor/contracts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createArtifactStore } from './artifact-store.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'artifacts-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const of = (id: string, principalId = 'key_one') => ({ id, workspaceId: 'wsp_default', principalId });
const printed = (megabytes: number) => ({ output: Buffer.alloc(megabytes << 20, 'x'), workspaceFd: null });

test('what an execution left goes with the execution, and makes room for others', async () => {
  const store = createArtifactStore({ dir, totalMb: 4 });
  const [old, young, next] = [newId('exe'), newId('exe'), newId('exe')];
  await store.keep(of(old), printed(1));
  await store.keep(of(young), printed(1));
  await store.keep(of(next), printed(1));
  expect((await store.list(next)).omitted).toMatchObject([{ path: 'output.txt' }]);
  await store.sweep(async (ids) => new Set(ids.filter((id) => id !== old)));
  expect(await store.list(old)).toEqual({ files: [], omitted: [] });
  expect(await store.open(old, 'output.txt')).toBeNull();
  const last = newId('exe');
  await store.keep(of(last), printed(1));
  expect((await store.list(last)).files).toMatchObject([{ path: 'output.txt', bytes: 1 << 20 }]);
  expect((await readdir(dir)).sort()).toEqual([young, next, last].sort());
});

test('another process finds what was kept, and counts it', async () => {
  const [first, second] = [newId('exe'), newId('exe')];
  await createArtifactStore({ dir, totalMb: 2 }).keep(of(first), printed(1));
  const store = createArtifactStore({ dir, totalMb: 2 });
  expect((await store.list(first)).files).toHaveLength(1);
  await store.keep(of(second), printed(1));
  expect((await store.list(second)).files).toEqual([]);
});

test('one principal cannot fill it: others always find room, and nobody has more than what is left', async () => {
  const store = createArtifactStore({ dir, totalMb: 16 });
  const keptOf = async (principalId: string): Promise<number> => {
    let kept = 0;
    for (let round = 0; round < 20; round += 1) {
      const id = newId('exe');
      await store.keep(of(id, principalId), printed(1));
      kept += (await store.list(id)).files.length;
    }
    return kept;
  };
  expect([await keptOf('greedy'), await keptOf('late'), await keptOf('later')]).toEqual([8, 4, 2]);
});
