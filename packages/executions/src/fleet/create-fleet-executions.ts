import { RUNTIMES } from '@code-executor/contracts';
import { AppError, closeRedis, type Database, type Logger, openRedis } from '@code-executor/platform';
import { createArtifacts } from '../artifacts/read-artifacts.ts';
import { createStoredArtifacts } from '../artifacts/stored-artifacts.ts';
import type { RequestLimits } from '../check-request.ts';
import type { ExecutionEnded } from '../end-execution.ts';
import { createEndedListeners } from '../ended-listeners.ts';
import { exportExecutions } from '../export-executions.ts';
import { readSessionMessage, type SessionMessage, writeSessionMessage } from '../fleet-sessions/session-messages.ts';
import { createFleetSessionStore, type SessionLimits } from '../fleet-sessions/session-store.ts';
import { sessionsInFleet } from '../fleet-sessions/sessions-in-fleet.ts';
import { createTransferStore } from '../fleet-sessions/transfer-store.ts';
import type { WorkerReport } from '../ledger/port.ts';
import { createEndedMessages } from '../live-stream/ended-messages.ts';
import { CHANNELS } from '../live-stream/fleet-channels.ts';
import { createLiveReader } from '../live-stream/live-reader.ts';
import { subscribeChannels } from '../live-stream/subscribe-channels.ts';
import type { Executions } from '../port.ts';
import { purgeOnDemand, startPurging } from '../purge-executions.ts';
import type { QueueProducer } from '../queue/bullmq-producer.ts';
import { listExecutions } from '../read-executions.ts';
import { createExecutionStore } from '../store/execution-store.ts';
import { createFleetStore } from '../store/fleet-store.ts';
import { cancelInFleet } from './cancel-in-fleet.ts';
import { createEndings } from './endings.ts';
import { createFleetRows } from './fleet-rows.ts';
import { followInFleet } from './follow-in-fleet.ts';
import { getInFleet } from './get-in-fleet.ts';
import { createHandOver } from './hand-over.ts';
import { watchWorkers } from './live-workers.ts';
import { createQueueBound } from './queue-bound.ts';
import { submitToFleet } from './submit-to-fleet.ts';
import { waitInFleet } from './wait-in-fleet.ts';
import { createWakes } from './wakes.ts';

export interface FleetExecutionsOptions {
  readonly db: Database;
  /** Of Redis. */
  readonly redis: string;
  readonly queue: QueueProducer;
  readonly log: Logger;
  readonly languages?: RequestLimits['languages'] | undefined;
  readonly timeoutMaximumMs?: number | undefined;
  /** Executions of one workspace that may wait. */
  readonly queueLimit: number;
  /** Absent: `sessionId` is refused. `maximum`: of one worker. */
  readonly sessions?: SessionLimits | undefined;
  /** Days that ended executions are kept; 30 by default. */
  readonly retentionDays?: number | undefined;
  /** Ends are told with what was written where the MCP proxy has the same (`createEndedMessages`); absent: by their ids. */
  readonly endsKey?: string | undefined;
  /** Another gateway made or revoked an API key. */
  readonly onKeysChanged?: (() => void) | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
}

export interface FleetExecutions extends Executions {
  /** Of the executions that this process ended itself: those that were cancelled while they waited. Workers' ends are told by mcp-proxy. */
  onExecutionEnded(listener: (event: ExecutionEnded) => void): () => void;
  /** Live workers, as they reported within the last ten seconds. */
  workers(): readonly WorkerReport[];
  /** Says to the other gateways that a key was made or revoked. Throws while Redis is away. */
  announceKeys(): Promise<void>;
  /** What it cannot do without and that does not answer: `redis`, `postgres`; empty: all is there. */
  missing(): Promise<string[]>;
  /** Accepts nothing more and lets go of Redis; waits and event streams should have ended before. */
  close(): Promise<void>;
}

/** Longer than this and a database is as good as away. */
const ANSWER_MS = 1_000;
const DAY_MS = 24 * 60 * 60 * 1_000;

/** Executions as a gateway of the fleet offers them: rows in PostgreSQL, ids in BullMQ, workers elsewhere. */
export function createFleetExecutions(options: FleetExecutionsOptions): FleetExecutions {
  const { db, queue, log, now = Date.now } = options;
  const store = createExecutionStore(db);
  const fleetStore = createFleetStore(db);
  const rows = createFleetRows(db);
  const redis = openRedis({ url: options.redis, name: 'gateway', log });
  const wakes = createWakes();
  const endedMessages = createEndedMessages(options.endsKey);
  const endedListeners = createEndedListeners(log);
  const endings = createEndings({ endedAmong: rows.endedAmong, connected: () => subscription.connected(), log });
  const subscription = subscribeChannels({
    redis: options.redis,
    name: 'gateway-subscriptions',
    log,
    channels: {
      [CHANNELS.ended]: onEndedMessage,
      [CHANNELS.live]: wakes.wake,
      [CHANNELS.sessions]: onSessionMessage,
      [CHANNELS.keys]: () => options.onKeysChanged?.(),
    },
    onSubscribed() {
      endings.lookAtAll();
      wakes.wakeAll();
      options.onKeysChanged?.();
    },
  });
  const workers = watchWorkers(redis, log);
  const handOver = createHandOver({
    reports: workers.reports,
    publish: (channel, message) => redis.publish(channel, message),
    unclaimedAmong: rows.unclaimedAmong,
    queue,
    log,
  });
  const bound = createQueueBound({ limit: options.queueLimit, waiting: fleetStore.waiting, queueDepth: queue.depth, workers, log });
  const retentionDays = options.retentionDays ?? 30;
  const sessionStore = createFleetSessionStore(db);
  // What executions left behind goes with their rows.
  const leftBehind = { sweep: () => sessionStore.purgeLost(new Date(now() - retentionDays * DAY_MS)) };
  const purging = startPurging({ retentionDays }, { store, artifacts: leftBehind, log, now });
  const limits = {
    languages: options.languages ?? RUNTIMES,
    timeoutMaximumMs: options.timeoutMaximumMs,
    keepsSessions: options.sessions !== undefined,
  };
  const shared = {
    store,
    fleetStore,
    rows,
    queue,
    endings,
    wakes,
    workers,
    bound,
    limits,
    log,
    now,
    handOver,
    reader: createLiveReader(redis),
    sessions: sessionStore,
    sessionLimits: options.sessions ?? null,
    tellSession: (message: SessionMessage) => shared.publish('sessions', writeSessionMessage(message)),
    publish: async (channel: keyof typeof CHANNELS, message: string) => void (await redis.publish(CHANNELS[channel], message)),
    onEnded: endedListeners.tell,
  };
  let closing = false;

  return {
    async submit(principal, request, submitOptions) {
      if (closing) throw new AppError('SHUTTING_DOWN', 'The service is stopping and accepts nothing new.');
      return await submitToFleet(principal, request, submitOptions, shared);
    },
    async wait(principal, executionId, signal) {
      const { record } = await waitInFleet(principal, executionId, signal, shared);
      // What it has printed so far is with Redis, not in its row.
      if (record.status === 'paused') return await getInFleet(principal, executionId, shared);
      if (record.executionTime > 0) bound.took(record.executionTime);
      return record;
    },
    get: (principal, executionId) => getInFleet(principal, executionId, shared),
    list: (principal, page) => listExecutions(principal, page, shared),
    cancel: (principal, executionId) => cancelInFleet(principal, executionId, shared),
    events: (principal, executionId, afterId, signal) => followInFleet(principal, executionId, afterId, signal, shared),
    artifacts: createArtifacts(createStoredArtifacts(db), (principal, executionId) => getInFleet(principal, executionId, shared)),
    ...(options.sessions === undefined
      ? {}
      : {
          sessions: sessionsInFleet({
            sessions: sessionStore,
            transfers: createTransferStore(db),
            wakes,
            tell: shared.tellSession,
            log,
          }),
        }),
    export: (principal, filter, signal) => exportExecutions(principal, filter, signal, shared),
    purge: (principal, before, signal) => purgeOnDemand(principal, before, signal, { store, log, now }),
    depth: bound.depth,
    workers: workers.reports,
    announceKeys: () => shared.publish('keys', ''),
    async missing() {
      const answers = await rows.answers(ANSWER_MS);
      return [...(answers ? [] : ['postgres']), ...(queue.healthy() ? [] : ['redis'])];
    },
    onExecutionEnded: endedListeners.add,
    async close() {
      closing = true;
      endings.close();
      workers.stop();
      bound.stop();
      handOver.close();
      subscription.close();
      closeRedis(redis);
      await purging.stop();
    },
  };

  function onSessionMessage(text: string): void {
    const message = readSessionMessage(text);
    if (message?.kind === 'done') wakes.wake(message.transferId);
  }

  function onEndedMessage(message: string): void {
    const told = endedMessages.read(message);
    if (told === null) {
      log.debug('A message of no use on the channel of ends');
      return;
    }
    handOver.forget(told.executionId);
    endings.ended(told.executionId, told.stored);
    wakes.wake(told.executionId);
  }
}
