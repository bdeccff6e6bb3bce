import { DEFAULT_WORKSPACE_ID } from '@code-executor/contracts';
import { AppError, type Database, type Grants, isAppError, type Logger, messageOf } from '@code-executor/platform';
import type { Redis } from 'ioredis';
import type { ExecutionEnded } from '../end-execution.ts';
import { endedEvent, endedRecord } from '../ended-record.ts';
import type { ClaimedExecution } from '../execution.ts';
import { claimInSession } from '../fleet-sessions/claim-in-session.ts';
import { createWorkerSessionStore } from '../fleet-sessions/worker-sessions.ts';
import { createEndedMessages } from '../live-stream/ended-messages.ts';
import { CHANNELS } from '../live-stream/fleet-channels.ts';
import { createLiveWriter } from '../live-stream/live-writer.ts';
import type { ExecutionRecord } from '../port.ts';
import type { StoredExecution } from '../read-executions.ts';
import { replayPlace, type Sealing } from '../replay/sealing.ts';
import type { SavedPause } from '../run/pauses.ts';
import { createExecutionStore } from '../store/execution-store.ts';
import type { EndedExecution } from '../store/finish-statement.ts';
import { createFleetStore } from '../store/fleet-store.ts';
import type { StoredPause } from '../store/pause-statements.ts';
import { claimAhead } from './claim-ahead.ts';
import { createDispatcher } from './dispatch-next.ts';
import { LEASE_MS } from './lease.ts';
import type { ExecutionLedger, HeldExecution } from './port.ts';

export interface LedgerOptions {
  readonly db: Database;
  readonly log: Logger;
  /** For commands and PUBLISH; one that fails at once while Redis is away (`openRedis`). */
  readonly redis: Redis;
  readonly queue: { add(executionIds: readonly string[]): Promise<void> };
  readonly grants: Grants;
  readonly catalogVersion: (workspaceId: string) => string | Promise<string>;
  /** How many executions of one workspace may be in flight now. */
  readonly share: () => number;
  readonly onEnded: (event: ExecutionEnded) => void;
  /** Ids of workers that take executions; absent: a session waits until the queue hands its execution to one that has room. */
  readonly liveWorkers?: (() => readonly string[]) | undefined;
  /** Which of these approvals are pending no more; absent: nothing ever waits. */
  readonly decidedAmong?: ((approvalIds: readonly string[]) => Promise<readonly string[]>) | undefined;
  /** For what replays are made from; absent: nothing is replayed. */
  readonly sealing?: Sealing | undefined;
  /** Ends are told with what was written to gateways that have the same (`createEndedMessages`); absent: by their ids. */
  readonly endsKey?: string | undefined;
  readonly now?: (() => number) | undefined;
}

export interface LocalLedger extends ExecutionLedger {
  /** Resolves when what ends have set going is done. */
  close(): Promise<void>;
}

/** Preparation, type check, the wait for a sandbox and the tries to write the end, together; a grant lives so much longer than the program. */
const GRANT_MARGIN_MS = 180_000;
const WORKER_REPORT_SECONDS = 10;
const WORKER_ID = /^[\w.-]{1,100}$/;

/** The ledger where the rows are: in mcp-proxy. A Redis that is away costs the live events alone. */
export function createLedger(options: LedgerOptions): LocalLedger {
  const { db, log, redis, grants, onEnded, liveWorkers = () => [], now = Date.now } = options;
  const store = createExecutionStore(db);
  const fleet = createFleetStore(db);
  const sessions = createWorkerSessionStore(db);
  const live = createLiveWriter(redis);
  const endedMessages = createEndedMessages(options.endsKey);
  const dispatcher = createDispatcher({ ...options, fleet });

  return {
    async claim(executionId, worker) {
      const { workerId } = worker;
      assertWorkerId(workerId);
      const claimed = await withDatabase(() => claimOf(executionId, worker));
      if (claimed === null) return null;
      const execution = opened(claimed);
      const { workspaceId, principalId, token, timeoutMs, traceparent } = execution;
      const claim = { executionId, workspaceId, principalId, token, traceparent: traceparent ?? undefined };
      const grant = grants.issue(claim, new Date(now() + timeoutMs + GRANT_MARGIN_MS));
      const catalogVersion = await options.catalogVersion(workspaceId);
      return { execution, grant, catalogVersion };
    },

    async renew(report, held) {
      assertWorkerId(report.workerId);
      const reported = redis.set(`executor:worker:${report.workerId}`, JSON.stringify(report), 'EX', WORKER_REPORT_SECONDS);
      reported.catch((error: unknown) => log.debug({ reason: messageOf(error) }, "A worker's report could not be passed on"));
      const { lost, cancelled, waitsFor } = await withDatabase(() => fleet.renew(report.workerId, held, LEASE_MS));
      const decided = waitsFor.length === 0 ? [] : await withDatabase(async () => (await options.decidedAmong?.(waitsFor)) ?? []);
      return { lost, cancelled, decided, catalogVersion: await options.catalogVersion(DEFAULT_WORKSPACE_ID) };
    },

    async setPaused(held, { workerId }, pause) {
      assertWorkerId(workerId);
      const { executionId, token } = held;
      const row = await withDatabase(() => fleet.setPaused(held, workerId, pause === null ? null : sealedPause(executionId, pause)));
      if (row === null) throw new AppError('STALE_CLAIM', `The claim on ${executionId} is held by somebody else, or it has ended.`);
      const { workspaceId, principalId, timeoutMs, traceparent } = row;
      if (pause !== null) {
        announce(executionId, null);
        dispatcher.ended(workspaceId);
      }
      const claim = { executionId, workspaceId, principalId, token, traceparent: traceparent ?? undefined };
      return { grant: grants.issue(claim, new Date(now() + timeoutMs + GRANT_MARGIN_MS)) };
    },

    async release(held, { workerId }) {
      assertWorkerId(workerId);
      if (!(await withDatabase(() => fleet.release(held, workerId))))
        throw new AppError('STALE_CLAIM', `The claim on ${held.executionId} is held by somebody else, or it cannot be replayed.`);
    },

    async publish(held, grant, events) {
      await assertGranted(held, grant);
      await withRedis(() => live.publish(held.executionId, events));
    },

    async finish(ended, grant, session) {
      const { workspaceId } = await assertGranted({ executionId: ended.id, token: ended.token }, grant);
      // First, since whoever hears of the end may send the session's next execution at once.
      if (session !== undefined) await withDatabase(() => sessions.settle({ executionId: ended.id, token: ended.token }, session));
      const row = await withDatabase(() => fleet.finish(ended));
      if (row === null) return await adoptEnd(ended, workspaceId);
      const record = endedRecord(ended, row);
      announce(ended.id, { record, eventsJson: ended.eventsJson });
      dispatcher.ended(row.workspaceId, row.othersWait);
      onEnded(endedEvent(ended, row));
      return { written: true, record };
    },

    close: () => dispatcher.close(),
  };

  async function claimOf(executionId: string, worker: Parameters<ExecutionLedger['claim']>[1]): Promise<ClaimedExecution | null> {
    const { workerId, isAhead } = worker;
    const tryOnce = (isRepeatable: boolean) => fleet.claim(executionId, workerId, LEASE_MS, { isAhead, isRepeatable });
    const claimed = isAhead ? await claimAhead(tryOnce, () => fleet.exists(executionId)) : await tryOnce(true);
    const isInSession = claimed === null ? await fleet.waitsForSession(executionId) : claimed.sessionId !== undefined;
    if (!isInSession) return claimed;
    const session = await claimInSession(executionId, worker, { sessions, liveWorkers, redis, log });
    if (session === null) return null;
    const inSession = claimed ?? (await fleet.claim(executionId, workerId, LEASE_MS, { inSession: true }));
    if (inSession !== null) return { ...inSession, session };
    await sessions.unclaim(executionId);
    return null;
  }

  function sealedPause(executionId: string, { checkpoint, ...told }: SavedPause): StoredPause {
    const sealedReplay = checkpoint === null ? null : (options.sealing?.seal(checkpoint, replayPlace(executionId)) ?? null);
    return { sealedReplay, ...told };
  }

  function opened({ replay, ...execution }: ClaimedExecution): ClaimedExecution {
    if (replay === undefined) return execution;
    return { ...execution, replay: options.sealing?.open(replay, replayPlace(execution.id)) ?? '' };
  }

  async function assertGranted(held: HeldExecution, bearer: string) {
    const grant = await grants.verify(bearer);
    if (grant.executionId === held.executionId && grant.token === held.token && held.token > 0) return grant;
    throw new AppError('STALE_CLAIM', `This grant is for another claim than that on ${held.executionId.slice(0, 64)}.`);
  }

  /** A try whose answer got lost may have written it; whoever died then has told nobody. */
  async function adoptEnd(ended: EndedExecution, workspaceId: string): Promise<{ written: boolean; record: ExecutionRecord }> {
    const found = await withDatabase(() => store.find(ended.id, { workspaceId }));
    if (found === null || found.record.endedAt === null)
      throw new AppError('STALE_CLAIM', `The claim on ${ended.id} is held by somebody else.`);
    announce(ended.id, found);
    dispatcher.ended(workspaceId);
    const isOurs = found.record.endedAt === ended.endedAt.toISOString() && found.record.status === ended.outcome.status;
    return { written: isOurs, record: found.record };
  }

  function announce(executionId: string, stored: StoredExecution | null): void {
    redis
      .publish(CHANNELS.ended, endedMessages.write(executionId, stored))
      .catch((error: unknown) =>
        log.debug({ executionId, reason: messageOf(error) }, 'An end could not be announced; whoever waits looks for it'),
      );
  }
}

function assertWorkerId(workerId: string): void {
  if (!WORKER_ID.test(workerId))
    throw new AppError('INVALID_REQUEST', 'A worker id has 1 to 100 letters, digits, dots, dashes and underscores.');
}

async function withDatabase<Answer>(act: () => Promise<Answer>): Promise<Answer> {
  try {
    return await act();
  } catch (error) {
    if (isRefusedValue(error)) throw error;
    throw new AppError('LEDGER_UNAVAILABLE', `The database does not answer: ${messageOf(error)}`, { cause: error });
  }
}

async function withRedis<Answer>(act: () => Promise<Answer>): Promise<Answer> {
  try {
    return await act();
  } catch (error) {
    if (isAppError(error)) throw error;
    throw new AppError('LEDGER_UNAVAILABLE', `Redis does not take live events: ${messageOf(error)}`, { cause: error });
  }
}

/** SQLSTATE classes 22 and 23: trying again would be refused again. */
function isRefusedValue(error: unknown): boolean {
  return (
    typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' && /^2[23]\w{3}$/.test(error.code)
  );
}
