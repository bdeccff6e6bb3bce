import { AppError, messageOf } from '@code-executor/platform';
import type { Insertable, Kysely } from 'kysely';
import type { ServerLog } from '../sources/mcp/mcp-server.ts';
import type { ToolTables } from '../tables.ts';
import { type CallFence, type CallStart, insertFenced, insertStarts, type StartedCall, type StartOutcome } from './insert-starts.ts';

export type FinishedCall = Insertable<ToolTables['tool_call_outcomes']>;

/**
 * The journal of tool calls. Starts that arrive while a write is under way are committed together by the next one; ends
 * are written behind. A call without an end has an unknown one.
 */
export interface CallRecorder {
  /** Resolves when the row is committed. `token`: of the claim on its execution, where there is a fence. */
  started(call: StartedCall, token?: number): Promise<StartOutcome>;
  finished(call: FinishedCall): void;
  /** Resolves when nothing is left to write. */
  close(): Promise<void>;
}

interface PendingStart extends CallStart {
  resolve(outcome: StartOutcome): void;
  reject(error: unknown): void;
}

const ROWS_PER_STATEMENT = 500;
const ATTEMPTS_FOR_ENDS = 3;
/** Ends kept while the database does not answer; past it the oldest are given up, loudly. */
const MOST_PENDING_ENDS = 50_000;

/** With a `fence`, in the fleet, a call of an execution is recorded only while the claim on that holds. */
export function createCallRecorder(db: Kysely<ToolTables>, log: ServerLog, fence?: CallFence): CallRecorder {
  const insert = fence === undefined ? insertStarts : insertFenced(fence);
  const starts: PendingStart[] = [];
  let ends: FinishedCall[] = [];
  let failedAttempts = 0;
  let writing: Promise<void> | null = null;

  const write = (): void => {
    writing ??= drain().finally(() => {
      writing = null;
    });
  };

  async function drain(): Promise<void> {
    // A turn's worth of calls goes into one statement.
    await Promise.resolve();
    while (starts.length > 0 || ends.length > 0) {
      await writeStarts(starts.splice(0, ROWS_PER_STATEMENT));
      await writeEnds(ends.splice(0, ROWS_PER_STATEMENT));
    }
  }

  async function writeStarts(batch: readonly PendingStart[]): Promise<void> {
    if (batch.length === 0) return;
    try {
      const outcomes = await insert(db, batch);
      for (const [index, start] of batch.entries()) start.resolve(outcomes[index] ?? 'stale');
    } catch (error) {
      for (const start of batch)
        start.reject(new AppError('INTERNAL', 'The call could not be recorded and was not made', { cause: error }));
    }
  }

  async function writeEnds(batch: readonly FinishedCall[]): Promise<void> {
    if (batch.length === 0) return;
    try {
      await db
        .insertInto('tool_call_outcomes')
        .values([...batch])
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      failedAttempts = 0;
    } catch (error) {
      failedAttempts += 1;
      log.warn({ reason: messageOf(error), calls: batch.length }, 'The ends of tool calls could not be recorded');
      if (failedAttempts < ATTEMPTS_FOR_ENDS) ends = [...batch, ...ends];
      else failedAttempts = 0;
    }
  }

  return {
    started(row, token) {
      return new Promise((resolve, reject) => {
        starts.push({ row, token, resolve, reject });
        write();
      });
    },
    finished(row) {
      ends.push(row);
      if (ends.length > MOST_PENDING_ENDS) {
        ends = ends.slice(-MOST_PENDING_ENDS / 2);
        log.warn({ kept: ends.length }, 'The database does not keep up: ends of tool calls were given up');
      }
      write();
    },
    async close() {
      while (writing !== null) await writing;
    },
  };
}
