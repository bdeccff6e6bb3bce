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
  return {
    ...recordUnderWay({
      executionId,
      language: record.language,
      createdAt,
      queueMs: Math.max(0, (isQueued ? now : startedAtMs) - createdAt.getTime()),
      runningMs: isQueued ? null : Math.max(0, now - startedAtMs),
      output: events.map((event) => (event.type === 'output' ? event.data.text : '')).join(''),
      events,
    }),
    status: record.status,
  };
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
