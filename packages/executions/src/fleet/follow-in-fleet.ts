import type { ExecutionEvent, Principal } from '@code-executor/contracts';
import { type Logger, messageOf } from '@code-executor/platform';
import { assertEventId, eventsGone } from '../events/event-log.ts';
import { remainingEvents, replayEvents } from '../events/stored-events.ts';
import type { LiveEvent } from '../live-stream/live-events.ts';
import type { LiveReader } from '../live-stream/live-reader.ts';
import { findStored, iterateEvents, type StoredExecution } from '../read-executions.ts';
import { isEnded, type WaitInFleetDependencies, waitInFleet } from './wait-in-fleet.ts';
import type { Wakes } from './wakes.ts';

export interface FollowInFleetDependencies extends WaitInFleetDependencies {
  readonly reader: LiveReader;
  readonly wakes: Wakes;
  readonly log: Logger;
}

/** The stream is looked at this often without having been told. */
const LOOK_MS = 1_000;
/** Written with the row; a worker's events go on from here. */
const QUEUED_ID = 1;

/**
 * The events of the row once it has ended; before that those that the worker published, whichever gateway is asked. The
 * end itself, and what was not published before it, comes from the row.
 */
export async function followInFleet(
  principal: Principal,
  executionId: string,
  afterId: number,
  signal: AbortSignal,
  deps: FollowInFleetDependencies,
): Promise<AsyncIterable<ExecutionEvent>> {
  const { record, eventsJson } = await findStored(principal, executionId, deps);
  if (isEnded(record)) return iterateEvents(replayEvents(record, eventsJson, afterId), signal);
  await assertCanFollow(executionId, afterId, deps);
  const queued: ExecutionEvent = { id: QUEUED_ID, type: 'status', data: { status: 'queued', at: record.createdAt } };
  return follow(principal, executionId, afterId < QUEUED_ID ? queued : null, afterId, signal, deps);
}

async function assertCanFollow(executionId: string, afterId: number, { reader, log }: FollowInFleetDependencies): Promise<void> {
  if (afterId <= QUEUED_ID) return assertEventId(afterId, QUEUED_ID);
  let around: Awaited<ReturnType<LiveReader['around']>>;
  try {
    around = await reader.around(executionId, afterId);
  } catch (error) {
    // Nobody can tell; what comes after this id will be sent when Redis is back, or from the row.
    log.info({ executionId, reason: messageOf(error) }, 'A live log is followed while Redis is away');
    return;
  }
  assertEventId(afterId, Math.max(QUEUED_ID, around.newest));
  if (around.first > afterId + 1) throw eventsGone(afterId);
}

async function* follow(
  principal: Principal,
  executionId: string,
  queued: ExecutionEvent | null,
  afterId: number,
  signal: AbortSignal,
  deps: FollowInFleetDependencies,
): AsyncGenerator<ExecutionEvent> {
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  const bell = createBell();
  const stopListening = deps.wakes.listen(executionId, bell.ring);
  signal.addEventListener('abort', bell.ring, { once: true });
  let end: StoredExecution | null = null;
  let failure: { readonly error: unknown } | null = null;
  waitInFleet(principal, executionId, stopped, deps, isEnded)
    .then(
      (found) => {
        end = found;
      },
      (error: unknown) => {
        failure = { error };
      },
    )
    .finally(bell.ring);
  try {
    let cursor = Math.max(afterId, QUEUED_ID);
    if (queued !== null) yield queued;
    for (;;) {
      if (signal.aborted) return;
      const over = end as StoredExecution | null;
      const page = over !== null && over.eventsJson !== null ? [] : await readPage(executionId, cursor, deps);
      for (const event of page) {
        cursor = event.id;
        yield event;
        if (signal.aborted) return;
      }
      if (page.length > 0) continue;
      if (over !== null) {
        for (const event of remainingEvents(over.record, over.eventsJson, cursor)) {
          yield event;
          if (signal.aborted) return;
        }
        return;
      }
      const failed = failure as { readonly error: unknown } | null;
      if (failed !== null && !signal.aborted) throw failed.error;
      await bell.heard(LOOK_MS);
    }
  } finally {
    stop.abort();
    stopListening();
    signal.removeEventListener('abort', bell.ring);
  }
}

async function readPage(executionId: string, cursor: number, { reader, log }: FollowInFleetDependencies): Promise<LiveEvent[]> {
  try {
    return await reader.read(executionId, cursor);
  } catch (error) {
    log.debug({ executionId, reason: messageOf(error) }, 'A live log cannot be read while Redis is away');
    return [];
  }
}

/** Remembers that it rang while nobody listened. */
function createBell() {
  let rang = false;
  let wake: (() => void) | null = null;
  return {
    ring(): void {
      rang = true;
      wake?.();
    },
    async heard(withinMs: number): Promise<void> {
      if (!rang) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, withinMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        wake = null;
      }
      rang = false;
    },
  };
}
