import { AppError, type Logger, messageOf } from '@code-executor/platform';
import type { LiveWorkers } from './live-workers.ts';

const REFRESH_MS = 1_000;
const RETRY_AFTER_MAXIMUM_SECONDS = 60;
/** How long an execution takes while none has been seen to end. */
const RUN_MS_DEFAULT = 100;

export interface QueueBound {
  /** QUEUE_FULL; null: the workspace may wait with one more. */
  refusal(workspaceId: string): AppError | null;
  /** As far as is known here some of it wait for its share, so that what comes now waits as well. */
  someWait(workspaceId: string): boolean;
  /** One more waits, until the next count says how many do. */
  added(workspaceId: string): void;
  /** Of all workspaces, as counted a second ago. */
  depth(): { readonly queued: number; readonly running: number };
  /** One execution has taken so long; an estimate of when room will be rests on it. */
  took(runMs: number): void;
  stop(): void;
}

/** How many executions of a workspace may wait. The counts are a second old: several gateways together may let in a few more. */
export function createQueueBound(options: {
  readonly limit: number;
  readonly waiting: () => Promise<ReadonlyMap<string, number>>;
  readonly queueDepth: () => Promise<{ readonly waiting: number }>;
  readonly workers: LiveWorkers;
  readonly log: Logger;
}): QueueBound {
  const { limit, workers, log } = options;
  let waiting = new Map<string, number>();
  let dispatched = 0;
  let averageRunMs = RUN_MS_DEFAULT;
  let refreshing = false;
  const timer = setInterval(refresh, REFRESH_MS);
  refresh();

  return {
    refusal(workspaceId) {
      if ((waiting.get(workspaceId) ?? 0) < limit) return null;
      const seconds = Math.ceil((limit * averageRunMs) / workers.share() / 1_000);
      const retryAfterSeconds = Math.min(RETRY_AFTER_MAXIMUM_SECONDS, Math.max(1, seconds));
      return new AppError('QUEUE_FULL', `${limit} executions of this workspace are waiting already. Try again in ${retryAfterSeconds} s.`, {
        details: { retryAfterSeconds },
      });
    },
    someWait: (workspaceId) => (waiting.get(workspaceId) ?? 0) > 0,
    added: (workspaceId) => void waiting.set(workspaceId, (waiting.get(workspaceId) ?? 0) + 1),
    depth() {
      const waitingInAll = [...waiting.values()].reduce((sum, each) => sum + each, 0);
      const running = workers.reports().reduce((sum, report) => sum + report.running, 0);
      return { queued: waitingInAll + dispatched, running };
    },
    took(runMs) {
      averageRunMs += (runMs - averageRunMs) / 16;
    },
    stop: () => clearInterval(timer),
  };

  function refresh(): void {
    if (refreshing) return;
    refreshing = true;
    count().then(
      () => {
        refreshing = false;
      },
      (error: unknown) => {
        refreshing = false;
        log.debug({ reason: messageOf(error) }, 'The waiting executions cannot be counted; the last count holds');
      },
    );
  }

  async function count(): Promise<void> {
    const [rows, queued] = await Promise.allSettled([options.waiting(), options.queueDepth()]);
    if (rows.status === 'fulfilled') waiting = new Map(rows.value);
    if (queued.status === 'fulfilled') dispatched = queued.value.waiting;
    const failed = [rows, queued].find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}
