import { availableParallelism } from 'node:os';
import { idPattern } from '@code-executor/contracts';
import { AppError, type Logger, messageOf } from '@code-executor/platform';
import { DEFAULT_LIMITS, type SandboxLimits, type SandboxPool } from '@code-executor/sandbox';
import type { ExecutionEnded } from '../end-execution.ts';
import { createEndedListeners } from '../ended-listeners.ts';
import type { ClaimedExecution } from '../execution.ts';
import { MOST_HANDED } from '../fleet/hand-over.ts';
import type { SessionLedger } from '../fleet-sessions/port.ts';
import { LEASE_MS } from '../ledger/lease.ts';
import type { ExecutionLedger } from '../ledger/port.ts';
import { createLiveExecutions, type LiveExecution } from '../live-executions.ts';
import type { ExecutionGrant, ToolPort } from '../port.ts';
import type { QueueConsumer } from '../queue/bullmq-consumer.ts';
import type { Preparer, RunDependencies } from '../run/dependencies.ts';
import { createPauseRoom } from '../run/pause-room.ts';
import { createPlaces } from '../run/places.ts';
import { createPreparation } from '../run/preparation.ts';
import { CANCELLED, LOST, STOPPED } from '../run/stop-reason.ts';
import { createTurns } from '../run/turns.ts';
import { within } from '../run/within.ts';
import { takeExecution } from '../take-execution.ts';
import { createWaiters } from '../waiters.ts';
import { createEventPusher } from './event-pusher.ts';
import { createLeaseKeeper } from './lease-keeper.ts';
import type { RemoteArtifacts } from './remote-artifacts.ts';
import { traceCalls } from './trace-calls.ts';
import { createWorkerRows } from './worker-rows.ts';
import { createWorkerSessions } from './worker-sessions.ts';
import type { WorkspaceSnapshots } from './workspace-snapshots.ts';

export interface WorkerExecutionsOptions<Positions> extends Pick<RunDependencies<Positions>, 'typechecker' | 'runProgram' | 'tracing'> {
  /** Of this process, and of no other before or after it. */
  readonly workerId: string;
  readonly ledger: ExecutionLedger;
  readonly openQueue: (handler: (executionId: string) => Promise<void>) => QueueConsumer;
  /** Opens the way past the queue, by which single executions come; absent: all come by the queue. */
  readonly openHandOvers?: ((onHanded: (executionId: string) => void) => { close(): void }) | undefined;
  readonly tools: Pick<ToolPort, 'callTool' | 'discover'>;
  readonly snapshots: Pick<WorkspaceSnapshots, 'dir' | 'follow' | 'first'>;
  readonly preparer: Preparer<Positions>;
  readonly pool: Pick<SandboxPool, 'claim' | 'stats'>;
  readonly sandboxLimits?: SandboxLimits | undefined;
  /** Executions that run at once. */
  readonly slots: number;
  /** Programs that start at once; by default one more than there are processors, since each waits for the service now and then. */
  readonly startsAtOnce?: number | undefined;
  /** Sandboxes that are kept for sessions; absent: no execution of one is taken. */
  readonly sessions?: { readonly ledger: SessionLedger; readonly maximum: number } | undefined;
  /** Absent: what programs leave behind is lost. */
  readonly artifacts?: RemoteArtifacts | undefined;
  /** Sandboxes that are kept frozen while people decide; 16 by default. */
  readonly pausedMaximum?: number | undefined;
  /** A paused execution that can be replayed keeps its sandbox so long; 15 minutes by default. */
  readonly pauseKeepMs?: number | undefined;
  readonly log: Logger;
  /** The ledger's lease; 4 s by default. */
  readonly leaseMs?: number | undefined;
  readonly renewEveryMs?: number | undefined;
  /** No live event is sent of what ends within it; 50 ms by default. */
  readonly eventIntervalMs?: number | undefined;
  /** Programs whose claims could not be renewed for so long are stopped; 20 s by default. */
  readonly giveUpAfterMs?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
}

export interface WorkerExecutionsStats {
  readonly running: number;
  /** Sandboxes that are frozen, for people to decide. */
  readonly paused: number;
  /** That are here, and that were lost since the start. */
  readonly sessions: { readonly kept: number; readonly lost: number };
  readonly leasesLost: number;
  readonly eventBatches: number;
  readonly events: number;
  readonly eventFailures: number;
  /** Milliseconds since a renewal succeeded; null: none did yet. */
  readonly renewedMsAgo: number | null;
  /** It has wrappers and takes from the queue. */
  readonly taking: boolean;
  readonly draining: boolean;
}

export interface WorkerExecutions {
  /** Begins to report and to renew, then to take. Resolves at once; what is away is waited for in the background. */
  start(): void;
  /** Stops it if it runs here; any other id is ignored. */
  cancel(executionId: string): void;
  /** These approvals are pending no more. */
  decided(approvalIds: readonly string[]): void;
  /** A message of `CHANNELS.sessions`. */
  heard(message: string): void;
  /** One event per ended execution, after its end is written. Answers the way to unsubscribe. */
  onExecutionEnded(listener: (event: ExecutionEnded) => void): () => void;
  stats(): WorkerExecutionsStats;
  /** Takes nothing more; what runs may finish within `graceMs`, then it is stopped and ends as WORKER_LOST. */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

/** Above the restart of a proxy or a database; a worker that is cut off for longer stops what nobody will hear of. */
const GIVE_UP_AFTER_MS = 20_000;
const RENEW_EVERY_MS = 1_000;
/** The wrappers of a version that is not here yet. */
const SNAPSHOT_MS = 10_000;
/** Some 60 s: a database or a proxy that is restarted is back by then, and the finished execution must not be lost to that. */
const END_RETRY_DELAYS_MS = [50, 100, 250, 500, ...Array.from({ length: 59 }, () => 1_000)];
/** Of one tool call, while the proxy says that the claim has run out and the ledger says that it has not. */
const CALL_ATTEMPTS = 3;
const PAUSED_MAXIMUM = 16;
const PAUSE_KEEP_MS = 900_000;
const DRAINING = new Error('the worker takes nothing more');
const EXECUTION_ID = idPattern('exe');

/** What a worker of the fleet does with the ids that its queue hands out. It holds nothing but claims; rows are the ledger's. */
export function createWorkerExecutions<Positions>(options: WorkerExecutionsOptions<Positions>): WorkerExecutions {
  const { workerId, ledger, snapshots, pool, slots, tracing, leaseMs = LEASE_MS, now = Date.now } = options;
  const tools = tracing ? traceCalls(options.tools, tracing) : options.tools;
  const log = options.log.child({ workerId });
  const live = createLiveExecutions();
  const listeners = createEndedListeners(log);
  const underWay = new Map<string, Promise<void>>();
  /** That the queue did not hand out. */
  const handed = new Set<string>();
  const draining = new AbortController();
  let taking = false;
  let handOvers: { close(): void } | undefined;

  const waiters = createWaiters();
  const places = createPlaces((executionId, onPaused) => takeAndRelease(executionId, onPaused));

  const leases = createLeaseKeeper({
    ledger,
    leaseMs,
    giveUpAfterMs: options.giveUpAfterMs ?? GIVE_UP_AFTER_MS,
    renewEveryMs: options.renewEveryMs ?? RENEW_EVERY_MS,
    log,
    report() {
      const { hits, misses, warm } = pool.stats();
      return {
        workerId,
        slots,
        running: underWay.size - places.outside(),
        draining: draining.signal.aborted,
        pool: { hits, misses, warm },
      };
    },
    onLost(executionId, reason) {
      log.warn({ executionId, reason }, 'The claim on an execution is void: its program is stopped and nothing of it is written');
      live.get(executionId)?.stop.abort(LOST);
    },
    onCancelled: cancel,
    onDecided: waiters.wake,
    onCatalogVersion: (version) => snapshots.follow(version),
  });
  const events = createEventPusher({
    ledger,
    log,
    intervalMs: options.eventIntervalMs,
    onStale: (executionId) => leases.lose(executionId, 'its events were refused'),
  });
  const sessions =
    options.sessions === undefined
      ? undefined
      : createWorkerSessions({ ...options.sessions, workerId, log, now, onExecution: takePinned, renewEveryMs: options.renewEveryMs });
  const rows = createWorkerRows({ ledger, workerId, isAhead: (id) => handed.has(id), leases, leaseMs, events, sessions, live, log, now });
  const shared = {
    store: rows,
    live,
    log,
    now,
    workerId,
    handover: new Map<string, ClaimedExecution>(),
    onEnded: listeners.tell,
    pauseRoom: createPauseRoom(options.pausedMaximum ?? PAUSED_MAXIMUM),
    pauseKeepMs: options.pauseKeepMs ?? PAUSE_KEEP_MS,
    onReleased: ({ id }: LiveExecution) => live.close(id),
    writeRetryDelaysMs: END_RETRY_DELAYS_MS,
    run: {
      pool,
      log,
      tracing,
      typechecker: options.typechecker,
      runProgram: options.runProgram,
      preparation: createPreparation(options.preparer),
      turns: createTurns(options.startsAtOnce ?? availableParallelism() + 1),
      sessions,
      artifacts: options.artifacts === undefined ? undefined : keepingWith(options.artifacts),
      sandboxLimits: options.sandboxLimits ?? DEFAULT_LIMITS,
      tools: {
        callTool: guardedCall,
        whenDecided: (_grant: ExecutionGrant, approvalId: string, signal: AbortSignal) => waiters.wait(approvalId, signal),
        discover: tools.discover,
        snapshotDir,
      },
    },
  };
  const queue = options.openQueue(handle);

  return {
    start() {
      leases.start();
      sessions?.start();
      // Nothing is taken before the wrappers are there; while the ledger is away they are not.
      void snapshots.first.then(() => {
        if (draining.signal.aborted) return;
        taking = true;
        queue.start();
        handOvers = options.openHandOvers?.(takeHanded);
      });
    },
    cancel,
    decided: waiters.wake,
    heard: (message) => sessions?.heard(message),
    onExecutionEnded: listeners.add,
    stats() {
      const { batches, events: sent, failures } = events.stats();
      const renewedAtMs = leases.renewedAtMs();
      return {
        running: underWay.size - places.outside(),
        paused: shared.pauseRoom.used(),
        sessions: sessions?.stats() ?? { kept: 0, lost: 0 },
        leasesLost: leases.lost(),
        eventBatches: batches,
        events: sent,
        eventFailures: failures,
        renewedMsAgo: renewedAtMs === null ? null : performance.now() - renewedAtMs,
        taking,
        draining: draining.signal.aborted,
      };
    },
    async close({ graceMs = 25_000 } = {}) {
      draining.abort(DRAINING);
      handOvers?.close();
      sessions?.drain();
      // What waits for people is replayed elsewhere, where it can be.
      for (const entry of live.all()) entry.letGo?.();
      const timer = setTimeout(() => {
        for (const entry of live.all()) entry.stop.abort(STOPPED);
      }, graceMs);
      try {
        await queue.drain();
        await Promise.all(underWay.values());
      } finally {
        clearTimeout(timer);
        await sessions?.close();
        await leases.stop();
        await queue.close();
      }
    },
  };

  /** Handed back by not being claimed: it stays queued in its row, and the reconciler queues it again. */
  async function handle(executionId: string): Promise<void> {
    if (!EXECUTION_ID.test(executionId)) return;
    // It may have been told of before its turn had come: nobody has claimed it then, and this is its turn.
    const early = handed.has(executionId) ? underWay.get(executionId) : undefined;
    if (early !== undefined) await early;
    if (draining.signal.aborted || underWay.has(executionId)) return;
    await places.take(executionId);
  }

  /**
   * One whose session is here, or that no other worker has room for. It is run beside what the queue hands out: its sandbox is
   * there already, and it must not wait behind executions that any worker could run.
   */
  function takePinned(executionId: string): void {
    if (!taking || underWay.size - places.outside() >= slots + (options.sessions?.maximum ?? 0)) return;
    handle(executionId).catch((error: unknown) => log.error({ err: error, executionId }, 'An execution of a session could not be taken'));
  }

  /**
   * While there are free slots; the queue may fill them meanwhile, so that for a while three quarters more may run than there are. What
   * finds no room is queued by who has told of it.
   */
  function takeHanded(executionId: string): void {
    if (!taking || handed.has(executionId) || handed.size >= slots * MOST_HANDED || underWay.size - places.outside() >= slots) return;
    handed.add(executionId);
    handle(executionId)
      .catch((error: unknown) => log.error({ err: error, executionId }, 'An execution that was handed over could not be taken'))
      .finally(() => {
        handed.delete(executionId);
      });
  }

  function keepingWith(artifacts: RemoteArtifacts): RunDependencies<Positions>['artifacts'] {
    return { keep: ({ id }, left) => artifacts.keep(id, () => rows.grantOf(id), left) };
  }

  async function takeAndRelease(executionId: string, onPaused: () => void): Promise<void> {
    const work = take(executionId, onPaused);
    underWay.set(executionId, work);
    try {
      await work;
    } finally {
      underWay.delete(executionId);
    }
  }

  async function take(executionId: string, onPaused: () => void): Promise<void> {
    try {
      // A ledger that is away would refuse one id after the other, and the queue be emptied for nothing.
      await leases.untilRenewed(draining.signal);
    } catch {
      return;
    }
    try {
      await takeExecution(executionId, { ...shared, onPaused });
    } finally {
      rows.forget(executionId);
    }
  }

  function cancel(executionId: string): void {
    live.get(executionId)?.stop.abort(CANCELLED);
  }

  /**
   * A program whose claim is void makes no more calls; the proxy would refuse them as well. One that the proxy refused for a
   * lease that had run out while it was away, and that is renewed since, is made after all: nothing of it was dispatched.
   */
  async function guardedCall(...[grant, call, signal]: Parameters<ToolPort['callTool']>): ReturnType<ToolPort['callTool']> {
    const { executionId } = grant;
    for (let attempt = 1; await isHeld(executionId, signal); attempt += 1) {
      const outcome = await tools.callTool(grant, call, signal);
      if (outcome.reply.ok || outcome.reply.error.code !== 'STALE_CLAIM' || outcome.effects !== 'none') return outcome;
      if (attempt === CALL_ATTEMPTS) break;
      leases.doubt(executionId);
    }
    const message = `${call.tool} was not called: the claim on this execution has lapsed.`;
    return { reply: { ok: false, error: { code: 'STALE_CLAIM', message } }, effects: 'none' };
  }

  async function isHeld(executionId: string, signal: AbortSignal): Promise<boolean> {
    try {
      return await leases.whenHeld(executionId, signal);
    } catch {
      // The signal's: the execution has ended first.
      return false;
    }
  }

  async function snapshotDir(workspaceId: string, catalogVersion: string | undefined, stop: AbortSignal): Promise<string> {
    try {
      return await within(SNAPSHOT_MS, stop, (signal) => snapshots.dir(catalogVersion ?? '', signal, workspaceId));
    } catch (error) {
      stop.throwIfAborted();
      throw new AppError('TOOLS_UNAVAILABLE', `The wrappers of the tools could not be fetched: ${messageOf(error)}`, { cause: error });
    }
  }
}
