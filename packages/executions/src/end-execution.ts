import { setTimeout as sleep } from 'node:timers/promises';
import type { Effects, ExecutionStatus } from '@code-executor/contracts';
import { isAppError, type Logger, messageOf } from '@code-executor/platform';
import { endedEvent, endedRecord } from './ended-record.ts';
import { storeEvents } from './events/stored-events.ts';
import type { ExecutionOutcome } from './execution.ts';
import type { LiveExecution, LiveExecutions } from './live-executions.ts';
import { countOutputTokens } from './output-tokens.ts';
import type { ExecutionRecord } from './port.ts';
import { roundToMicroseconds } from './round-to-microseconds.ts';
import type { Visibility } from './store/execution-store.ts';
import type { EndedExecution } from './store/finish-statement.ts';

/** One per execution: what the log and the metrics say of it. */
export interface ExecutionEnded {
  readonly executionId: string;
  readonly requestId: string;
  /** null: it is not traced. */
  readonly traceId: string | null;
  readonly workspaceId: string;
  readonly principalId: string;
  readonly language: string;
  readonly status: ExecutionStatus;
  readonly errorCode: string | null;
  readonly effects: Effects;
  readonly queueMs: number;
  readonly executionMs: number;
  readonly totalMs: number;
  /** null: no sandbox was claimed. */
  readonly warm: boolean | null;
  readonly outputBytes: number;
  readonly outputTokens: number;
  readonly resultBytes: number;
  readonly toolCalls: number;
}

/** The rows as an end needs them: those of this process's database, or in the fleet those behind the ledger. */
export interface EndedRows {
  /** false: somebody else ended it, and `find` has what they wrote. Throws STALE_CLAIM where nobody has, and we may not. */
  finish(ended: EndedExecution): Promise<boolean>;
  find(id: string, visible: Visibility): Promise<{ readonly record: ExecutionRecord } | null>;
}

export interface EndDependencies {
  readonly store: EndedRows;
  readonly live: LiveExecutions;
  readonly log: Logger;
  readonly now: () => number;
  readonly onEnded: (event: ExecutionEnded) => void;
  /** Pauses between tries to write an end. */
  readonly writeRetryDelaysMs?: readonly number[] | undefined;
}

/** A database that is restarting is back within seconds; the execution must not be lost to that. */
const WRITE_RETRY_DELAYS_MS = [50, 500, 3_000];

/** Writes the end, then tells whoever waits or follows: nobody hears of an end that is not committed. */
export async function endExecution(
  live: LiveExecution,
  token: number,
  outcome: ExecutionOutcome,
  deps: EndDependencies,
  options: { readonly eventsLost?: boolean } = {},
): Promise<void> {
  try {
    const described = await describeEnd(live, token, outcome, deps);
    const ended = options.eventsLost ? { ...described, eventsJson: null } : described;
    const written = await writeEnd(ended, deps);
    const record = written ? endedRecord(ended, live) : await adoptOtherEnd(live, token, deps);
    live.log.end(record.status, record.error);
    live.settle(record);
    if (written) deps.onEnded(endedEvent(ended, live));
  } catch (error) {
    // The row stays as it is; whoever judges lost executions ends it.
    if (isAppError(error, 'STALE_CLAIM'))
      deps.log.warn(
        { executionId: live.id, token, status: outcome.status },
        'The claim on an execution has lapsed: its end was not written',
      );
    else deps.log.error({ err: error, executionId: live.id }, 'The end of an execution could not be written');
    live.log.end('failed', { code: 'INTERNAL', message: 'The end of this execution could not be written.' });
    live.fail(error);
  } finally {
    deps.live.close(live.id);
  }
}

async function describeEnd(live: LiveExecution, token: number, outcome: ExecutionOutcome, deps: EndDependencies): Promise<EndedExecution> {
  // Half a pair of surrogates cannot be stored; where output is cut, one may be left.
  const output = outcome.output.toWellFormed();
  const outputTokens = await countOutputTokens(output);
  live.log.flush();
  const endedMs = performance.now();
  return {
    id: live.id,
    token,
    endedAt: new Date(deps.now()),
    queueMs: roundToMicroseconds((live.startedMs ?? endedMs) - live.acceptedMs),
    totalMs: roundToMicroseconds(endedMs - live.acceptedMs),
    outputTokens,
    outcome: { ...outcome, output, executionTimeMs: roundToMicroseconds(outcome.executionTimeMs) },
    eventsJson: storeEvents(live.log.events(), live.log.lastId(), output),
  };
}

async function writeEnd(
  ended: EndedExecution,
  { store, log, writeRetryDelaysMs = WRITE_RETRY_DELAYS_MS }: EndDependencies,
): Promise<boolean> {
  let hasFailed = false;
  for (const delayMs of writeRetryDelaysMs) {
    try {
      return await store.finish(ended);
    } catch (error) {
      if (isAppError(error) && !error.retryable) throw error;
      if (!hasFailed) log.warn({ executionId: ended.id, reason: messageOf(error) }, 'Writing the end of an execution failed; trying on');
      hasFailed = true;
      await sleep(delayMs);
    }
  }
  return await store.finish(ended);
}

/** Somebody else ended it, or took it over, while this process held an older token. */
async function adoptOtherEnd(live: LiveExecution, token: number, { store, log }: EndDependencies): Promise<ExecutionRecord> {
  log.warn({ executionId: live.id, token }, 'A stale fencing token was refused: this execution is not ours any more');
  const found = await store.find(live.id, live);
  if (found === null) throw new Error(`Execution ${live.id} is gone from the database.`);
  return found.record;
}
