import type { Effects, ExecutionEvent, ExecutionStatus } from '@code-executor/contracts';
import { createEventLog, type EventLog } from './events/event-log.ts';
import type { ExecutionRecord } from './port.ts';
import { roundToMicroseconds } from './round-to-microseconds.ts';

/** What this process knows of an execution that has not ended. */
export interface LiveExecution {
  readonly id: string;
  readonly workspaceId: string;
  readonly principalId: string;
  readonly requestId: string;
  readonly language: string;
  readonly createdAt: Date;
  readonly traceparent?: string | null | undefined;
  /** `performance.now()` when it was accepted. */
  readonly acceptedMs: number;
  /** `performance.now()` when it was claimed; null: it still waits. */
  startedMs: number | null;
  /** Its compute time: so many milliseconds, and since then (`performance.now()`) more; null: its clock stands. */
  computed: { readonly ms: number; readonly sinceMs: number | null };
  /** What it has caused until its present pause. */
  pausedEffects: Effects;
  readonly log: EventLog;
  /** Its abort stops the program; the reason says on whose behalf. */
  stop: AbortController;
  /** Resolves with what was written at the end; rejects when that could not be written. */
  readonly ended: Promise<ExecutionRecord>;
  settle(record: ExecutionRecord): void;
  fail(error: unknown): void;
  /** Something in it waits for a person's decision; its processes are frozen. */
  isPaused(): boolean;
  setPaused(isPaused: boolean): void;
  /** Resolves when it is paused, at once where it is. */
  untilPaused(): Promise<void>;
  /** Gives its sandbox up where it is paused and can be replayed; false: it cannot yet. null: it does not wait. */
  letGo: (() => boolean) | null;
  /** Approvals, as they were last written. */
  waitsFor: readonly string[];
}

export interface LiveExecutions {
  /** `queuedAt` opens its event log. */
  open(
    execution: Pick<LiveExecution, 'id' | 'workspaceId' | 'principalId' | 'requestId' | 'language' | 'createdAt' | 'traceparent'>,
    now: number,
  ): LiveExecution;
  get(id: string): LiveExecution | undefined;
  close(id: string): void;
  all(): IterableIterator<LiveExecution>;
}

export function createLiveExecutions(): LiveExecutions {
  const live = new Map<string, LiveExecution>();
  return {
    open(execution, now) {
      const { promise, resolve, reject } = Promise.withResolvers<ExecutionRecord>();
      // Whoever waits hears of it; an execution nobody waits for must not end the process.
      promise.catch(() => undefined);
      const entry: LiveExecution = {
        ...execution,
        acceptedMs: performance.now() - Math.max(0, now - execution.createdAt.getTime()),
        startedMs: null,
        computed: { ms: 0, sinceMs: null },
        pausedEffects: 'unknown',
        log: createEventLog(),
        stop: new AbortController(),
        ended: promise,
        settle: resolve,
        fail: reject,
        ...createPauseFlag(),
        letGo: null,
        waitsFor: [],
      };
      entry.log.status('queued', execution.createdAt);
      live.set(execution.id, entry);
      return entry;
    },
    get: (id) => live.get(id),
    close: (id) => live.delete(id),
    all: () => live.values(),
  };
}

function createPauseFlag(): Pick<LiveExecution, 'isPaused' | 'setPaused' | 'untilPaused'> {
  let isPaused = false;
  let next = Promise.withResolvers<void>();
  return {
    isPaused: () => isPaused,
    setPaused(on) {
      if (on === isPaused) return;
      isPaused = on;
      if (on) next.resolve();
      else next = Promise.withResolvers<void>();
    },
    untilPaused: () => next.promise,
  };
}

/** The record of an execution under way: what it printed so far, and nothing that only its end can tell. */
export function liveRecord(live: LiveExecution): ExecutionRecord {
  const now = performance.now();
  return recordUnderWay({
    executionId: live.id,
    language: live.language,
    createdAt: live.createdAt,
    queueMs: (live.startedMs ?? now) - live.acceptedMs,
    runningMs: live.startedMs === null ? null : live.computed.ms + (live.computed.sinceMs === null ? 0 : now - live.computed.sinceMs),
    totalMs: now - live.acceptedMs,
    isPaused: live.isPaused(),
    effects: live.isPaused() ? live.pausedEffects : undefined,
    output: live.log.outputText(),
    events: live.log.events(),
  });
}

export function recordUnderWay(seen: {
  readonly executionId: string;
  readonly language: string;
  readonly createdAt: Date;
  readonly queueMs: number;
  /** Compute time so far; null: it still waits. */
  readonly runningMs: number | null;
  readonly totalMs: number;
  readonly isPaused?: boolean | undefined;
  /** So far, where it is known. */
  readonly effects?: Effects | undefined;
  readonly output: string;
  readonly events: readonly ExecutionEvent[];
}): ExecutionRecord {
  const status: ExecutionStatus = seen.runningMs === null ? 'queued' : seen.isPaused === true ? 'paused' : 'running';
  return {
    executionId: seen.executionId,
    status,
    output: seen.output,
    resultJson: null,
    error: null,
    executionTime: roundToMicroseconds(seen.runningMs ?? 0),
    truncated: false,
    droppedBytes: 0,
    // A call may be under way: as long as it runs, only the end can say more.
    effects: seen.effects ?? (status === 'queued' ? 'not_started' : 'unknown'),
    toolCalls: seen.events.flatMap((event) => (event.type === 'tool_call' ? [event.data] : [])),
    metrics: {
      queueMs: roundToMicroseconds(seen.queueMs),
      totalMs: roundToMicroseconds(seen.totalMs),
      warm: false,
      outputBytes: Buffer.byteLength(seen.output),
      outputTokens: 0,
    },
    approval: null,
    language: seen.language,
    createdAt: seen.createdAt.toISOString(),
    endedAt: null,
  };
}
