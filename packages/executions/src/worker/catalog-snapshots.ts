import type { ToolDefinition } from '@code-executor/contracts';
import { type Logger, messageOf } from '@code-executor/platform';
import { unlessAborted, within } from '../run/within.ts';

export interface Catalog {
  readonly version: string;
  readonly tools: readonly ToolDefinition[];
}

export interface CatalogSnapshotsOptions {
  /** The catalog of this version; another one where who answers does not have it any more, or not yet. */
  readonly fetchCatalog: (version: string, signal: AbortSignal) => Promise<Catalog>;
  /** Writes the wrappers and answers where they are. */
  readonly writeSnapshot: (tools: readonly ToolDefinition[]) => Promise<{ readonly dir: string }>;
  /** The newest snapshot has changed: warm sandboxes are to see it. */
  readonly onNewest: (dir: string) => void;
  readonly log: Logger;
  readonly keep?: number | undefined;
}

/** The wrappers on this worker's disk, by the version of the catalog they were made from. */
export interface CatalogSnapshots {
  /** Fetches what is not here yet. Throws the signal's reason, or what fetching threw. */
  dir(version: string, signal: AbortSignal): Promise<string>;
  /** The fleet is at this version: fetch it and turn to it, without anybody waiting. */
  follow(version: string): void;
  /** Resolves when the first one is there. */
  readonly first: Promise<void>;
  /** Directories that executions may still be sent to. */
  dirs(): Iterable<string>;
  close(): Promise<void>;
}

const FETCH_MS = 20_000;
const RETRY_MS = 1_000;
const TIMES_TO_TURN_BACK = 3;

export function createCatalogSnapshots(options: CatalogSnapshotsOptions): CatalogSnapshots {
  const { fetchCatalog, writeSnapshot, onNewest, log, keep = 6 } = options;
  const closing = new AbortController();
  /** Least recently used first. */
  const known = new Map<string, string>();
  const fetching = new Map<string, Promise<string>>();
  /** What was answered in place of a version, for a moment: of two proxies one may not have heard of it yet. */
  const standIns = new Map<string, { readonly dir: string; readonly untilMs: number }>();
  let newest: { readonly version: string; readonly dir: string } | null = null;
  /** What the last renewal said. */
  let followed: string | null = null;
  let saidInARow = 0;
  let mayRetryAtMs = 0;
  const first = Promise.withResolvers<void>();

  return {
    async dir(version, signal) {
      signal.throwIfAborted();
      const found = known.get(version);
      if (found === undefined) return standInFor(version) ?? (await unlessAborted(fetch(version), signal));
      remember(version, found);
      return found;
    },
    follow(version) {
      saidInARow = version === followed ? saidInARow + 1 : 1;
      followed = version;
      if (version === newest?.version || closing.signal.aborted || performance.now() < mayRetryAtMs) return;
      const found = known.get(version);
      if (found !== undefined) {
        // Two proxies that differ for a while must not empty the pool with every renewal.
        if (saidInARow >= TIMES_TO_TURN_BACK) turnTo(version, found);
        return;
      }
      if (fetching.has(version) || standInFor(version) !== null) return;
      fetch(version).catch((error: unknown) => {
        mayRetryAtMs = performance.now() + RETRY_MS;
        if (!closing.signal.aborted) log.warn({ version, reason: messageOf(error) }, 'The catalog could not be fetched; trying again');
      });
    },
    first: first.promise,
    dirs: () => known.values(),
    async close() {
      closing.abort(new Error('the worker is closing'));
      await Promise.allSettled(fetching.values());
    },
  };

  /** Whoever asks for the same version at the same time waits for the same fetch. */
  function fetch(version: string): Promise<string> {
    const underWay = fetching.get(version);
    if (underWay !== undefined) return underWay;
    const work = fetchAndWrite(version).finally(() => fetching.delete(version));
    fetching.set(version, work);
    return work;
  }

  async function fetchAndWrite(version: string): Promise<string> {
    const catalog = await within(FETCH_MS, closing.signal, (signal) => fetchCatalog(version, signal));
    const { dir } = await writeSnapshot(catalog.tools);
    remember(catalog.version, dir);
    if (catalog.version !== version) standIn(version, dir);
    if (isFollowed(version, catalog.version)) turnTo(catalog.version, dir);
    return dir;
  }

  function standIn(version: string, dir: string): void {
    const nowMs = performance.now();
    for (const [other, { untilMs }] of standIns) if (untilMs <= nowMs) standIns.delete(other);
    standIns.set(version, { dir, untilMs: nowMs + RETRY_MS });
  }

  function standInFor(version: string): string | null {
    const found = standIns.get(version);
    return found !== undefined && found.untilMs > performance.now() ? found.dir : null;
  }

  /** A claim may name a version that the fleet has left behind; the warm sandboxes stay with the fleet's. */
  function isFollowed(asked: string, answered: string): boolean {
    return newest === null || asked === followed || answered === followed;
  }

  function turnTo(version: string, dir: string): void {
    newest = { version, dir };
    first.resolve();
    onNewest(dir);
  }

  function remember(version: string, dir: string): void {
    known.delete(version);
    known.set(version, dir);
    for (const oldest of known.keys()) {
      if (known.size <= keep) break;
      known.delete(oldest);
    }
  }
}
