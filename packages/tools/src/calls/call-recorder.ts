import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, isDatabaseAway, messageOf } from '@code-executor/platform';
import type { Insertable, Kysely } from 'kysely';
import type { ServerLog } from '../sources/mcp/mcp-server.ts';
import type { ToolTables } from '../tables.ts';
import { insertApproved } from './insert-approved.ts';
import {
  type CallFence,
  type CallStart,
  type InsertStarts,
  insertFenced,
  insertStarts,
  type StartedCall,
  type StartOutcome,
} from './insert-starts.ts';

export type FinishedCall = Insertable<ToolTables['tool_call_outcomes']>;

/**
 * The journal of tool calls. Starts that arrive while a write is under way are committed together by the next one; ends
 * are written behind. A call without an end has an unknown one.
 */
export interface CallRecorder {
  /**
   * Resolves when the row is committed, be it that the database was away for some seconds. `token`: of the claim on its
   * execution, where there is a fence. `approvalId`: consumed with it, or nothing is written. Throws LEDGER_UNAVAILABLE.
   */
  started(call: StartedCall, token?: number, approvalId?: string | null): Promise<StartOutcome>;
  finished(call: FinishedCall): void;
  /** Resolves when the ends of all calls that are answered are written, or given up. For who reads the journal. */
  settled(): Promise<void>;
  /** Resolves when nothing is left to write; starts do not wait for a database that is away any more. */
  close(): Promise<void>;
}

interface PendingStart extends CallStart {
  resolve(outcome: StartOutcome): void;
  reject(error: unknown): void;
}

const ROWS_PER_STATEMENT = 500;
/** Some 9 s: a program waits with its call for a database that is restarted, rather than fail by it. */
const START_RETRY_DELAYS_MS = [100, 200, 300, 500, 500, ...Array.from({ length: 7 }, () => 1_000)];
/** A database that is restarted is back by then; ends it did not take are given up, loudly. */
const END_RETRY_DELAYS_MS = [50, 250, 500, 1_000, 2_000, 4_000, 8_000];
/** Ends kept while the database does not answer; past it the oldest are given up, loudly. */
const MOST_PENDING_ENDS = 50_000;

export interface CallRecorderOptions {
  /** In the fleet: a call of an execution is recorded only while the claim on that holds. */
  readonly fence?: CallFence | undefined;
  /** Ends are written so long after they came, together: what holds the main thread up is not to come before the program's answer. */
  readonly endsWaitMs?: number | undefined;
}

export function createCallRecorder(db: Kysely<ToolTables>, log: ServerLog, options: CallRecorderOptions = {}): CallRecorder {
  const { fence, endsWaitMs = 0 } = options;
  const insert = fence === undefined ? insertStarts : insertFenced(fence);
  const starts: PendingStart[] = [];
  let ends: FinishedCall[] = [];
  const startsWriter = createWriter(() => starts.length > 0, writeStarts);
  const closing = new AbortController();
  let endsTimer: NodeJS.Timeout | null = null;
  const endsWriter = createWriter(() => ends.length > 0, writeEnds);

  return {
    started(row, token, approvalId = null) {
      if (approvalId !== null) return startApproved({ row, token }, approvalId);
      return new Promise((resolve, reject) => {
        starts.push({ row, token, resolve, reject });
        startsWriter.wake();
      });
    },
    finished(row) {
      ends.push(row);
      if (ends.length > MOST_PENDING_ENDS) {
        ends = ends.slice(-MOST_PENDING_ENDS / 2);
        log.warn({ kept: ends.length }, 'The database does not keep up: ends of tool calls were given up');
      }
      if (endsWaitMs === 0) endsWriter.wake();
      else endsTimer ??= setTimeout(writeEndsNow, endsWaitMs);
    },
    settled() {
      writeEndsNow();
      return endsWriter.idle();
    },
    async close() {
      closing.abort();
      await startsWriter.idle();
      writeEndsNow();
      await endsWriter.idle();
    },
  };

  function writeEndsNow(): void {
    if (endsTimer !== null) clearTimeout(endsTimer);
    endsTimer = null;
    endsWriter.wake();
  }

  async function startApproved(start: CallStart, approvalId: string): Promise<StartOutcome> {
    try {
      const [outcome = 'stale'] = await insertPatiently([start], insertApproved(approvalId, fence));
      return outcome;
    } catch (error) {
      throw notRecorded(error);
    }
  }

  async function writeStarts(): Promise<void> {
    const batch = starts.splice(0, ROWS_PER_STATEMENT);
    try {
      const outcomes = await insertPatiently(batch, insert);
      for (const [index, start] of batch.entries()) start.resolve(outcomes[index] ?? 'stale');
    } catch (error) {
      for (const start of batch) start.reject(notRecorded(error));
    }
  }

  /** Whether the claims still hold is asked with every try. */
  async function insertPatiently(batch: readonly CallStart[], insert: InsertStarts): Promise<StartOutcome[]> {
    let wasLost = false;
    for (const delayMs of START_RETRY_DELAYS_MS) {
      try {
        const outcomes = await insert(db, batch);
        return wasLost ? await recognizeOwn(batch, outcomes) : outcomes;
      } catch (error) {
        if (!isDatabaseAway(error) || closing.signal.aborted) throw error;
        if (!wasLost) log.warn({ reason: messageOf(error), calls: batch.length }, 'Tool calls wait for the database');
        wasLost = true;
        await sleep(delayMs, undefined, { signal: closing.signal }).catch(() => undefined);
      }
    }
    return await recognizeOwn(batch, await insert(db, batch));
  }

  /** A try whose answer was lost may have been committed: what is there under the very same id was recorded by it, and nothing was dispatched. */
  async function recognizeOwn(batch: readonly CallStart[], outcomes: readonly StartOutcome[]): Promise<StartOutcome[]> {
    const ids = batch.map(({ row }) => row.id);
    const found = await db.selectFrom('tool_calls').select('id').where('id', 'in', ids).execute();
    const own = new Set(found.map(({ id }) => id));
    return batch.map(({ row }, index) => {
      const outcome = outcomes[index] ?? 'stale';
      return outcome !== 'recorded' && own.has(row.id) ? 'recorded' : outcome;
    });
  }

  async function writeEnds(): Promise<void> {
    const batch = ends.splice(0, ROWS_PER_STATEMENT);
    for (const delayMs of [...END_RETRY_DELAYS_MS, null]) {
      try {
        await db
          .insertInto('tool_call_outcomes')
          .values([...batch])
          .onConflict((conflict) => conflict.doNothing())
          .execute();
        return;
      } catch (error) {
        log.warn(
          { reason: messageOf(error), calls: batch.length, givenUp: delayMs === null },
          'The ends of tool calls could not be recorded',
        );
        if (delayMs !== null) await sleep(delayMs);
      }
    }
  }
}

function notRecorded(error: unknown): AppError {
  const code = isDatabaseAway(error) ? 'LEDGER_UNAVAILABLE' : 'INTERNAL';
  return new AppError(code, 'The call could not be recorded and was not made', { cause: error });
}

/** Writes for as long as there is something, one statement after the other. */
function createWriter(hasMore: () => boolean, write: () => Promise<void>): { wake(): void; idle(): Promise<void> } {
  let isWriting = false;
  let writing = Promise.resolve();

  return {
    wake() {
      if (isWriting) return;
      isWriting = true;
      writing = drain();
    },
    idle: () => writing,
  };

  async function drain(): Promise<void> {
    // A turn's worth of calls goes into one statement.
    await Promise.resolve();
    while (hasMore()) await write();
    isWriting = false;
  }
}
