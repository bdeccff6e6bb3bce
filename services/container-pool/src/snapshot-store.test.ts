import { lstat, mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSnapshotStore } from './snapshot-store.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'snapshots-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const file = { type: 'file' as const, path: 'notes/note.ts', content: Buffer.from('export {}') };

test('files and links of a snapshot lie under their digest, and are taken by it', async () => {
  const store = await openSnapshotStore(join(root, 'store'));
  const receiver = store.receive();
  await receiver.add(file);
  await receiver.add({ type: 'link', path: 'skills/one.ts', to: '../notes/note.ts' });
  const digest = await receiver.finish();
  const taken = store.take(digest);
  expect(await readlink(join(taken?.dir ?? '', 'skills/one.ts'))).toBe('../notes/note.ts');
  taken?.release();
});

test('no link of a snapshot leads another of its links out of it: what a container gets stays ours to say', async () => {
  const dir = join(root, 'store');
  const store = await openSnapshotStore(dir);
  const honest = store.receive();
  await honest.add(file);
  const digest = await honest.finish();
  await rm(join(dir, digest), { recursive: true });

  const planted = store.receive();
  await planted.add({ type: 'link', path: 'way', to: dir });
  await planted.add({ type: 'link', path: `way/${digest}`, to: '/' });
  await expect(planted.finish()).rejects.toThrow('EEXIST');
  await planted.discard();
  await expect(lstat(join(dir, digest))).rejects.toThrow('ENOENT');
  expect(await readdir(dir)).toEqual([]);
});
