import { AppError } from '@code-executor/platform';
import type { ExecutionQueue, QueuePlace } from './execution-queue.ts';

/** At 100 executions a second this is ten seconds of waiting; longer than that a client is better told to come back. */
const MAXIMUM_DEPTH_DEFAULT = 1_000;
const RETRY_AFTER_MAXIMUM_SECONDS = 60;

/**
 * The queue of the embedded form: first in, first out within a workspace, and one after the other between them, so
 * that a workspace with a thousand waiting executions delays another's first by one.
 */
export function createInProcessQueue(
  options: {
    /** Executions of one workspace that wait. */
    readonly maximumDepth?: number;
    /** Others may come at any time: no workspace holds more than half of the workers, however long its executions run. */
    readonly isShared?: () => boolean;
  } = {},
): ExecutionQueue {
  const { maximumDepth = MAXIMUM_DEPTH_DEFAULT, isShared = () => false } = options;
  /** Workspaces with something waiting; the map's own order is whose turn is next. */
  const waiting = new Map<string, Set<string>>();
  const workspaceOf = new Map<string, string>();
  const underWay = new Set<Promise<void>>();
  const reserved = new Map<string, number>();
  /** Running, or about to, by workspace. */
  const inHand = new Map<string, number>();
  let handler: ((executionId: string) => Promise<void>) | null = null;
  let concurrency = 0;
  let held = 0;
  let running = 0;
  let closed = false;
  let averageRunMs = 100;

  return {
    reserve(workspaceId) {
      const ahead = (waiting.get(workspaceId)?.size ?? 0) + (reserved.get(workspaceId) ?? 0);
      if (ahead >= maximumDepth) throw queueFull();
      const startsAtOnce = !closed && ahead === 0 && !isWaitedFor() && running + held < concurrency && hasShare(workspaceId);
      return startsAtOnce ? holdWorker(workspaceId) : holdRoom(workspaceId);
    },
    add,
    process(newHandler, { concurrency: limit }) {
      handler = newHandler;
      concurrency = limit;
      startWaiting();
    },
    remove(executionId) {
      const workspaceId = workspaceOf.get(executionId);
      if (workspaceId === undefined) return false;
      workspaceOf.delete(executionId);
      const ids = waiting.get(workspaceId);
      ids?.delete(executionId);
      if (ids?.size === 0) waiting.delete(workspaceId);
      return true;
    },
    depth: () => ({ queued: workspaceOf.size, running }),
    async close() {
      closed = true;
      await Promise.all(underWay);
    },
  };

  /** Somebody waits whom the next free worker is for. */
  function isWaitedFor(): boolean {
    if (reserved.size > 0) return true;
    for (const workspaceId of waiting.keys()) if (hasShare(workspaceId)) return true;
    return false;
  }

  function hasShare(workspaceId: string): boolean {
    return !isShared() || (inHand.get(workspaceId) ?? 0) < Math.max(1, Math.floor(concurrency / 2));
  }

  function holdWorker(workspaceId: string): QueuePlace {
    held += 1;
    count(inHand, workspaceId, 1);
    let used = false;
    const use = (): boolean => {
      if (used) return false;
      used = true;
      held -= 1;
      return true;
    };
    return {
      startsAtOnce: true,
      add(executionId) {
        if (use()) start(executionId, workspaceId);
      },
      release() {
        if (!use()) return;
        count(inHand, workspaceId, -1);
        startWaiting();
      },
    };
  }

  function holdRoom(workspaceId: string): QueuePlace {
    count(reserved, workspaceId, 1);
    let used = false;
    const use = (): boolean => {
      if (used) return false;
      used = true;
      count(reserved, workspaceId, -1);
      return true;
    };
    return {
      startsAtOnce: false,
      add(executionId) {
        if (use()) add(executionId, { workspaceId });
      },
      release() {
        use();
      },
    };
  }

  function add(executionId: string, { workspaceId }: { readonly workspaceId: string }): void {
    workspaceOf.set(executionId, workspaceId);
    const ids = waiting.get(workspaceId) ?? new Set();
    ids.add(executionId);
    waiting.set(workspaceId, ids);
    startWaiting();
  }

  function startWaiting(): void {
    while (!closed && running + held < concurrency) {
      const next = takeNext();
      if (next === null) return;
      count(inHand, next.workspaceId, 1);
      start(next.executionId, next.workspaceId);
    }
  }

  function takeNext(): { readonly executionId: string; readonly workspaceId: string } | null {
    for (const [workspaceId, ids] of waiting) {
      if (!hasShare(workspaceId)) continue;
      waiting.delete(workspaceId);
      for (const executionId of ids) {
        ids.delete(executionId);
        workspaceOf.delete(executionId);
        if (ids.size > 0) waiting.set(workspaceId, ids);
        return { executionId, workspaceId };
      }
    }
    return null;
  }

  /** Counted as in hand already. A held worker runs even after `close`: the row says that it is running. */
  function start(executionId: string, workspaceId: string): void {
    if (handler === null) throw new Error('The queue hands out nothing before it has a handler.');
    running += 1;
    const startedAt = performance.now();
    const run = handler(executionId).finally(() => {
      running -= 1;
      count(inHand, workspaceId, -1);
      underWay.delete(run);
      averageRunMs += (performance.now() - startedAt - averageRunMs) / 16;
      startWaiting();
    });
    underWay.add(run);
  }

  function queueFull(): AppError {
    const seconds = Math.ceil((maximumDepth * averageRunMs) / Math.max(1, concurrency) / 1000);
    const retryAfterSeconds = Math.min(RETRY_AFTER_MAXIMUM_SECONDS, Math.max(1, seconds));
    return new AppError('QUEUE_FULL', `${maximumDepth} executions are waiting already. Try again in ${retryAfterSeconds} s.`, {
      details: { retryAfterSeconds },
    });
  }
}

function count(counts: Map<string, number>, workspaceId: string, change: 1 | -1): void {
  const next = (counts.get(workspaceId) ?? 0) + change;
  if (next === 0) counts.delete(workspaceId);
  else counts.set(workspaceId, next);
}
