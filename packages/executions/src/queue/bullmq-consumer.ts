import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, closeRedis, type Logger, messageOf, openRedis } from '@code-executor/platform';
import { Worker } from 'bullmq';
import { QUEUE_NAME, QUEUE_PREFIX } from './bullmq-names.ts';

/** The taking side of the fleet's queue: workers. An id says that a row may be claimed, no more; the claim decides. */
export interface QueueConsumer {
  /** Begins to take. Resolves at once, also while Redis is away. */
  start(): void;
  /** Takes nothing more; resolves when the handlers under way have finished. */
  drain(): Promise<void>;
  /** Aborts the handlers' signals, waits for them, and disconnects. */
  close(): Promise<void>;
}

/** The lease of a claim, too: who is silent for longer has lost what it took. */
const LOCK_MS = 4_000;
/** Seconds that one look for work blocks; also how soon a connection that went silent is noticed. */
const BLOCK_SECONDS = 2;
const RETRY_MS = 250;
/** After an error of Redis itself (no memory, read-only) nothing is taken for so long, or the refusals would follow each other at once. */
const REFUSED_PAUSE_MS = 500;
/** BullMQ's own closing, once no handler is under way any more. */
const CLOSE_MS = 2_000;

export function createQueueConsumer(options: {
  /** Of Redis. */
  readonly redis: string;
  /** Executions that are handled at once. */
  readonly concurrency: number;
  readonly log: Logger;
  /** Answers for its own failures and should not reject. */
  readonly handler: (executionId: string, signal: AbortSignal) => Promise<void>;
}): QueueConsumer {
  const { concurrency, log, handler } = options;
  const redis = openRedis({ url: options.redis, name: 'worker', log, use: 'blocking' });
  const stop = new AbortController();
  const underWay = new Set<Promise<void>>();
  let started = false;
  let closing = false;
  let pause: NodeJS.Timeout | null = null;

  const worker = new Worker<null>(QUEUE_NAME, (job) => handle(job.id), {
    connection: redis,
    prefix: QUEUE_PREFIX,
    autorun: false,
    concurrency,
    skipVersionCheck: true,
    lockDuration: LOCK_MS,
    // It puts ids back into the queue, which Redis lets no worker do; the reconciler takes out what dead workers leave.
    skipStalledCheck: true,
    maxStalledCount: 0,
    drainDelay: BLOCK_SECONDS,
    runRetryDelay: RETRY_MS,
  });
  worker.on('error', (error) => {
    log.debug({ err: error }, 'The queue reports an error');
    if (isRefusal(error)) pauseTaking(error);
  });

  return {
    start() {
      if (started) return;
      started = true;
      worker.run().catch((error: unknown) => {
        if (!closing) log.fatal({ err: error }, 'The queue is not read any more');
      });
    },
    drain,
    async close() {
      stop.abort(new AppError('SHUTTING_DOWN', 'The worker stops.'));
      await drain();
      closeRedis(redis);
      worker.disconnect().catch((error: unknown) => log.debug({ err: error }, 'The queue did not disconnect cleanly'));
    },
  };

  async function drain(): Promise<void> {
    closing = true;
    if (pause !== null) clearTimeout(pause);
    const closed = worker.close();
    // A handler may be begun by what was fetched just before.
    while (underWay.size > 0) await Promise.all(underWay);
    const tooLate = new AbortController();
    // While Redis is away BullMQ waits for it; what it would still say is of no use, for rows and leases are the truth.
    await Promise.race([closed, sleep(CLOSE_MS, undefined, { signal: tooLate.signal, ref: false })]).finally(() => tooLate.abort());
    await Promise.all(underWay);
  }

  async function handle(executionId: string | undefined): Promise<void> {
    if (executionId === undefined) return;
    const handled = handleOne(executionId);
    underWay.add(handled);
    await handled;
    underWay.delete(handled);
  }

  async function handleOne(executionId: string): Promise<void> {
    try {
      await handler(executionId, stop.signal);
    } catch (error) {
      log.error({ err: error, executionId }, 'Handling an execution from the queue failed');
    }
  }

  function pauseTaking(error: Error): void {
    if (pause !== null || closing) return;
    log.warn({ reason: messageOf(error) }, 'Redis refuses the queue; trying again');
    pause = setTimeout(() => {
      pause = null;
      if (!closing) worker.resume().catch((failure: unknown) => log.error({ err: failure }, 'The queue could not be resumed'));
    }, REFUSED_PAUSE_MS);
    worker.pause(true).catch((failure: unknown) => log.error({ err: failure }, 'The queue could not be paused'));
  }
}

/** Redis answered, and would not: no memory, read-only, disk full, still loading, no permission. */
const isRefusal = (error: Error): boolean => /\b(OOM|READONLY|MISCONF|LOADING|NOPERM|BUSY|MASTERDOWN|CLUSTERDOWN)\b/.test(error.message);
