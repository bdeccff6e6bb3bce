import { setTimeout as sleep } from 'node:timers/promises';
import { ENDED_STATUSES, type Principal } from '@code-executor/contracts';
import { isDatabaseAway } from '@code-executor/platform';
import type { ExecutionRecord } from '../port.ts';
import { findStored, type StoredExecution } from '../read-executions.ts';
import type { ExecutionStore } from '../store/execution-store.ts';
import { visibilityOf } from '../visibility.ts';
import type { Endings } from './endings.ts';

export interface WaitInFleetDependencies {
  readonly store: Pick<ExecutionStore, 'find'>;
  readonly endings: Endings;
}

/** A PostgreSQL that restarts is back within seconds; whoever waits for an end meanwhile goes on waiting. */
const DATABASE_AWAY_MS = 30_000;
const DATABASE_RETRY_MS = 200;

/**
 * Resolves with the end as its message brings it, or with one read of the row: the row shows an end before anybody is told.
 * For an execution that was not expected here the row is read first, once somebody listens.
 */
export async function waitInFleet(
  principal: Principal,
  executionId: string,
  signal: AbortSignal,
  deps: WaitInFleetDependencies,
  isOver: (record: ExecutionRecord) => boolean = isEndedOrPaused,
): Promise<StoredExecution> {
  for (;;) {
    signal.throwIfAborted();
    const found = deps.endings.watches(executionId, visibilityOf(principal))
      ? await afterEnd(principal, executionId, signal, deps)
      : await asItIs(principal, executionId, signal, deps, isOver);
    if (isOver(found.record)) return found;
  }
}

async function afterEnd(principal: Principal, executionId: string, signal: AbortSignal, deps: WaitInFleetDependencies) {
  return (await deps.endings.wait(executionId, signal)) ?? (await read(principal, executionId, signal, deps));
}

/** Listens before it reads, so that no end falls between the two. */
async function asItIs(
  principal: Principal,
  executionId: string,
  signal: AbortSignal,
  deps: WaitInFleetDependencies,
  isOver: (record: ExecutionRecord) => boolean,
): Promise<StoredExecution> {
  const enough = new AbortController();
  const end = deps.endings.wait(executionId, AbortSignal.any([signal, enough.signal]));
  end.catch(() => undefined);
  try {
    const found = await read(principal, executionId, signal, deps);
    if (isOver(found.record)) return found;
    return (await end) ?? (await read(principal, executionId, signal, deps));
  } finally {
    enough.abort();
  }
}

async function read(
  principal: Principal,
  executionId: string,
  signal: AbortSignal,
  deps: WaitInFleetDependencies,
): Promise<StoredExecution> {
  const until = performance.now() + DATABASE_AWAY_MS;
  for (;;) {
    try {
      return await findStored(principal, executionId, deps);
    } catch (error) {
      if (!isDatabaseAway(error) || performance.now() > until) throw error;
    }
    await sleep(DATABASE_RETRY_MS, undefined, { signal });
  }
}

export const isEnded = ({ status }: ExecutionRecord): boolean => ENDED_STATUSES.includes(status);
const isEndedOrPaused = (record: ExecutionRecord): boolean => isEnded(record) || record.status === 'paused';
