import type { ExecutionError, ExecutionEvent, ExecutionStatus, ToolCallSummary } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';

export type OutputEvent = Extract<ExecutionEvent, { type: 'output' }>;
export type OtherEvent = Exclude<ExecutionEvent, OutputEvent>;

export interface EventLog {
  status(status: ExecutionStatus, at: Date): void;
  output(text: string): void;
  toolCall(summary: ToolCallSummary): void;
  /** Takes over events of an earlier run, whose ids follow on from what is there; those that are there already are left out. */
  restore(events: readonly ExecutionEvent[]): void;
  /** Writes out the last unfinished line. Call before `events()` is stored. */
  flush(): void;
  /** Followers get the `ended` event and finish. */
  end(status: ExecutionStatus, error: ExecutionError | null): void;
  /** Everything kept, by id. Gaps are dropped output. */
  events(): ExecutionEvent[];
  /** Id of the last event there is. */
  lastId(): number;
  /** The output kept so far. */
  outputText(): string;
  /** Throws INVALID_EVENT_ID or EVENTS_GONE when nobody can go on from here. */
  follow(afterId: number, signal: AbortSignal): AsyncIterable<ExecutionEvent>;
}

export interface EventLogLimits {
  /** UTF-16 units of output kept from the start, at most. */
  readonly headLength: number;
  /** The same from the end, at least: as many as the output itself keeps. */
  readonly tailLength: number;
  /** Output events that carry one line each; later ones carry what came within `flushMs`. */
  readonly singleLines: number;
  readonly flushMs: number;
}

const EVENT_LOG_LIMITS: EventLogLimits = { headLength: 64 * 1024, tailLength: 36 * 1024, singleLines: 512, flushMs: 50 };

/** An unfinished line is written out at this length. */
const PENDING_LENGTH = 8 * 1024;

/**
 * The live log of one running execution. Its memory is bounded by what it keeps: followers have no buffer of their
 * own, only the id they are at; one that falls behind what was dropped skips it.
 */
export function createEventLog(limits: EventLogLimits = EVENT_LOG_LIMITS): EventLog {
  const head: ExecutionEvent[] = [];
  const tailOthers: OtherEvent[] = [];
  let tailOutputs: OutputEvent[] = [];
  let tailStart = 0;
  let headOpen = true;
  let headLength = 0;
  let tailLength = 0;
  let lastId = 0;
  let outputEvents = 0;
  let firstDroppedId = 0;
  let lastDroppedId = 0;
  let pending = '';
  let flushTimer: NodeJS.Timeout | null = null;
  let ended = false;
  let waiters: (() => void)[] = [];

  return {
    status(status, at) {
      flush();
      append({ id: nextId(), type: 'status', data: { status, at: at.toISOString() } });
    },
    output,
    toolCall(summary) {
      flush();
      append({ id: nextId(), type: 'tool_call', data: summary });
    },
    restore(events) {
      for (const event of events) {
        if (event.id <= lastId) continue;
        lastId = event.id;
        if (event.type === 'output') outputEvents += 1;
        append(event);
      }
    },
    flush,
    end(status, error) {
      flush();
      append({ id: nextId(), type: 'ended', data: { status, error } });
      ended = true;
    },
    events() {
      const all: ExecutionEvent[] = [];
      for (let event = eventAfter(0); event !== undefined; event = eventAfter(event.id)) all.push(event);
      return all;
    },
    lastId: () => lastId,
    outputText() {
      const headOutputs = head.filter((event) => event.type === 'output');
      return [...headOutputs, ...tailOutputs.slice(tailStart)].map((event) => event.data.text).join('') + pending;
    },
    follow(afterId, signal) {
      assertCanFollow(afterId);
      return generate(afterId, signal);
    },
  };

  function output(text: string): void {
    pending += text;
    if (outputEvents < limits.singleLines) flushLines();
    if (pending.length > PENDING_LENGTH) flush();
    if (pending !== '' && flushTimer === null) flushTimer = setTimeout(flush, limits.flushMs);
  }

  function flushLines(): void {
    let start = 0;
    for (let end = pending.indexOf('\n'); end !== -1 && outputEvents < limits.singleLines; end = pending.indexOf('\n', start)) {
      appendOutput(pending.slice(start, end + 1));
      start = end + 1;
    }
    pending = pending.slice(start);
  }

  function flush(): void {
    if (flushTimer !== null) clearTimeout(flushTimer);
    flushTimer = null;
    while (pending !== '') {
      // A pair of surrogates that is torn apart would arrive as two replacement characters.
      const torn = pending.length > PENDING_LENGTH && isHighSurrogate(pending.charCodeAt(PENDING_LENGTH - 1));
      const length = torn ? PENDING_LENGTH - 1 : PENDING_LENGTH;
      appendOutput(pending.slice(0, length));
      pending = pending.slice(length);
    }
  }

  function appendOutput(text: string): void {
    outputEvents += 1;
    append({ id: nextId(), type: 'output', data: { text } });
  }

  function nextId(): number {
    lastId += 1;
    return lastId;
  }

  function append(event: ExecutionEvent): void {
    if (event.type !== 'output') (headOpen ? head : tailOthers).push(event);
    else if (headOpen && headLength + event.data.text.length <= limits.headLength) {
      head.push(event);
      headLength += event.data.text.length;
    } else {
      headOpen = false;
      tailOutputs.push(event);
      tailLength += event.data.text.length;
      dropOldOutput();
    }
    const woken = waiters;
    waiters = [];
    for (const wake of woken) wake();
  }

  function dropOldOutput(): void {
    // Events go whole: what is kept is never less than the limit, and less than one event more.
    for (let oldest = tailOutputs[tailStart]; oldest !== undefined; oldest = tailOutputs[tailStart]) {
      const rest = tailLength - oldest.data.text.length;
      if (rest < limits.tailLength) break;
      tailLength = rest;
      if (firstDroppedId === 0) firstDroppedId = oldest.id;
      lastDroppedId = oldest.id;
      tailStart += 1;
    }
    if (tailStart < 1024) return;
    tailOutputs = tailOutputs.slice(tailStart);
    tailStart = 0;
  }

  /** Ids in the head have no gap, so that the one after `id` stands at index `id`. */
  function eventAfter(id: number): ExecutionEvent | undefined {
    if (id < head.length) return head[id];
    const other = tailOthers[firstIndexAbove(tailOthers, id, 0)];
    const text = tailOutputs[firstIndexAbove(tailOutputs, id, tailStart)];
    if (other === undefined || text === undefined) return other ?? text;
    return other.id < text.id ? other : text;
  }

  function assertCanFollow(afterId: number): void {
    assertEventId(afterId, lastId);
    if (firstDroppedId !== 0 && afterId >= firstDroppedId && afterId < lastDroppedId) throw eventsGone(afterId);
  }

  async function* generate(afterId: number, signal: AbortSignal): AsyncGenerator<ExecutionEvent> {
    let cursor = afterId;
    let wake = (): void => undefined;
    const onAbort = (): void => wake();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (!signal.aborted) {
        const event = eventAfter(cursor);
        if (event !== undefined) {
          cursor = event.id;
          yield event;
        } else if (ended) return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
            waiters.push(resolve);
          });
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      waiters = waiters.filter((waiter) => waiter !== wake);
    }
  }
}

/** `lastId`: the last that was ever given out. */
export function assertEventId(afterId: number, lastId: number): void {
  if (Number.isSafeInteger(afterId) && afterId >= 0 && afterId <= lastId) return;
  throw new AppError('INVALID_EVENT_ID', `Last-Event-ID ${afterId} is no event of this execution; its events are 1 to ${lastId}.`, {
    details: { lastEventId: lastId },
  });
}

export const eventsGone = (afterId: number): AppError =>
  new AppError('EVENTS_GONE', `The events after ${afterId} are no longer kept. Connect again without Last-Event-ID to get those that are.`);

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;

function firstIndexAbove(events: readonly ExecutionEvent[], id: number, from: number): number {
  let low = from;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((events[middle]?.id ?? 0) <= id) low = middle + 1;
    else high = middle;
  }
  return low;
}
