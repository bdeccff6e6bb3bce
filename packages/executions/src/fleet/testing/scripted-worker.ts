import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger, messageOf } from '@code-executor/platform';
import { createEventLog } from '../../events/event-log.ts';
import { storeEvents } from '../../events/stored-events.ts';
import { endWithoutProgram } from '../../execution.ts';
import type { ExecutionLedger } from '../../ledger/port.ts';
import { createQueueConsumer } from '../../queue/bullmq-consumer.ts';
import { CANCELLED } from '../../run/stop-reason.ts';
import { followCancellations, followHandOvers } from '../../worker/follow-cancellations.ts';

export interface ScriptedWorker {
  /** In the order they were claimed. */
  readonly claimed: string[];
  /** That it was told of past the queue. */
  readonly handed: string[];
  close(): Promise<void>;
}

const WORKER_ID = 'scripted-worker';
const RENEW_MS = 500;

/** Claims and ends through the ledger like a worker, but runs no sandbox: a program says what it would print, and when. */
export async function startScriptedWorker(options: {
  readonly redis: string;
  readonly ledger: ExecutionLedger;
  readonly slots: number;
  /** What it does with what it is told of past the queue; absent: it does not listen. */
  readonly handOvers?: 'taken' | 'ignored' | undefined;
  readonly log: Logger;
}): Promise<ScriptedWorker> {
  const { ledger, slots, log } = options;
  const claimed: string[] = [];
  const handed: string[] = [];
  const closing = new AbortController();
  const held = new Map<string, { readonly token: number; readonly stop: AbortController }>();
  const cancellations = followCancellations({
    onDecided: () => undefined,
    onSessions: () => undefined,
    redis: options.redis,
    log,
    onCancel: (id) => held.get(id)?.stop.abort(CANCELLED),
  });
  const consumer = createQueueConsumer({ redis: options.redis, concurrency: slots, log, handler: run });
  const onHanded = (executionId: string): void => {
    handed.push(executionId);
    if (options.handOvers === 'taken')
      run(executionId, closing.signal, true).catch((error: unknown) => log.warn({ err: error }, 'an execution that was handed over'));
  };
  const handOvers = options.handOvers === undefined ? null : followHandOvers({ redis: options.redis, workerId: WORKER_ID, log, onHanded });
  await renew();
  const timer = setInterval(() => void renew(), RENEW_MS);
  consumer.start();

  return {
    claimed,
    handed,
    async close() {
      closing.abort();
      handOvers?.close();
      clearInterval(timer);
      await consumer.close();
      await cancellations.close();
    },
  };

  async function renew(): Promise<void> {
    const report = {
      workerId: WORKER_ID,
      slots,
      running: held.size,
      draining: false,
      pool: { hits: 3, misses: 1, warm: { typescript: 2 } },
    };
    try {
      const renewal = await ledger.renew(
        report,
        [...held].map(([executionId, { token }]) => ({ executionId, token })),
      );
      for (const id of [...renewal.cancelled, ...renewal.lost]) held.get(id)?.stop.abort(CANCELLED);
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'no renewal');
    }
  }

  async function run(executionId: string, closing: AbortSignal, isAhead = false): Promise<void> {
    const claim = await ledger.claim(executionId, { workerId: WORKER_ID, isAhead });
    if (claim === null) return;
    const { execution, grant } = claim;
    claimed.push(executionId);
    const stop = new AbortController();
    held.set(executionId, { token: execution.token, stop });
    const events = createEventLog();
    let published = 0;
    const startedMs = performance.now();
    events.status('queued', execution.createdAt);
    events.status('running', new Date());
    let cancelled = false;
    try {
      for (const step of execution.args.steps as (string | number)[]) {
        if (typeof step === 'string') events.output(step);
        else await sleep(step, undefined, { signal: AbortSignal.any([stop.signal, closing]) });
        events.flush();
        const fresh = events.events().filter(({ id }) => id > published);
        published = events.lastId();
        await ledger
          .publish({ executionId, token: execution.token }, grant, fresh)
          .catch((error: unknown) => log.debug({ err: error }, 'x'));
      }
    } catch {
      cancelled = stop.signal.aborted;
    } finally {
      held.delete(executionId);
    }
    const output = events.outputText();
    const error = cancelled ? CANCELLED.error : null;
    const executionTimeMs = performance.now() - startedMs;
    const ended = {
      id: executionId,
      token: execution.token,
      endedAt: new Date(),
      queueMs: 1,
      totalMs: executionTimeMs + 1,
      outputTokens: 0,
      outcome: { ...endWithoutProgram(cancelled ? 'cancelled' : 'succeeded', error, 'none'), output, resultJson: '42', executionTimeMs },
      eventsJson: storeEvents(events.events(), events.lastId(), output),
    };
    for (let tries = 0; tries < 50; tries += 1) {
      try {
        await ledger.finish(ended, grant);
        return;
      } catch {
        await sleep(200);
      }
    }
  }
}
