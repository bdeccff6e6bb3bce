import { newId, type Principal, RUNTIMES } from '@code-executor/contracts';
import { AppError, type Database, type Logger } from '@code-executor/platform';
import { DEFAULT_LIMITS, type SandboxLimits } from '@code-executor/sandbox';
import type { ArtifactStore } from './artifacts/artifact-store.ts';
import { createArtifacts } from './artifacts/read-artifacts.ts';
import { cancelExecution } from './cancel-execution.ts';
import type { RequestLimits } from './check-request.ts';
import type { ExecutionEnded } from './end-execution.ts';
import { createEndedListeners } from './ended-listeners.ts';
import type { ClaimedExecution } from './execution.ts';
import { exportExecutions } from './export-executions.ts';
import { createLiveExecutions, type LiveExecution } from './live-executions.ts';
import type { Executions } from './port.ts';
import { purgeOnDemand, startPurging } from './purge-executions.ts';
import type { ExecutionQueue } from './queue/execution-queue.ts';
import { followExecution, getExecution, listExecutions, waitForExecution } from './read-executions.ts';
import { type Recovered, recoverExecutions } from './recover-executions.ts';
import { createReleasedExecutions } from './replay/released-executions.ts';
import type { Sealing } from './replay/sealing.ts';
import type { EffectsOf, Preparer, RunDependencies, SendAhead } from './run/dependencies.ts';
import { createHeadStarts } from './run/head-starts.ts';
import { createPauseRoom } from './run/pause-room.ts';
import { createPlaces } from './run/places.ts';
import { createPreparation } from './run/preparation.ts';
import { STOPPED } from './run/stop-reason.ts';
import { createSessions, type SessionSettings } from './sessions/create-sessions.ts';
import { ownSessions } from './sessions/own-sessions.ts';
import { createSessionRows } from './sessions/session-rows.ts';
import { createEmbeddedRows } from './store/embedded-rows.ts';
import { createExecutionStore } from './store/execution-store.ts';
import { submitExecution } from './submit-execution.ts';
import { takeExecution } from './take-execution.ts';

export interface ExecutionsOptions<Positions>
  extends Omit<RunDependencies<Positions>, 'sandboxLimits' | 'preparation' | 'headStarts' | 'artifacts' | 'sessions'> {
  /** Where what programs leave behind is kept; absent: nowhere. */
  readonly artifacts?: ArtifactStore | undefined;
  /** Absent: a sandbox hears of its program when the row is written. */
  readonly sendAhead?: SendAhead | undefined;
  /** Absent: `sessionId` is refused. */
  readonly sessions?: SessionSettings | undefined;
  readonly preparer: Preparer<Positions>;
  readonly db: Database;
  readonly log: Logger;
  readonly queue: ExecutionQueue;
  /** Executions of this process that run side by side. */
  readonly concurrency: number;
  /** Sandboxes that are kept frozen while people decide; 16 by default. */
  readonly pausedMaximum?: number | undefined;
  /** A paused execution that can be replayed keeps its sandbox so long; 15 minutes by default. */
  readonly pauseKeepMs?: number | undefined;
  /** For what replays are made from; absent: nothing is replayed. */
  readonly sealing?: Sealing | undefined;
  /** Which of these approvals are pending no more. */
  readonly decidedAmong?: ((approvalIds: readonly string[]) => Promise<readonly string[]>) | undefined;
  readonly languages?: RequestLimits['languages'] | undefined;
  readonly timeoutMaximumMs?: number | undefined;
  readonly sandboxLimits?: SandboxLimits | undefined;
  /** The tool side's journal; without it the effects of a lost execution are `unknown`. */
  readonly effectsOf?: EffectsOf | undefined;
  /** Days that ended executions are kept; 30 by default. */
  readonly retentionDays?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
}

export interface ExecutionsService extends Executions {
  /** Mends what the last process left, then begins to take executions. Call once, before the first request. */
  start(): Promise<Recovered>;
  /** One event per ended execution, after its end is written. Answers the way to unsubscribe. */
  onExecutionEnded(listener: (event: ExecutionEnded) => void): () => void;
  /** Takes nothing more; what runs may finish within `graceMs`, then it is stopped and ends as WORKER_LOST. */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

const PAUSED_MAXIMUM = 16;
const PAUSE_KEEP_MS = 900_000;

/** The rows need `executionMigrations` to have run. */
export function createExecutions<Positions>(options: ExecutionsOptions<Positions>): ExecutionsService {
  const { db, log, queue, now = Date.now } = options;
  const listeners = createEndedListeners(log);
  const store = createEmbeddedRows(createExecutionStore(db), options.sealing);
  const preparation = createPreparation(options.preparer);
  const sandboxLimits = options.sandboxLimits ?? DEFAULT_LIMITS;
  const headStarts = createHeadStarts({ ...options, preparation, sandboxLimits });
  const sessions = options.sessions === undefined ? undefined : createSessions(options.sessions, { rows: createSessionRows(db), log, now });
  const shared = {
    sessions,
    store,
    queue,
    log,
    now,
    live: createLiveExecutions(),
    handover: new Map<string, ClaimedExecution>(),
    workerId: newId('req').replace('req', 'worker'),
    artifacts: { sweep: async () => await options.artifacts?.sweep((executionIds) => store.existing(executionIds)) },
    limits: { languages: options.languages ?? RUNTIMES, timeoutMaximumMs: options.timeoutMaximumMs, keepsSessions: sessions !== undefined },
    effectsOf: options.effectsOf,
    onEnded: listeners.tell,
    headStarts,
    pauseRoom: createPauseRoom(options.pausedMaximum ?? PAUSED_MAXIMUM),
    pauseKeepMs: options.pauseKeepMs ?? PAUSE_KEEP_MS,
    released: createReleasedExecutions({
      decidedAmong: options.decidedAmong ?? (async () => []),
      queueAgain,
      log,
    }),
    onReleased: ({ id }: LiveExecution, waitsFor: readonly string[]) => shared.released.add(id, waitsFor),
    run: { ...options, sessions, preparation, headStarts, sandboxLimits },
  };
  const places = createPlaces((executionId, onPaused) => takeExecution(executionId, { ...shared, onPaused }));
  const purging = startPurging({ retentionDays: options.retentionDays ?? 30 }, shared);
  let closing = false;

  async function queueAgain(executionId: string): Promise<void> {
    const live = shared.live.get(executionId);
    if (live === undefined || (await store.queueReleased(executionId)).length === 0) return;
    live.setPaused(false);
    queue.add(executionId, { workspaceId: live.workspaceId });
  }

  return {
    async submit(principal: Principal, request, submitOptions) {
      if (closing) throw new AppError('SHUTTING_DOWN', 'The service is stopping and accepts nothing new.');
      return await submitExecution(principal, request, submitOptions, shared);
    },
    wait: (principal, executionId, signal) => waitForExecution(principal, executionId, signal, shared),
    get: (principal, executionId) => getExecution(principal, executionId, shared),
    list: (principal, page) => listExecutions(principal, page, shared),
    cancel: (principal, executionId) => cancelExecution(principal, executionId, shared),
    events: (principal, executionId, afterId, signal) => followExecution(principal, executionId, afterId, signal, shared),
    ...(options.artifacts === undefined
      ? {}
      : { artifacts: createArtifacts(options.artifacts, (principal, executionId) => getExecution(principal, executionId, shared)) }),
    ...(sessions === undefined ? {} : { sessions: ownSessions(sessions) }),
    export: (principal, filter, signal) => exportExecutions(principal, filter, signal, shared),
    purge: (principal, before, signal) => purgeOnDemand(principal, before, signal, shared),
    depth: () => queue.depth(),

    async start() {
      await sessions?.start();
      const recovered = await recoverExecutions(shared);
      queue.process(places.take, { concurrency: options.concurrency });
      return recovered;
    },
    onExecutionEnded: listeners.add,
    async close({ graceMs = 5_000 } = {}) {
      closing = true;
      await shared.released.close();
      // What waits for people is replayed after the next start, where it can be.
      for (const live of shared.live.all()) live.letGo?.();
      await purging.stop();
      const timer = setTimeout(() => {
        for (const live of shared.live.all()) if (live.startedMs !== null) live.stop.abort(STOPPED);
      }, graceMs);
      await queue.close();
      await places.idle();
      await sessions?.close();
      clearTimeout(timer);
    },
  };
}
