import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionEvent } from '@code-executor/contracts';
import { isAppError, type Logger, messageOf } from '@code-executor/platform';
import type { EventLog } from '../events/event-log.ts';
import type { ExecutionLedger, HeldExecution } from '../ledger/port.ts';

export interface EventPusherOptions {
  readonly ledger: Pick<ExecutionLedger, 'publish'>;
  readonly log: Logger;
  /** The ledger has refused the claim. */
  readonly onStale: (executionId: string) => void;
  /** Nothing is sent of what ends within it, and batches come no closer. */
  readonly intervalMs?: number | undefined;
}

export interface EventPusher {
  /** Sends the log's events as they come. Answers the way to stop, which waits for nothing: the end carries all events. */
  follow(held: HeldExecution, grant: () => string, log: EventLog): () => void;
  stats(): { readonly batches: number; readonly events: number; readonly failures: number };
}

/** What one request carries; an event of output has up to 8 K characters. */
const BATCH_LENGTH = 256 * 1024;
const BATCH_EVENTS = 2_000;
const RETRY_FIRST_MS = 100;
const RETRY_LAST_MS = 2_000;

/**
 * Live events on their way to whoever follows. Nothing is buffered here but the batch on its way: while the proxy cannot be
 * reached the events wait in the execution's own log, whose memory is bounded, and the program waits for none of it.
 */
export function createEventPusher({ ledger, log, onStale, intervalMs = 50 }: EventPusherOptions): EventPusher {
  let batches = 0;
  let eventCount = 0;
  let failures = 0;
  return {
    follow(held, grant, eventLog) {
      const stop = new AbortController();
      const timer = setTimeout(() => void push(held, grant, eventLog, stop.signal), intervalMs);
      return () => {
        clearTimeout(timer);
        stop.abort(STOPPED_FOLLOWING);
      };
    },
    stats: () => ({ batches, events: eventCount, failures }),
  };

  async function push(held: HeldExecution, grant: () => string, eventLog: EventLog, signal: AbortSignal): Promise<void> {
    try {
      for await (const batch of batched(eventLog, signal)) {
        if (!(await publish(held, grant, batch, signal))) return;
        await sleep(intervalMs, undefined, { signal });
      }
    } catch (error) {
      if (signal.aborted) return;
      log.error({ err: error, executionId: held.executionId }, 'The live events of an execution are not sent any further');
    }
  }

  async function publish(
    held: HeldExecution,
    grant: () => string,
    batch: readonly ExecutionEvent[],
    signal: AbortSignal,
  ): Promise<boolean> {
    for (let delayMs = RETRY_FIRST_MS; ; delayMs = Math.min(RETRY_LAST_MS, delayMs * 2)) {
      try {
        await ledger.publish(held, grant(), batch);
        batches += 1;
        eventCount += batch.length;
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        failures += 1;
        if (isAppError(error, 'STALE_CLAIM')) {
          onStale(held.executionId);
          return false;
        }
        if (isAppError(error) && !error.retryable) throw error;
        if (delayMs === RETRY_FIRST_MS)
          log.warn({ executionId: held.executionId, reason: messageOf(error) }, 'Live events could not be sent; they wait');
        await sleep(delayMs, undefined, { signal });
      }
    }
  }
}

/** Made once: an abort without a reason makes a DOMException with its stack each time. */
const STOPPED_FOLLOWING = new Error('the execution has ended');

/** What there is by the time it is asked for, in order; the execution's own end is told by who writes it. */
async function* batched(eventLog: EventLog, signal: AbortSignal): AsyncGenerator<readonly ExecutionEvent[]> {
  let batch: ExecutionEvent[] = [];
  let length = 0;
  for await (const event of eventLog.follow(0, signal)) {
    if (event.type === 'ended') break;
    batch.push(event);
    length += event.type === 'output' ? event.data.text.length : 100;
    if (event.id < eventLog.lastId() && batch.length < BATCH_EVENTS && length < BATCH_LENGTH) continue;
    yield batch;
    batch = [];
    length = 0;
  }
  if (batch.length > 0 && !signal.aborted) yield batch;
}
