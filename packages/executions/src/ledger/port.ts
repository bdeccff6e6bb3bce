import type { ExecutionEvent } from '@code-executor/contracts';
import type { ClaimedExecution } from '../execution.ts';
import type { SessionFate } from '../fleet-sessions/port.ts';
import type { ExecutionRecord } from '../port.ts';
import type { SavedPause } from '../run/pauses.ts';
import type { EndedExecution } from '../store/finish-statement.ts';

/** One execution that a worker holds: `token` fences out whoever held it before. */
export interface HeldExecution {
  readonly executionId: string;
  readonly token: number;
}

/** What a worker says of itself with every renewal. */
export interface WorkerReport {
  readonly workerId: string;
  /** Executions that it runs at once. */
  readonly slots: number;
  readonly running: number;
  /** It finishes what it has and takes nothing more. */
  readonly draining: boolean;
  readonly pool: { readonly hits: number; readonly misses: number; readonly warm: Readonly<Record<string, number>> };
}

export interface ClaimedByWorker {
  readonly execution: ClaimedExecution;
  /** Bearer of the execution's own internal calls (tool calls, events, its end); dies with the claim. */
  readonly grant: string;
  /** Version of the catalog whose wrappers the program is to see. */
  readonly catalogVersion: string;
}

export interface Renewal {
  /** Not this worker's any more: stop them and write nothing. */
  readonly lost: readonly string[];
  /** Somebody asked for their cancellation. */
  readonly cancelled: readonly string[];
  /** Approvals of what they hold that are decided, and whose calls are still to be issued again. */
  readonly decided: readonly string[];
  readonly catalogVersion: string;
}

/**
 * The rows of executions as a worker of the fleet sees them, over mcp-proxy's internal routes. The rows are the truth; a
 * worker holds nothing but a claim with a lease, and whoever lets the lease run out has lost the execution.
 *
 * Every method throws AppError LEDGER_UNAVAILABLE (retryable) when no answer came, STALE_CLAIM when the claim is not the
 * worker's any more.
 */
export interface ExecutionLedger {
  /** null: it is not queued any more; somebody else has it, or it was cancelled. */
  claim(
    executionId: string,
    /** `takesSessions` false: it keeps as many as it may. */
    worker: Pick<WorkerReport, 'workerId'> & {
      readonly takesSessions?: boolean | undefined;
      /** The worker was told of it ahead of its row: that is waited for, and not claimed while it waits for its turn. */
      readonly isAhead?: boolean | undefined;
    },
  ): Promise<ClaimedByWorker | null>;
  renew(report: WorkerReport, held: readonly HeldExecution[]): Promise<Renewal>;
  /** Events for whoever follows, in order and without gaps of one call to the next; what is sent twice is kept once. */
  publish(held: HeldExecution, grant: string, events: readonly ExecutionEvent[]): Promise<void>;
  /** Writes that it waits for a person, or (null) runs again. Answers a new grant: the old one may run out while people think. */
  setPaused(held: HeldExecution, worker: Pick<WorkerReport, 'workerId'>, pause: SavedPause | null): Promise<{ readonly grant: string }>;
  /** Its sandbox is gone while it waits: when somebody has decided, some worker replays it. */
  release(held: HeldExecution, worker: Pick<WorkerReport, 'workerId'>): Promise<void>;
  /** Idempotent: the record as it is written, be it by this call, an earlier one of the same claim, or somebody else. */
  finish(
    ended: EndedExecution,
    grant: string,
    /** Of the session that it ran in. */
    session?: SessionFate | undefined,
  ): Promise<{ readonly written: boolean; readonly record: ExecutionRecord }>;
}
