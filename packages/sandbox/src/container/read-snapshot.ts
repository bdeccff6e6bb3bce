import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { entryDigest, type SnapshotEntry, snapshotDigest } from './protocol.ts';

/** Every file and link of a snapshot, one at a time: a large catalog has thousands. */
export async function* readSnapshot(dir: string, below = ''): AsyncGenerator<SnapshotEntry> {
  for (const name of (await readdir(join(dir, below))).sort()) {
    const path = below === '' ? name : `${below}/${name}`;
    const stat = await lstat(join(dir, path));
    if (stat.isDirectory()) yield* readSnapshot(dir, path);
    else if (stat.isSymbolicLink()) yield { type: 'link', path, to: await readlink(join(dir, path)) };
    else yield { type: 'file', path, content: await readFile(join(dir, path)) };
  }
}

/** Digests of snapshots, which never change; asked for with every boot, computed once. */
export function createSnapshotDigests(): (dir: string) => Promise<string> {
  const known = new Map<string, Promise<string>>();
  return (dir) => {
    const digest = known.get(dir) ?? digestOf(dir);
    known.delete(dir);
    known.set(dir, digest);
    digest.catch(() => known.delete(dir));
    for (const oldest of known.keys()) {
      if (known.size <= DIGESTS_KEPT) break;
      known.delete(oldest);
    }
    return digest;
  };
}

const DIGESTS_KEPT = 64;

async function digestOf(dir: string): Promise<string> {
  const digests: string[] = [];
  for await (const entry of readSnapshot(dir)) digests.push(entryDigest(entry));
  return snapshotDigest(digests);
}
