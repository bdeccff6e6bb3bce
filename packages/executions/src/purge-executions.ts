import type { Logger } from '@code-executor/platform';
import type { ArtifactStore } from './artifacts/artifact-store.ts';
import type { ExecutionStore } from './store/execution-store.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Often, so that each time little is to be done: on the embedded database everybody waits for it. */
const INTERVAL_MS = 5 * 60 * 1000;
/** Small enough that nobody waits for one statement of it. */
const PURGE_ROWS = 200;

export interface PurgeOptions {
  /** Ended executions are kept for this long. */
  readonly retentionDays: number;
  readonly intervalMs?: number | undefined;
}

/** Deletes ended executions past their retention and idempotency keys past their day, every five minutes until stopped. */
export function startPurging(
  options: PurgeOptions,
  deps: {
    readonly store: ExecutionStore;
    readonly artifacts?: Pick<ArtifactStore, 'sweep'> | undefined;
    readonly log: Logger;
    readonly now: () => number;
  },
): { runOnce(): Promise<number>; stop(): Promise<void> } {
  let stopped = false;
  let underWay: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    underWay = runOnce().catch((error: unknown) => deps.log.error({ err: error }, 'Old executions could not be purged'));
  }, options.intervalMs ?? INTERVAL_MS);
  timer.unref();

  return {
    runOnce,
    async stop() {
      stopped = true;
      clearInterval(timer);
      await underWay;
    },
  };

  async function runOnce(): Promise<number> {
    const before = new Date(deps.now() - options.retentionDays * DAY_MS);
    let purged = 0;
    for (let rows = PURGE_ROWS; rows === PURGE_ROWS && !stopped; ) {
      rows = await deps.store.purgeEnded(before, PURGE_ROWS);
      purged += rows;
    }
    await deps.artifacts?.sweep((executionIds) => deps.store.existing(executionIds));
    await deps.store.purgeKeys(new Date(deps.now() - DAY_MS));
    await deps.store.reclaimSpace();
    if (purged > 0) deps.log.info({ purged, retentionDays: options.retentionDays }, 'Old executions were purged');
    return purged;
  }
}
