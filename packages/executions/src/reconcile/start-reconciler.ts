import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, type Logger, messageOf } from '@code-executor/platform';
import type { Redis } from 'ioredis';
import type { ExecutionEnded } from '../end-execution.ts';
import { endedEvent } from '../ended-record.ts';
import { createWorkerSessionStore } from '../fleet-sessions/worker-sessions.ts';
import { createDispatcher } from '../ledger/dispatch-next.ts';
import { LEASE_MS } from '../ledger/lease.ts';
import { CHANNELS } from '../live-stream/fleet-channels.ts';
import type { QueueProducer } from '../queue/bullmq-producer.ts';
import type { EffectsOf } from '../run/dependencies.ts';
import { createFleetStore } from '../store/fleet-store.ts';
import { createHearing } from './hearing.ts';
import { judgeLost } from './judge-lost.ts';

export interface ReconcilerOptions {
  readonly db: Database;
  readonly log: Logger;
  /** For commands and PUBLISH; one that fails at once while Redis is away (`openRedis`). */
  readonly redis: Redis;
  readonly queue: Pick<QueueProducer, 'add' | 'holds' | 'sweep'>;
  readonly effectsOf: EffectsOf;
  readonly share: () => number;
  /** Which of these approvals are pending no more; absent: nothing ever waits. */
  readonly decidedAmong?: ((approvalIds: readonly string[]) => Promise<readonly string[]>) | undefined;
  readonly onEnded: (event: ExecutionEnded) => void;
}

export interface Reconciler {
  /** Resolves when the look under way is over. */
  stop(): Promise<void>;
}

const INTERVAL_MS = 250;
/** From the commit of a row to its id in the queue it takes milliseconds; after this it was lost on the way. */
const UNCLAIMED_MS = 1_000;
const UNCLAIMED_AT_ONCE = 500;
const RELEASED_AT_ONCE = 500;
/** The queue is asked about each of them, which is not done with every look. */
const QUEUE_INTERVAL_MS = 1_000;
const WORKSPACES_AT_ONCE = 50;
const SWEEP_INTERVAL_MS = 5_000;
const SESSION_INTERVAL_MS = 500;

/**
 * Mends four times a second what deaths have left: ends what lost workers ran, queues again what the queue has lost, and
 * dispatches what waits where there is room. Runs in every mcp-proxy; they take turns by a lock in the database.
 */
export function startReconciler(options: ReconcilerOptions): Reconciler {
  const { db, log, redis, queue, effectsOf, onEnded } = options;
  const fleet = createFleetStore(db);
  const sessions = createWorkerSessionStore(db);
  const dispatcher = createDispatcher({ ...options, fleet });
  const hearing = createHearing(LEASE_MS, () => performance.now());
  const stopping = new AbortController();
  let isFailing = false;
  let queueLookedAt = 0;
  let sweptAt = 0;
  let expiredAt = 0;
  const running = run();

  return {
    async stop() {
      stopping.abort();
      await running;
      await dispatcher.close();
    },
  };

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await look();
        if (isFailing) log.info('The reconciler has database and Redis again');
        isFailing = false;
      } catch (error) {
        hearing.missed();
        if (!isFailing) log.warn({ reason: messageOf(error) }, 'The reconciler cannot reach the database or Redis; it goes on trying');
        isFailing = true;
      }
      await sleep(INTERVAL_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  async function look(): Promise<void> {
    const mayJudge = hearing.begin();
    await redis.ping();
    await loseSessions(mayJudge);
    await endLost(mayJudge);
    await queueDecided();
    await queueAgain();
    await sweep();
    await dispatchWaiting();
    hearing.heard();
  }

  async function loseSessions(mayJudge: boolean): Promise<void> {
    const lost = mayJudge && hearing.isFresh() ? await sessions.loseUnheard() : 0;
    if (lost > 0) log.warn({ sessions: lost }, 'The workers of sessions were lost');
    if (performance.now() - expiredAt < SESSION_INTERVAL_MS) return;
    await sessions.expire();
    expiredAt = performance.now();
  }

  async function endLost(mayJudge: boolean): Promise<void> {
    const judge = (expired: Parameters<typeof judgeLost>[0]) => judgeLost(expired, effectsOf, log);
    const lost = (await fleet.endExpired(judge, () => mayJudge && hearing.isFresh())) ?? [];
    await sessions.loseWith(lost.map(({ ended }) => ended.id));
    for (const { ended, row } of lost) {
      log.warn({ executionId: ended.id, effects: ended.outcome.effects }, 'The worker of an execution was lost');
      onEnded(endedEvent(ended, row));
      await redis.publish(CHANNELS.ended, JSON.stringify({ executionId: ended.id }));
      dispatcher.ended(row.workspaceId);
    }
  }

  /** What waits without a sandbox goes on when somebody has decided, or when what it waited for is gone. */
  async function queueDecided(): Promise<void> {
    const released = await fleet.released(RELEASED_AT_ONCE);
    if (released.length === 0 || options.decidedAmong === undefined) return;
    const decided = new Set(await options.decidedAmong(released.flatMap(({ waitsFor }) => waitsFor)));
    const ready = released.filter(({ waitsFor }) => waitsFor.length === 0 || waitsFor.some((id) => decided.has(id)));
    const queued = ready.length === 0 ? [] : await fleet.queueReleased(ready.map(({ id }) => id));
    if (queued.length > 0) await queue.add(queued);
  }

  async function queueAgain(): Promise<void> {
    if (performance.now() - queueLookedAt < QUEUE_INTERVAL_MS) return;
    const unclaimed = await fleet.unclaimed(UNCLAIMED_MS, UNCLAIMED_AT_ONCE);
    const held = await Promise.all(unclaimed.map((id) => queue.holds(id)));
    queueLookedAt = performance.now();
    const missing = unclaimed.filter((_, index) => held[index] === false);
    if (missing.length === 0) return;
    await queue.add(missing);
    log.warn({ executions: missing.length }, 'Executions that the queue had lost were queued again');
  }

  async function sweep(): Promise<void> {
    if (performance.now() - sweptAt < SWEEP_INTERVAL_MS) return;
    await queue.sweep();
    sweptAt = performance.now();
  }

  async function dispatchWaiting(): Promise<void> {
    for (const workspaceId of await fleet.withRoom(options.share(), WORKSPACES_AT_ONCE)) await dispatcher.fill(workspaceId);
  }
}
