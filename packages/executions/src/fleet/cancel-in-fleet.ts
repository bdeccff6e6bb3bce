import { idPattern, type Principal } from '@code-executor/contracts';
import { AppError, type Logger, messageOf } from '@code-executor/platform';
import { executionEnded } from '../cancel-execution.ts';
import type { ExecutionEnded } from '../end-execution.ts';
import type { ExecutionRecord } from '../port.ts';
import type { QueueProducer } from '../queue/bullmq-producer.ts';
import { findStored } from '../read-executions.ts';
import type { FleetStore } from '../store/fleet-store.ts';
import { executionNotFound, visibilityOf } from '../visibility.ts';
import { endedEvent } from './ended-event.ts';
import type { FleetRows } from './fleet-rows.ts';
import { isEnded, type WaitInFleetDependencies, waitInFleet } from './wait-in-fleet.ts';

export interface CancelInFleetDependencies extends WaitInFleetDependencies {
  readonly fleetStore: Pick<FleetStore, 'requestCancel'>;
  readonly rows: Pick<FleetRows, 'origin'>;
  readonly queue: Pick<QueueProducer, 'remove'>;
  /** Throws while Redis is away. */
  readonly publish: (channel: 'ended' | 'cancel', message: string) => Promise<void>;
  readonly onEnded: (event: ExecutionEnded) => void;
  readonly log: Logger;
}

/** A worker that is alive ends it within a second, that of a dead one within a lease and a look of the reconciler. */
const CANCEL_MAXIMUM_MS = 20_000;

/** Resolves when it has ended as cancelled. Throws EXECUTION_ENDED when another end came first. */
export async function cancelInFleet(principal: Principal, executionId: string, deps: CancelInFleetDependencies): Promise<ExecutionRecord> {
  if (!idPattern('exe').test(executionId)) throw executionNotFound(executionId);
  const done = await deps.fleetStore.requestCancel(executionId, visibilityOf(principal));
  if (done === null) throw executionEnded((await findStored(principal, executionId, deps)).record);
  if (done === 'ended') {
    await tell(() => deps.publish('ended', JSON.stringify({ executionId })), executionId, deps);
    // A worker that is handed the id all the same finds that it cannot be claimed.
    await tell(() => deps.queue.remove(executionId), executionId, deps);
    const { record } = await findStored(principal, executionId, deps);
    const origin = await deps.rows.origin(executionId);
    if (origin !== null) deps.onEnded(endedEvent(record, origin));
    return record;
  }
  await tell(() => deps.publish('cancel', executionId), executionId, deps);
  const record = await waitForEnd(principal, executionId, deps);
  if (record.status !== 'cancelled') throw executionEnded(record);
  return record;
}

/** The row says it already; who misses the message learns it with the next renewal or look. */
async function tell(act: () => Promise<void>, executionId: string, { log }: CancelInFleetDependencies): Promise<void> {
  try {
    await act();
  } catch (error) {
    log.info({ executionId, reason: messageOf(error) }, 'Redis was not told of a cancellation');
  }
}

async function waitForEnd(principal: Principal, executionId: string, deps: CancelInFleetDependencies): Promise<ExecutionRecord> {
  const signal = AbortSignal.timeout(CANCEL_MAXIMUM_MS);
  try {
    return (await waitInFleet(principal, executionId, signal, deps, isEnded)).record;
  } catch (error) {
    if (!signal.aborted) throw error;
    const message = `The cancellation of ${executionId} is written down, but its worker has not ended it within ${CANCEL_MAXIMUM_MS / 1_000} s.`;
    throw new AppError('LEDGER_UNAVAILABLE', message, { cause: error, details: { executionId } });
  }
}
