import type { ExecutionEvent } from '@code-executor/contracts';
import { AppError, isAppError } from '@code-executor/platform';
import type { FastifyBaseLogger } from 'fastify';

/** How long an EventSource waits before it comes back with its Last-Event-ID. */
const RETRY_MS = 1_000;

interface StreamOptions {
  readonly heartbeatMs: number;
  /** Aborts when the client is gone or the service stops. */
  readonly signal: AbortSignal;
  /** Asked with each heartbeat; false ends the stream. */
  readonly mayGoOn: () => Promise<boolean>;
  readonly log: FastifyBaseLogger;
}

/**
 * An execution's events as the text of an event stream, with heartbeats between them. It is pulled: while a client does
 * not read, nothing is taken from `events`. What ends it early is told in an `error` event.
 */
export async function* streamEvents(events: AsyncIterable<ExecutionEvent>, options: StreamOptions): AsyncGenerator<string> {
  const { heartbeatMs, signal } = options;
  const iterator = events[Symbol.asyncIterator]();
  const clock = startClock(heartbeatMs, signal);
  try {
    yield `retry: ${RETRY_MS}\n\n`;
    let next = iterator.next();
    for (;;) {
      const arrived = await Promise.race([next, clock.tick()]);
      if (signal.aborted) {
        yield errorText(signal.reason);
        return;
      }
      // Also due between events of a program that never stops printing.
      if (clock.due()) {
        if (!(await options.mayGoOn())) {
          yield errorText(new AppError('UNAUTHENTICATED', 'This key is unknown, expired or revoked.'));
          return;
        }
        clock.reset();
        yield ': heartbeat\n\n';
      }
      if (arrived === null) continue;
      if (arrived.done) return;
      yield eventText(arrived.value);
      next = iterator.next();
    }
  } catch (error) {
    if (!signal.aborted) options.log.error({ err: error }, 'an event stream failed');
    yield errorText(error);
  } finally {
    clock.stop();
    // Not awaited: a generator settles this only after its pending next(), which the signal ends when the answer is over.
    iterator.return?.().catch((error: unknown) => options.log.debug({ err: error }, 'an event source did not close cleanly'));
  }
}

/** Ticks every `periodMs` and when the signal aborts; `null` is the tick. */
function startClock(periodMs: number, signal: AbortSignal) {
  let last = Date.now();
  let wake: (() => void) | null = null;
  const onTick = () => {
    wake?.();
    wake = null;
  };
  const timer = setInterval(onTick, periodMs);
  signal.addEventListener('abort', onTick, { once: true });
  return {
    /** Resolves with the next tick; one that nobody waited for is not kept, `due` tells. */
    tick: (): Promise<null> =>
      signal.aborted
        ? Promise.resolve(null)
        : new Promise((resolve) => {
            wake = () => resolve(null);
          }),
    // A timer may fire a millisecond early.
    due: () => Date.now() - last >= periodMs - 2,
    reset: () => {
      last = Date.now();
    },
    stop: () => {
      clearInterval(timer);
      signal.removeEventListener('abort', onTick);
    },
  };
}

function eventText(event: ExecutionEvent): string {
  // JSON has no raw line breaks, so one data line is enough.
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event.data)}\n\n`;
}

function errorText(reason: unknown): string {
  const error = isAppError(reason)
    ? { code: reason.code, message: reason.message }
    : { code: 'INTERNAL', message: 'The stream failed on our side.' };
  return `event: error\ndata: ${JSON.stringify(error)}\n\n`;
}
