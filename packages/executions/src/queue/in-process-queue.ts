import { AppError } from '@code-executor/platform';
import type { ExecutionQueue, QueuePlace } from './execution-queue.ts';

/** At 100 executions a second this is ten seconds of waiting; longer than that a client is better told to come back. */
const MAXIMUM_DEPTH_DEFAULT = 1_000;
const RETRY_AFTER_MAXIMUM_SECONDS = 60;

/**
 * The queue of the embedded form: first in, first out within a workspace, and one after the other between them, so
 * that a workspace with a thousand waiting executions delays another's first by one.
 */
export function createInProcessQueue(options: { readonly maximumDepth?: number } = {}): ExecutionQueue {
  const { maximumDepth = MAXIMUM_DEPTH_DEFAULT } = options;
  /** Workspaces with something waiting; the map's own order is whose turn is next. */
  const waiting = new Map<string, Set<string>>();
  const workspaceOf = new Map<string, string>();
  const underWay = new Set<Promise<void>>();
  let handler: ((executionId: string) => Promise<void>) | null = null;
  let concurrency = 0;
  let reserved = 0;
  let held = 0;
  let running = 0;
  let closed = false;
  let averageRunMs = 100;

  return {
    reserve(workspaceId) {
      if (workspaceOf.size + reserved >= maximumDepth) throw queueFull();
      const startsAtOnce = !closed && workspaceOf.size === 0 && reserved === 0 && running + held < concurrency;
      return startsAtOnce ? holdWorker() : holdRoom(workspaceId);
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

  function holdWorker(): QueuePlace {
    held += 1;
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
        if (use()) start(executionId);
      },
      release() {
        if (use()) startWaiting();
      },
    };
  }

  function holdRoom(workspaceId: string): QueuePlace {
    reserved += 1;
    let used = false;
    const use = (): boolean => {
      if (used) return false;
      used = true;
      reserved -= 1;
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
      const executionId = takeNext();
      if (executionId === null) return;
      start(executionId);
    }
  }

  function takeNext(): string | null {
    for (const [workspaceId, ids] of waiting) {
      waiting.delete(workspaceId);
      for (const executionId of ids) {
        ids.delete(executionId);
        workspaceOf.delete(executionId);
        if (ids.size > 0) waiting.set(workspaceId, ids);
        return executionId;
      }
    }
    return null;
  }

  /** A held worker runs even after `close`: the row says that it is running. */
  function start(executionId: string): void {
    if (handler === null) throw new Error('The queue hands out nothing before it has a handler.');
    running += 1;
    const startedAt = performance.now();
    const run = handler(executionId).finally(() => {
      running -= 1;
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
