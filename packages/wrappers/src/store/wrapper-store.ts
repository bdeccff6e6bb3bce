import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ToolDefinition } from '@code-executor/contracts';
import { generatorVersion, readRuntimeFiles } from './generator-version.ts';
import { createSnapshotPlanner, type SnapshotPlan } from './snapshot-plan.ts';
import { fillSnapshotTree, newSnapshotTree, publishSnapshotTree, removeSnapshotDir, type SnapshotTree } from './snapshot-tree.ts';

export interface WrapperSnapshot {
  /** Of the content: the same tools give the same id. */
  readonly id: string;
  /** Absolute; mounted read-only at `/workspace/servers`. */
  readonly dir: string;
}

export interface WrapperStore {
  /**
   * The snapshot of these tools, made where it does not exist yet; it becomes the current one. Definitions must not be changed after
   * they were handed in. Calls are answered one after another.
   */
  snapshot(tools: readonly ToolDefinition[]): Promise<WrapperSnapshot>;
  current(): WrapperSnapshot | null;
  /** Resolves when the background work that makes the next change cheap is done. Nobody has to wait for it but who measures. */
  settled(): Promise<void>;
  /** Resolves when nothing is being written any more. Snapshots stay, for the next start. */
  close(): Promise<void>;
}

export interface WrapperStoreOptions {
  /** Belongs to this store alone; made where it is missing. */
  readonly dir: string;
  /** Snapshots kept beside the current one, however old. */
  readonly keep?: number;
  /** How long a snapshot outlives the moment it was last current. The longest life of an execution, unless `inUse` tells. */
  readonly graceMs?: number;
  /** Directories of snapshots that sandboxes have mounted right now: these stay, however old. */
  readonly inUse?: () => Iterable<string>;
  readonly now?: () => number;
}

/** Trees smaller than this are linked faster than a spare is worth. */
const LEAST_FILES_FOR_A_SPARE = 400;
const PRUNE_EVERY_MS = 10 * 60_000;

/**
 * Immutable directories of wrapper files, one for each set of tools. A snapshot is filled under a temporary name and renamed, so a
 * half-written one is never seen. Files that did not change are hard links to those of the snapshot before. To keep a change of one tool
 * among ten thousand cheap, a spare copy of the current snapshot is linked in the background: the next one is the spare and its few changes.
 */
export function createWrapperStore({
  dir,
  keep = 4,
  graceMs = 3_600_000,
  inUse = () => [],
  now = Date.now,
}: WrapperStoreOptions): WrapperStore {
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  const runtimeFiles = readRuntimeFiles();
  const planSnapshot = createSnapshotPlanner(runtimeFiles, generatorVersion(runtimeFiles));
  const published = findPublished(dir);
  let current: { id: string; tree: SnapshotTree } | null = null;
  let spare: SnapshotTree | null = null;
  let spareWork: { readonly done: Promise<void>; readonly abort: AbortController } | null = null;
  let turn: Promise<unknown> = Promise.resolve();
  let removals: Promise<void> = Promise.resolve();
  let isClosed = false;
  const pruning = setInterval(() => prune(), PRUNE_EVERY_MS);
  pruning.unref();

  return {
    snapshot(tools) {
      const answer = turn.then(() => makeSnapshot(tools));
      turn = answer.catch(() => undefined);
      return answer;
    },
    current: () => (current === null ? null : { id: current.id, dir: current.tree.dir }),
    async settled() {
      await turn;
      await spareWork?.done;
      await removals;
    },
    async close() {
      isClosed = true;
      clearInterval(pruning);
      await turn;
      await pauseSpare();
      await discardSpare();
      await removals;
    },
  };

  async function makeSnapshot(tools: readonly ToolDefinition[]): Promise<WrapperSnapshot> {
    if (isClosed) throw new Error('The wrapper store is closed.');
    const plan = planSnapshot(tools);
    if (current?.id === plan.id && existsSync(current.tree.dir)) return { id: plan.id, dir: current.tree.dir };
    const finalDir = join(dir, plan.id);
    const tree = published.has(plan.id) && existsSync(finalDir) ? plannedTree(finalDir, plan) : await writeSnapshot(plan, finalDir);
    if (current !== null) published.set(current.id, now());
    published.set(plan.id, now());
    current = { id: plan.id, tree };
    recordPublished(dir, plan.id);
    prune();
    if (fileCount(plan) >= LEAST_FILES_FOR_A_SPARE) prepareSpare(plan, tree);
    return { id: plan.id, dir: finalDir };
  }

  async function writeSnapshot(plan: SnapshotPlan, finalDir: string): Promise<SnapshotTree> {
    await pauseSpare();
    const tree = spare ?? newSnapshotTree(temporaryName());
    spare = null;
    try {
      await fillSnapshotTree(tree, plan, current?.tree ?? null, null);
      return publishSnapshotTree(tree, finalDir);
    } catch (error) {
      await removeSnapshotDir(tree.dir);
      throw error;
    }
  }

  function prepareSpare(plan: SnapshotPlan, source: SnapshotTree): void {
    const abort = new AbortController();
    const done = pauseSpare().then(async () => {
      if (abort.signal.aborted) return;
      const tree = spare ?? newSnapshotTree(temporaryName());
      spare = null;
      try {
        await fillSnapshotTree(tree, plan, source, abort.signal);
        spare = tree;
      } catch {
        // A disk that is full, say: the next snapshot is then written without a spare, and reports what is wrong.
        await removeSnapshotDir(tree.dir);
      }
    });
    spareWork = { done, abort };
  }

  async function pauseSpare(): Promise<void> {
    const work = spareWork;
    if (work === null) return;
    spareWork = null;
    work.abort.abort();
    await work.done;
  }

  async function discardSpare(): Promise<void> {
    const discarded = spare;
    spare = null;
    if (discarded !== null) await removeSnapshotDir(discarded.dir);
  }

  function prune(): void {
    const used = new Set(inUse());
    const old = [...published].filter(([id]) => id !== current?.id).sort(([, a], [, b]) => b - a);
    for (const [id, lastCurrentAt] of old.slice(keep)) {
      if (used.has(join(dir, id)) || now() - lastCurrentAt < graceMs) continue;
      published.delete(id);
      rmSync(recordPath(dir, id), { force: true });
      if (!existsSync(join(dir, id))) continue;
      // Out of the way at once, since the same tools may come back; what cannot be removed now the next start removes.
      const removed = temporaryName();
      renameSync(join(dir, id), removed);
      removals = removals.then(() => removeSnapshotDir(removed)).catch(() => undefined);
    }
  }

  function temporaryName(): string {
    return join(dir, `.tmp-${process.pid}-${crypto.randomUUID()}`);
  }
}

/**
 * Snapshots that an earlier process finished, by id, with the time they were last current. Those of an earlier boot of the machine are
 * removed with whatever is half-written: files are not synced one by one, so after a power cut their text may be missing.
 */
function findPublished(dir: string): Map<string, number> {
  const published = new Map<string, number>();
  const entries = readdirSync(dir);
  for (const entry of entries) {
    if (!entry.endsWith('.json')) continue;
    const record = readRecord(join(dir, entry));
    const id = entry.slice(0, -'.json'.length);
    if (record?.bootId === bootId() && entries.includes(id)) published.set(id, record.lastCurrentAt);
  }
  for (const entry of entries) {
    if (published.has(entry.replace(/\.json$/, ''))) continue;
    if (/^([0-9a-f]{32}|\.tmp-.*)$/.test(entry)) rmSync(join(dir, entry), { recursive: true, force: true });
    else if (/^[0-9a-f]{32}\.json$/.test(entry)) rmSync(join(dir, entry), { force: true });
  }
  return published;
}

function recordPublished(dir: string, id: string): void {
  const temporary = `${recordPath(dir, id)}.tmp`;
  writeFileSync(temporary, JSON.stringify({ bootId: bootId(), lastCurrentAt: Date.now() }));
  renameSync(temporary, recordPath(dir, id));
}

function readRecord(path: string): { bootId: string; lastCurrentAt: number } | null {
  try {
    const record: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof record !== 'object' || record === null || !('bootId' in record) || !('lastCurrentAt' in record)) return null;
    return typeof record.bootId === 'string' && typeof record.lastCurrentAt === 'number'
      ? { bootId: record.bootId, lastCurrentAt: record.lastCurrentAt }
      : null;
  } catch {
    // A record that cannot be read is one that was not finished.
    return null;
  }
}

const recordPath = (dir: string, id: string): string => join(dir, `${id}.json`);
const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
const fileCount = (plan: SnapshotPlan): number => [...plan.directories.values()].reduce((count, files) => count + files.size, 0);
const plannedTree = (dir: string, plan: SnapshotPlan): SnapshotTree => ({
  dir,
  directories: new Map(plan.directories),
  links: new Map(plan.links),
});
