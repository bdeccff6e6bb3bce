import { constants, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { idPattern } from '@code-executor/contracts';
import { type ArtifactBounds, type CollectedArtifacts, collectArtifacts, type KeepFile, type LeftBehind } from '@code-executor/sandbox';
import { type ArtifactOwner, ownerKey, roomFor } from './room-for.ts';

/** What executions left behind, as files of the data directory: a folder for each execution that left something. */
export interface ArtifactStore {
  keep(execution: ArtifactOwner & { readonly id: string }, left: LeftBehind): Promise<void>;
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
interface Index extends CollectedArtifacts {
  /** Absent in what earlier versions wrote. */
  readonly owner?: string | undefined;
}

const NOTHING: CollectedArtifacts = { files: [], omitted: [] };
const SWEEP_IDS = 500;

export function createArtifactStore({ dir, totalMb }: ArtifactStoreOptions): ArtifactStore {
  /** Bytes that are kept, by whose they are; counted from the disk at the first need. */
  let used: Promise<Map<string, number>> | null = null;

  async function readIndex(executionId: string): Promise<Index> {
    const text = await readFile(join(dir, executionId, INDEX), 'utf8').catch(ifMissing(null));
    return text === null ? NOTHING : (JSON.parse(text) as Index);
  }
  async function countUsed(): Promise<Map<string, number>> {
    const bytes = new Map<string, number>();
    for (const id of await executionsIn(dir)) add(bytes, await readIndex(id));
    return bytes;
  }
  const room = async (owner: string): Promise<number> => {
    used ??= countUsed();
    return roomFor(owner, await used, totalMb * MEGABYTE);
  };

  return {
    async keep(execution, left) {
      const owner = ownerKey(execution);
      const target = join(dir, execution.id);
      const temporary = `${target}.new`;
      const totalBytes = Math.min(ARTIFACT_BOUNDS.totalBytes, await room(owner));
      await rm(temporary, { recursive: true, force: true });
      await mkdir(temporary, { recursive: true, mode: 0o700 });
      try {
        const collected = await collectArtifacts(left, keepIn(temporary), { ...ARTIFACT_BOUNDS, totalBytes });
        if (collected.files.length === 0 && collected.omitted.length === 0) return;
        await writeFile(join(temporary, INDEX), JSON.stringify({ ...collected, owner } satisfies Index), { mode: 0o600 });
        await rename(temporary, target);
        if (used !== null) add(await used, { ...collected, owner });
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
          const index = await readIndex(id);
          await rm(join(dir, id), { recursive: true, force: true });
          if (used !== null) add(await used, index, -1);
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

function add(usedBytes: Map<string, number>, { files, owner = '' }: Index, sign: 1 | -1 = 1): void {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  usedBytes.set(owner, (usedBytes.get(owner) ?? 0) + sign * bytes);
}

const ifMissing =
  <T>(instead: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (error.code === 'ENOENT') return instead;
    throw error;
  };
