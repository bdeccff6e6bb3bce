import type { Principal } from '@code-executor/contracts';
import type { Logger } from '@code-executor/platform';
import type { ExecutionStore } from './store/execution-store.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Often, so that each time little is to be done: on the embedded database everybody waits for it. */
const INTERVAL_MS = 5 * 60 * 1000;
/** Small enough that nobody waits for one statement of it. */
const PURGE_ROWS = 200;
/** One request deletes for no longer; the next one goes on. */
const ON_DEMAND_MS = 20_000;
/** Ends of tool calls are written behind their executions' ends; none of them may find its call gone. */
const YOUNGEST_MS = 60_000;

export interface PurgeOptions {
  /** Ended executions are kept for this long. */
  readonly retentionDays: number;
  readonly intervalMs?: number | undefined;
}

interface PurgeDependencies {
  readonly store: Pick<ExecutionStore, 'purgeEnded' | 'purgeKeys' | 'reclaimSpace'>;
  /** Of what executions left behind, once they are gone. */
  readonly artifacts?: { sweep(): Promise<void> } | undefined;
  readonly log: Logger;
  readonly now: () => number;
}

/** Deletes ended executions past their retention, and idempotency keys past their day, every five minutes until stopped. */
export function startPurging(options: PurgeOptions, deps: PurgeDependencies): { runOnce(): Promise<number>; stop(): Promise<void> } {
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
    const purged = await inBatches(
      () => deps.store.purgeEnded(before, PURGE_ROWS),
      () => stopped,
    );
    await deps.artifacts?.sweep();
    await deps.store.purgeKeys(new Date(deps.now() - DAY_MS));
    await deps.store.reclaimSpace();
    if (purged > 0) deps.log.info({ purged, retentionDays: options.retentionDays }, 'Old executions were purged');
    return purged;
  }
}

/** What ended before, of the principal's workspace; nothing that ended within the last minute. `complete`: none of it is left. */
export async function purgeOnDemand(
  principal: Principal,
  before: Date,
  signal: AbortSignal,
  { store, artifacts, log, now }: PurgeDependencies,
): Promise<{ readonly purged: number; readonly complete: boolean }> {
  const bound = new Date(Math.min(before.getTime(), now() - YOUNGEST_MS));
  const scope = { workspaceId: principal.workspaceId };
  const timeUp = performance.now() + ON_DEMAND_MS;
  let complete = true;
  const purged = await inBatches(
    () => store.purgeEnded(bound, PURGE_ROWS, scope),
    () => {
      complete = !signal.aborted && performance.now() < timeUp;
      return !complete;
    },
  );
  await artifacts?.sweep();
  log.info(
    { purged, complete, before: bound, principalId: principal.id, workspaceId: principal.workspaceId },
    'Executions were purged on demand',
  );
  return { purged, complete };
}

/** Until a batch is not full; answers how many rows it were together. */
async function inBatches(purge: () => Promise<number>, isStopped: () => boolean): Promise<number> {
  let purged = 0;
  for (let rows = PURGE_ROWS; rows === PURGE_ROWS && !isStopped(); ) {
    rows = await purge();
    purged += rows;
  }
  return purged;
}
