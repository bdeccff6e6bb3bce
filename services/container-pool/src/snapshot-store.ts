import { randomBytes } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { entryDigest, type SnapshotEntry, snapshotDigest } from '@code-executor/sandbox';
import { Refused } from './refused.ts';

/** This service's own copies of wrapper files, by what is in them: a worker never names a directory that a container gets. */
export interface SnapshotStore {
  /** Where it lies, held until `release`; null: it has to be received first. */
  take(digest: string): { readonly dir: string; release(): void } | null;
  receive(): SnapshotReceiver;
}

export interface SnapshotReceiver {
  /** Throws where the entry would lie elsewhere, or is one too many. */
  add(entry: SnapshotEntry): Promise<void>;
  /** Keeps it under its digest, which it answers. Throws Refused where another one was `named`. */
  finish(named?: string): Promise<string>;
  /** Removes what was not finished. Idempotent. */
  discard(): Promise<void>;
}

const ENTRIES_MAXIMUM = 100_000;
const BYTES_MAXIMUM = 256 * 1024 * 1024;
const KEPT_UNUSED = 32;
/** Segments that cannot lead anywhere else. */
const SEGMENT = /^(?!\.{1,2}$)[^/\0]{1,255}$/;

/** `dir` is emptied: what lies there is worth nothing to another start. */
export async function openSnapshotStore(dir: string): Promise<SnapshotStore> {
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true, mode: 0o700 });
  /** Users of each, the latest used last. */
  const held = new Map<string, number>();

  const prune = (): void => {
    const unused = [...held].filter(([, users]) => users === 0);
    for (const [digest] of unused.slice(0, Math.max(0, unused.length - KEPT_UNUSED))) {
      held.delete(digest);
      void rm(join(dir, digest), { recursive: true, force: true });
    }
  };
  const change = (digest: string, by: number): void => {
    const users = (held.get(digest) ?? 0) + by;
    held.delete(digest);
    held.set(digest, users);
    prune();
  };

  return {
    take(digest) {
      if (!held.has(digest)) return null;
      change(digest, 1);
      let released = false;
      return {
        dir: join(dir, digest),
        release() {
          if (!released) change(digest, -1);
          released = true;
        },
      };
    },
    receive() {
      const draft = join(dir, `.${randomBytes(12).toString('hex')}`);
      const digests: string[] = [];
      const links: { readonly path: string; readonly to: string }[] = [];
      let bytes = 0;
      return {
        async add(entry) {
          const segments = entry.path.split('/');
          if (!segments.every((segment) => SEGMENT.test(segment)))
            throw new Error(`${JSON.stringify(entry.path)} is no path of a snapshot`);
          bytes += entry.type === 'file' ? entry.content.length : entry.to.length;
          if (digests.length >= ENTRIES_MAXIMUM || bytes > BYTES_MAXIMUM) throw new Error('the snapshot is too large');
          digests.push(entryDigest(entry));
          // Links come last: until then no path below the draft leads out of it.
          if (entry.type === 'link') links.push(entry);
          else {
            await mkdir(dirname(join(draft, entry.path)), { recursive: true, mode: 0o755 });
            await writeFile(join(draft, entry.path), entry.content, { flag: 'wx', mode: 0o444 });
          }
        },
        async finish(named) {
          const digest = snapshotDigest(digests);
          if (named !== undefined && named !== digest) throw new Refused('the files are not those of the snapshot that was named');
          await mkdir(draft, { recursive: true, mode: 0o755 });
          // Every folder before the first link: one on the way to another link would have it made wherever it leads.
          for (const { path } of links) await mkdir(dirname(join(draft, path)), { recursive: true, mode: 0o755 });
          for (const { path, to } of links) await symlink(to, join(draft, path));
          if (held.has(digest) || isFolder(join(dir, digest))) await rm(draft, { recursive: true, force: true });
          else await rename(draft, join(dir, digest));
          if (!held.has(digest)) change(digest, 0);
          return digest;
        },
        discard: () => rm(draft, { recursive: true, force: true }),
      };
    },
  };
}

/** Itself, and not what a link leads to. */
const isFolder = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
