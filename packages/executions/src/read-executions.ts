import { setTimeout as sleep } from 'node:timers/promises';
import { ENDED_STATUSES, type ExecutionEvent, idPattern, type Principal } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { replayEvents } from './events/stored-events.ts';
import { type LiveExecution, type LiveExecutions, liveRecord } from './live-executions.ts';
import type { ExecutionRecord, Executions } from './port.ts';
import { unlessAborted } from './run/within.ts';
import type { ExecutionStore } from './store/execution-store.ts';
import { executionNotFound, isVisible, visibilityOf } from './visibility.ts';

export interface StoredExecution {
  readonly record: ExecutionRecord;
  readonly eventsJson: string | null;
}

interface ReadDependencies {
  readonly store: ExecutionStore;
  readonly live: LiveExecutions;
}

/** An execution that this process does not hold is looked at this often until it has ended. */
const POLL_MS = 250;
const PAGE_MAXIMUM = 1_000;

/** What is under way as far as it has come, what has ended as it was written. */
export async function getExecution(principal: Principal, executionId: string, deps: ReadDependencies): Promise<ExecutionRecord> {
  const live = findLive(principal, executionId, deps);
  return live === null ? (await findStored(principal, executionId, deps)).record : liveRecord(live);
}

/** Resolves with the end, or where somebody has to decide first. Aborting ends the waiting alone; the execution goes on. */
export async function waitForExecution(
  principal: Principal,
  executionId: string,
  signal: AbortSignal,
  deps: ReadDependencies,
): Promise<ExecutionRecord> {
  signal.throwIfAborted();
  for (;;) {
    const live = findLive(principal, executionId, deps);
    if (live !== null) {
      const ended = await unlessAborted(Promise.race([live.ended, live.untilPaused()]), signal);
      return ended ?? liveRecord(live);
    }
    const { record } = await findStored(principal, executionId, deps);
    if (ENDED_STATUSES.includes(record.status) || record.status === 'paused') return record;
    await sleep(POLL_MS, undefined, { signal });
  }
}

export async function listExecutions(
  principal: Principal,
  page: Parameters<Executions['list']>[1],
  { store }: { readonly store: Pick<ExecutionStore, 'list'> },
): ReturnType<Executions['list']> {
  if (!Number.isInteger(page.limit) || page.limit < 1 || page.limit > PAGE_MAXIMUM) {
    throw new AppError('INVALID_REQUEST', `limit must be a whole number from 1 to ${PAGE_MAXIMUM}.`, { details: { field: 'limit' } });
  }
  if (page.cursor !== undefined && !idPattern('exe').test(page.cursor)) {
    throw new AppError('INVALID_REQUEST', 'cursor must be the nextCursor of an earlier page.', { details: { field: 'cursor' } });
  }
  return await store.list(visibilityOf(principal), page);
}

export async function followExecution(
  principal: Principal,
  executionId: string,
  afterId: number,
  signal: AbortSignal,
  deps: ReadDependencies,
): Promise<AsyncIterable<ExecutionEvent>> {
  const live = findLive(principal, executionId, deps);
  if (live !== null) return live.log.follow(afterId, signal);
  const { record, eventsJson } = await findStored(principal, executionId, deps);
  return iterateEvents(replayEvents(record, eventsJson, afterId), signal);
}

function findLive(principal: Principal, executionId: string, { live }: ReadDependencies): LiveExecution | null {
  const entry = live.get(executionId);
  return entry !== undefined && isVisible(visibilityOf(principal), entry) ? entry : null;
}

/** Throws EXECUTION_NOT_FOUND, for what the principal may not see too. */
export async function findStored(
  principal: Principal,
  executionId: string,
  { store }: { readonly store: Pick<ExecutionStore, 'find'> },
): Promise<StoredExecution> {
  const found = idPattern('exe').test(executionId) ? await store.find(executionId, visibilityOf(principal)) : null;
  if (found === null) throw executionNotFound(executionId);
  return found;
}

export async function* iterateEvents(events: readonly ExecutionEvent[], signal: AbortSignal): AsyncGenerator<ExecutionEvent> {
  for (const event of events) {
    if (signal.aborted) return;
    yield event;
  }
}
