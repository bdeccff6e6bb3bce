import type { Principal } from '@code-executor/contracts';
import { type Logger, messageOf } from '@code-executor/platform';
import { recordUnderWay } from '../live-executions.ts';
import type { LiveEvent } from '../live-stream/live-events.ts';
import type { LiveReader } from '../live-stream/live-reader.ts';
import type { ExecutionRecord } from '../port.ts';
import { findStored } from '../read-executions.ts';
import type { ExecutionStore } from '../store/execution-store.ts';
import { isEnded } from './wait-in-fleet.ts';

export interface GetInFleetDependencies {
  readonly store: Pick<ExecutionStore, 'find'>;
  readonly reader: LiveReader;
  readonly log: Logger;
  readonly now: () => number;
}

/** What is under way as far as its worker has told, what has ended as it was written. */
export async function getInFleet(principal: Principal, executionId: string, deps: GetInFleetDependencies): Promise<ExecutionRecord> {
  const { record } = await findStored(principal, executionId, deps);
  if (isEnded(record)) return record;
  const events = record.status === 'queued' ? [] : await readAll(executionId, deps);
  const createdAt = new Date(record.createdAt);
  const started = events.find((event) => event.type === 'status' && event.data.status === 'running');
  const startedAtMs = started?.type === 'status' ? Date.parse(started.data.at) : createdAt.getTime();
  const now = deps.now();
  const isQueued = record.status === 'queued';
  const isPaused = record.status === 'paused';
  return {
    ...recordUnderWay({
      executionId,
      language: record.language,
      createdAt,
      queueMs: Math.max(0, (isQueued ? now : startedAtMs) - createdAt.getTime()),
      runningMs: isQueued || isPaused ? record.executionTime : computedMs(events, startedAtMs, now),
      totalMs: now - createdAt.getTime(),
      // Its row says what it had caused when it was paused, also where it is queued again to be replayed.
      effects: isQueued || isPaused ? record.effects : undefined,
      output: events.map((event) => (event.type === 'output' ? event.data.text : '')).join(''),
      events,
    }),
    status: record.status,
  };
}

/** From when it started to run until now, pauses left out. */
function computedMs(events: readonly LiveEvent[], startedAtMs: number, now: number): number {
  let computed = 0;
  let sinceMs: number | null = startedAtMs;
  for (const event of events) {
    if (event.type !== 'status') continue;
    const atMs = Date.parse(event.data.at);
    if (event.data.status === 'running') sinceMs ??= atMs;
    else if (sinceMs !== null) {
      computed += Math.max(0, atMs - sinceMs);
      sinceMs = null;
    }
  }
  return computed + (sinceMs === null ? 0 : Math.max(0, now - sinceMs));
}

/** Bounded by what the stream keeps. */
async function readAll(executionId: string, { reader, log }: GetInFleetDependencies): Promise<LiveEvent[]> {
  const events: LiveEvent[] = [];
  try {
    for (;;) {
      const page = await reader.read(executionId, events.at(-1)?.id ?? 0);
      if (page.length === 0) return events;
      events.push(...page);
    }
  } catch (error) {
    log.info({ executionId, reason: messageOf(error) }, 'The live log could not be read; only the row is shown');
    return events;
  }
}
