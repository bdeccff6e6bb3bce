import { constants, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { idPattern } from '@code-executor/contracts';
import { type ArtifactBounds, type CollectedArtifacts, collectArtifacts, type KeepFile, type LeftBehind } from '@code-executor/sandbox';

/** What executions left behind, as files of the data directory: a folder for each execution that left something. */
export interface ArtifactStore {
  keep(executionId: string, left: LeftBehind): Promise<void>;
  list(executionId: string): Promise<Pick<CollectedArtifacts, 'files' | 'omitted'>>;
  /** null: there is none of this path. The stream is the caller's to read or to destroy. */
  open(executionId: string, path: string): Promise<{ readonly bytes: number; readonly content: Readable } | null>;
  /** Removes what belongs to no execution any more. `existing` answers which of some ids are still there. */
  sweep(existing: (executionIds: readonly string[]) => Promise<ReadonlySet<string>>): Promise<void>;
}

export interface ArtifactStoreOptions {
  readonly dir: string;
  /** Of all executions together. */
  readonly totalMb: number;
}

/** Of one execution. */
export const ARTIFACT_BOUNDS: ArtifactBounds = { files: 64, totalBytes: 64 * 1024 * 1024 };
const MEGABYTE = 1024 * 1024;
const INDEX = 'index.json';
const NOTHING: CollectedArtifacts = { files: [], omitted: [] };
const SWEEP_IDS = 500;

export function createArtifactStore({ dir, totalMb }: ArtifactStoreOptions): ArtifactStore {
  /** Bytes that are kept; counted from the disk at the first need. */
  let used: Promise<number> | null = null;

  async function readIndex(executionId: string): Promise<CollectedArtifacts> {
    const text = await readFile(join(dir, executionId, INDEX), 'utf8').catch(ifMissing(null));
    return text === null ? NOTHING : (JSON.parse(text) as CollectedArtifacts);
  }
  async function countUsed(): Promise<number> {
    let bytes = 0;
    for (const id of await executionsIn(dir)) bytes += sizeOf(await readIndex(id));
    return bytes;
  }
  const room = async (): Promise<number> => {
    used ??= countUsed();
    return Math.max(0, totalMb * MEGABYTE - (await used));
  };
  const change = async (bytes: number): Promise<void> => {
    const before = used;
    used = (async () => ((await before) ?? 0) + bytes)();
    await used;
  };

  return {
    async keep(executionId, left) {
      const target = join(dir, executionId);
      const temporary = `${target}.new`;
      const totalBytes = Math.min(ARTIFACT_BOUNDS.totalBytes, await room());
      await rm(temporary, { recursive: true, force: true });
      await mkdir(temporary, { recursive: true, mode: 0o700 });
      try {
        const collected = await collectArtifacts(left, keepIn(temporary), { ...ARTIFACT_BOUNDS, totalBytes });
        if (collected.files.length === 0 && collected.omitted.length === 0) return;
        await writeFile(join(temporary, INDEX), JSON.stringify(collected), { mode: 0o600 });
        await rename(temporary, target);
        await change(sizeOf(collected));
      } finally {
        await rm(temporary, { recursive: true, force: true });
      }
    },
    list: readIndex,
    async open(executionId, path) {
      const file = (await readIndex(executionId)).files.find((each) => each.path === path);
      if (file === undefined) return null;
      const handle = await open(join(dir, executionId, file.name), constants.O_RDONLY).catch(ifMissing(null));
      return handle === null ? null : { bytes: file.bytes, content: handle.createReadStream() };
    },
    async sweep(existing) {
      const ids = await executionsIn(dir);
      for (let from = 0; from < ids.length; from += SWEEP_IDS) {
        const some = ids.slice(from, from + SWEEP_IDS);
        const kept = await existing(some);
        for (const id of some.filter((each) => !kept.has(each))) {
          const bytes = sizeOf(await readIndex(id));
          await rm(join(dir, id), { recursive: true, force: true });
          if (used !== null) await change(-bytes);
        }
      }
    },
  };
}

const keepIn =
  (dir: string): KeepFile =>
  async (name, file) => {
    await pipeline(file.open(), createWriteStream(join(dir, name), { flags: 'wx', mode: 0o600 }));
    return null;
  };

async function executionsIn(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch(ifMissing<string[]>([]));
  return names.filter((name) => idPattern('exe').test(name));
}

const sizeOf = ({ files }: CollectedArtifacts): number => files.reduce((sum, { bytes }) => sum + bytes, 0);

const ifMissing =
  <T>(instead: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (error.code === 'ENOENT') return instead;
    throw error;
  };
