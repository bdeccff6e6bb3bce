import type { Span } from '@code-executor/platform';
import { type EndDependencies, type EndedRows, endExecution } from './end-execution.ts';
import type { ClaimedExecution } from './execution.ts';
import type { HeldExecution } from './ledger/port.ts';
import type { LiveExecution } from './live-executions.ts';
import { readCheckpoint } from './replay/checkpoint.ts';
import type { RunDependencies } from './run/dependencies.ts';
import type { PauseRoom } from './run/pause-room.ts';
import type { SavedPause } from './run/pauses.ts';
import { type RunnableExecution, runExecution } from './run/run-execution.ts';
import { LET_GO } from './run/stop-reason.ts';
import { endTaken, traced, traceTaken } from './run/trace-execution.ts';

/** The rows as who runs executions needs them. */
export interface ClaimableRows extends EndedRows {
  /** null: it is not queued any more; somebody else has it, or it was cancelled. */
  claim(executionId: string, workerId: string, startedAt: Date): Promise<RunnableExecution | null>;
  /**
   * Writes that it is paused, or runs again, as far as that is known to be the claim's. Answers a new bearer where the old one may have
   * run out meanwhile. Does not reject for a database that is away: it goes on trying until `signal` is aborted.
   */
  setPaused(held: HeldExecution, pause: SavedPause | null, signal: AbortSignal): Promise<string | undefined>;
  /** Its sandbox is gone, and it waits in its row: whoever it is handed to when somebody has decided replays it. */
  release(held: HeldExecution): Promise<void>;
}

export interface TakeDependencies<Positions> extends EndDependencies {
  readonly store: ClaimableRows;
  readonly run: RunDependencies<Positions>;
  readonly handover: Map<string, ClaimedExecution>;
  readonly pauseRoom: PauseRoom;
  /** A paused execution that can be replayed keeps its sandbox so long. */
  readonly pauseKeepMs: number;
  readonly onReleased?: ((live: LiveExecution, waitsFor: readonly string[]) => void) | undefined;
  readonly workerId: string;
  /** It waits for a person, and what it holds of the queue is for others. Once for each pause. */
  readonly onPaused?: ((executionId: string) => void) | undefined;
}

/** The queue's handler: claims the execution, runs it, writes its end. Never rejects. */
export async function takeExecution<Positions>(executionId: string, deps: TakeDependencies<Positions>): Promise<void> {
  const { tracing } = deps.run;
  const askedAtMs = performance.now();
  let span: Span | null = null;
  try {
    const claimed = await claim(executionId, deps);
    if (claimed === null) return;
    const live = deps.live.get(executionId) ?? deps.live.open(claimed, deps.now());
    const past = claimed.replay === undefined ? null : readCheckpoint(claimed.replay);
    if (past !== null) live.log.restore(past.events);
    markStarted(live, deps);
    if (tracing) span = traceTaken(claimed, { askedAtMs, workerId: deps.workerId }, tracing);
    const parent = span?.traceparent;
    const { pauseRoom: room, pauseKeepMs: keepMs, onPaused, now, store: rows } = deps;
    const pausing = { live, rows, room, keepMs, onPaused, now, past };
    const outcome = await runExecution(parent === undefined ? claimed : { ...claimed, traceparent: parent }, pausing, deps.run);
    if (live.stop.signal.reason === LET_GO) return await release(live, claimed.token, deps);
    await traced(tracing, 'write end', parent, () => endExecution(live, claimed.token, outcome, deps));
    if (span !== null) endTaken(span, outcome);
  } catch (error) {
    deps.log.error({ err: error, executionId }, 'An execution could not be taken from the queue');
    deps.live.get(executionId)?.fail(error);
    deps.live.close(executionId);
  } finally {
    span?.end();
  }
}

async function release(
  live: LiveExecution,
  token: number,
  { store, onReleased, log }: Pick<TakeDependencies<unknown>, 'store' | 'onReleased' | 'log'>,
): Promise<void> {
  log.info({ executionId: live.id }, 'The sandbox of a paused execution was let go; it is replayed when somebody has decided');
  await store.release({ executionId: live.id, token });
  live.stop = new AbortController();
  onReleased?.(live, live.waitsFor);
}

async function claim(
  executionId: string,
  { handover, store, workerId, now, log }: Omit<TakeDependencies<unknown>, 'run'>,
): Promise<RunnableExecution | null> {
  const handed = handover.get(executionId);
  if (handed !== undefined) {
    handover.delete(executionId);
    return handed;
  }
  const claimed = await store.claim(executionId, workerId, new Date(now()));
  if (claimed === null) log.info({ executionId }, 'An execution is not queued any more and was left alone');
  return claimed;
}

function markStarted(live: LiveExecution, { now }: Pick<EndDependencies, 'now'>): void {
  live.startedMs = performance.now();
  live.computed = { ms: 0, sinceMs: live.startedMs };
  live.log.status('running', new Date(now()));
}
