import { AppError, closeRedis, type Logger, messageOf, openRedis, watchRedis } from '@code-executor/platform';
import { Queue } from 'bullmq';
import { QUEUE_EVENTS_MAXIMUM, QUEUE_NAME, QUEUE_PREFIX } from './bullmq-names.ts';

/** The producing side of the fleet's queue: gateways and the reconciler. It carries ids of committed executions and nothing else. */
export interface QueueProducer {
  /** Adding an id that is there already changes nothing. Throws QUEUE_UNAVAILABLE within a second or so. */
  add(executionIds: readonly string[]): Promise<void>;
  /** It will not be handed out, unless a worker holds it already. Throws QUEUE_UNAVAILABLE. */
  remove(executionId: string): Promise<void>;
  /** Whether it waits, or is with a worker that is alive; what a dead worker left is taken out. Throws QUEUE_UNAVAILABLE. */
  holds(executionId: string): Promise<boolean>;
  /** Takes out everything that dead workers have left. Throws QUEUE_UNAVAILABLE. */
  sweep(): Promise<void>;
  /** Throws QUEUE_UNAVAILABLE. */
  depth(): Promise<{ readonly waiting: number; readonly active: number }>;
  /** Whether Redis answers and takes writes, as known a second ago at most. */
  healthy(): boolean;
  /** Why it is not healthy; null: it is. */
  reason(): string | null;
  close(): Promise<void>;
}

export function createQueueProducer(options: {
  /** Of Redis. */
  readonly redis: string;
  readonly log: Logger;
  /** What the connection is called in Redis and in the log. */
  readonly name?: string | undefined;
}): QueueProducer {
  const { log, name = 'queue' } = options;
  const redis = openRedis({ url: options.redis, name, log });
  const watch = watchRedis(redis, { name, log });
  const queue = new Queue<null>(QUEUE_NAME, {
    connection: redis,
    prefix: QUEUE_PREFIX,
    // Otherwise every call waits for a Redis that is away, and the first failure while connecting is kept for ever.
    skipWaitingForReady: true,
    skipVersionCheck: true,
    streams: { events: { maxLen: QUEUE_EVENTS_MAXIMUM } },
    defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true, stackTraceLimit: 0 },
  });
  // The connection's own listeners log; without one here an error would end the process.
  queue.on('error', (error) => log.debug({ err: error }, 'The queue reports an error'));

  return {
    async add(executionIds) {
      if (executionIds.length === 0) return;
      const [only] = executionIds;
      await within(async () => {
        // A bulk of one would be a transaction around it.
        if (executionIds.length === 1 && only !== undefined) await queue.add('run', null, { jobId: only });
        else await queue.addBulk(executionIds.map((jobId) => ({ name: 'run', data: null, opts: { jobId } })));
      });
    },
    remove: (executionId) => within(async () => void (await queue.remove(executionId))),
    holds: (executionId) =>
      within(async () => {
        const state = await queue.getJobState(executionId);
        if (state === 'waiting') return true;
        if (state === 'active' && (await redis.exists(`${queue.toKey(executionId)}:lock`)) === 1) return true;
        if (state !== 'unknown') await queue.remove(executionId);
        return false;
      }),
    sweep: () =>
      within(async () => {
        const taken = await redis.lrange(queue.toKey('active'), 0, -1);
        const locked = await Promise.all(taken.map((id) => redis.exists(`${queue.toKey(id)}:lock`)));
        await Promise.all(taken.filter((_, index) => locked[index] === 0).map((id) => queue.remove(id)));
      }),
    depth: () =>
      within(async () => {
        const counts = await queue.getJobCounts('waiting', 'active');
        return { waiting: counts.waiting ?? 0, active: counts.active ?? 0 };
      }),
    healthy: () => watch.reason() === null,
    reason: watch.reason,
    async close() {
      watch.stop();
      await queue.close();
      closeRedis(redis);
    },
  };

  async function within<Answer>(act: () => Promise<Answer>): Promise<Answer> {
    const known = watch.reason();
    if (known !== null) throw unavailable(known);
    try {
      return await act();
    } catch (error) {
      watch.report(error);
      throw unavailable(messageOf(error), error);
    }
  }
}

const unavailable = (reason: string, cause?: unknown): AppError =>
  new AppError('QUEUE_UNAVAILABLE', `The queue cannot be used at the moment: ${reason.slice(0, 200)}`, { cause });
