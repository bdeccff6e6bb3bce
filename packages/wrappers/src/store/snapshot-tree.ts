import { linkSync, mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { PlannedDirectory, SnapshotPlan } from './snapshot-plan.ts';
import { FILE_OPTIONS } from './tool-file.ts';
import { type FileToWrite, writeToolFiles } from './write-tool-files.ts';

/** A directory on disk and what is known to be in it: identity of each file by directory. */
export interface SnapshotTree {
  readonly dir: string;
  readonly directories: Map<string, ReadonlyMap<string, { readonly identity: string }>>;
  readonly links: Map<string, string>;
}

/** The event loop gets its turn after this long, so that requests do not wait for a large catalog. */
const SLICE_MS = 4;

export function newSnapshotTree(dir: string): SnapshotTree {
  mkdirSync(dir, { mode: 0o755 });
  return { dir, directories: new Map([['', new Map()]]), links: new Map() };
}

/**
 * Makes `tree` hold exactly what the plan says. A file that `source` has too is linked from there; a file that has changed is replaced,
 * never written through, since its text may be shared with other snapshots. Stops between files when `signal` aborts; the tree then
 * still says what it holds, and may be continued. After any other failure it must be thrown away.
 */
export async function fillSnapshotTree(
  tree: SnapshotTree,
  plan: SnapshotPlan,
  source: SnapshotTree | null,
  signal: AbortSignal | null,
): Promise<void> {
  let sliceEnd = performance.now() + SLICE_MS;
  for (const directory of [...tree.directories.keys()]) {
    if (plan.directories.has(directory)) continue;
    await rm(join(tree.dir, directory), { recursive: true });
    tree.directories.delete(directory);
  }
  for (const [link, target] of [...tree.links]) {
    if (plan.links.get(link) === target) continue;
    unlinkSync(join(tree.dir, link));
    tree.links.delete(link);
  }
  const generated: FileToWrite[] = [];
  const complete: [directory: string, PlannedDirectory][] = [];
  for (const [directory, planned] of plan.directories) {
    const present = tree.directories.get(directory);
    if (present === planned) continue;
    const path = join(tree.dir, directory);
    if (present === undefined) mkdirSync(path, { mode: 0o755 });
    const filled = new Map(present);
    tree.directories.set(directory, filled);
    for (const file of removedFiles(filled, planned)) {
      unlinkSync(join(path, file));
      filled.delete(file);
    }
    for (const [file, plannedFile] of planned) {
      if (filled.get(file)?.identity === plannedFile.identity) continue;
      if (filled.delete(file)) unlinkSync(join(path, file));
      const shared = source?.directories.get(directory)?.get(file)?.identity === plannedFile.identity;
      const isLinked = shared && source !== null && tryLink(join(source.dir, directory, file), join(path, file));
      if (!isLinked && plannedFile.of !== undefined) generated.push({ path: join(directory, file), of: plannedFile.of });
      else {
        if (!isLinked) writeFileSync(join(path, file), plannedFile.source(), FILE_OPTIONS);
        filled.set(file, plannedFile);
      }
      if (performance.now() > sliceEnd) {
        await setImmediate();
        if (signal?.aborted) return;
        sliceEnd = performance.now() + SLICE_MS;
      }
    }
    complete.push([directory, planned]);
  }
  await writeToolFiles(tree.dir, generated);
  for (const [directory, planned] of complete) tree.directories.set(directory, planned);
  for (const [link, target] of plan.links) {
    if (tree.links.has(link)) continue;
    symlinkSync(target, join(tree.dir, link));
    tree.links.set(link, target);
  }
}

/**
 * Gives a filled tree its final name, in one step that happens or does not. Its directories stay writable for their owner, who must be able
 * to remove them; what keeps programs from writing is that they see it through a read-only mount.
 */
export function publishSnapshotTree(tree: SnapshotTree, dir: string): SnapshotTree {
  renameSync(tree.dir, dir);
  return { ...tree, dir };
}

/** Removes a snapshot, or what is left of one; fine where there is none. Off this thread: a large one takes half a second. */
export function removeSnapshotDir(dir: string): Promise<void> {
  return rm(dir, { recursive: true, force: true });
}

function removedFiles(present: ReadonlyMap<string, unknown>, planned: PlannedDirectory): string[] {
  return [...present.keys()].filter((file) => !planned.has(file));
}

/** A file system has a most number of links to one file (65,000 on ext4); past it the text is written again. */
function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'EMLINK' || code === 'EPERM' || code === 'EXDEV' || code === 'ENOENT') return false;
    throw error;
  }
}
