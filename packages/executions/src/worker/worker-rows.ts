import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, isAppError, type Logger, messageOf } from '@code-executor/platform';
import type { EventLog } from '../events/event-log.ts';
import type { SessionFate } from '../fleet-sessions/port.ts';
import type { ExecutionLedger, HeldExecution } from '../ledger/port.ts';
import type { LiveExecutions } from '../live-executions.ts';
import type { ExecutionRecord } from '../port.ts';
import type { ClaimableRows } from '../take-execution.ts';
import type { EventPusher } from './event-pusher.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import type { WorkerSessions } from './worker-sessions.ts';

export interface WorkerRowsOptions {
  readonly ledger: Pick<ExecutionLedger, 'claim' | 'finish' | 'publish' | 'setPaused' | 'release'>;
  readonly workerId: string;
  /** It was told of ahead of its row. */
  readonly isAhead?: ((executionId: string) => boolean) | undefined;
  readonly leases: LeaseKeeper;
  readonly leaseMs: number;
  readonly events: EventPusher;
  /** Absent: none is kept. */
  readonly sessions?: Pick<WorkerSessions, 'hasRoom' | 'claimed' | 'settle' | 'forget'> | undefined;
  readonly live: LiveExecutions;
  readonly log: Logger;
  readonly now: () => number;
}

export interface WorkerRows extends ClaimableRows {
  /** The handling of an execution is over, however it came about. */
  forget(executionId: string): void;
  /** What its claim's calls are shown with now. Throws STALE_CLAIM. */
  grantOf(executionId: string): string;
}

interface Claim {
  readonly log: EventLog;
  grant: string;
  stopEvents: () => void;
  isFinishing: boolean;
  session: SessionFate | undefined;
  otherEnd: ExecutionRecord | null;
}

/** Of executions whose end nobody has acknowledged here; their ids are not taken a second time. */
const REMEMBERED_MAXIMUM = 10_000;
const PAUSE_RETRY_MS = 250;

/** The rows as a worker sees them: claims with a lease, and ends that count only while the claim does. */
export function createWorkerRows({
  ledger,
  workerId,
  isAhead,
  leases,
  leaseMs,
  events,
  sessions,
  live,
  log,
  now,
}: WorkerRowsOptions): WorkerRows {
  const claims = new Map<string, Claim>();
  const started = new Set<string>();

  return {
    async claim(executionId, workerId) {
      // A queue may hand an id out twice, and the ledger repeats a claim to the worker that holds it.
      if (started.has(executionId)) return null;
      const askedAtMs = performance.now();
      const worker = { workerId, takesSessions: sessions?.hasRoom() ?? false, isAhead: isAhead?.(executionId) };
      const claimed = await ledger.claim(executionId, worker);
      if (claimed === null || started.has(executionId)) return null;
      const { execution, grant, catalogVersion } = claimed;
      if (execution.id !== executionId) throw new AppError('INTERNAL', `The ledger answered the claim of ${executionId} with another one.`);
      rememberStarted(executionId);
      // Whoever stood still in between may have been judged dead: nothing is started that may have ended already.
      if (performance.now() - askedAtMs >= leaseMs) throw staleClaim(executionId);
      const held = { executionId, token: execution.token };
      leases.add(held, askedAtMs);
      sessions?.claimed(execution);
      const { log: eventLog } = live.open(execution, now());
      const claim: Claim = { log: eventLog, grant, stopEvents: () => undefined, isFinishing: false, session: undefined, otherEnd: null };
      claim.stopEvents = events.follow(held, () => claim.grant, eventLog);
      claims.set(executionId, claim);
      return { ...execution, bearer: grant, catalogVersion };
    },

    async finish(ended) {
      const claim = claims.get(ended.id);
      if (claim === undefined) throw staleClaim(ended.id);
      if (!claim.isFinishing) {
        if (!leases.has(ended.id)) throw staleClaim(ended.id);
        claim.isFinishing = true;
        claim.stopEvents();
        leases.finishing(ended.id);
        claim.session = sessions?.settle(ended.id, ended.outcome.error?.code ?? null);
      }
      const { written, record } = await ledger.finish(ended, claim.grant, claim.session);
      started.delete(ended.id);
      if (!written) claim.otherEnd = record;
      return written;
    },

    async setPaused(held, pause, signal) {
      // Who is told of the pause looks at what led to it.
      if (pause !== null) await publishAll(held);
      let hasFailed = false;
      while (!signal.aborted) {
        try {
          const { grant } = await ledger.setPaused(held, { workerId }, pause);
          const claim = claims.get(held.executionId);
          if (claim !== undefined) claim.grant = grant;
          return grant;
        } catch (error) {
          if (isAppError(error) && !error.retryable) {
            leases.lose(held.executionId, 'its pause was refused');
            return undefined;
          }
          if (!hasFailed) log.warn({ executionId: held.executionId, reason: messageOf(error) }, 'A pause could not be written; trying on');
          hasFailed = true;
          await sleep(PAUSE_RETRY_MS, undefined, { signal }).catch(() => undefined);
        }
      }
      return undefined;
    },

    async find(executionId) {
      const record = claims.get(executionId)?.otherEnd ?? null;
      return record === null ? null : { record };
    },

    async release(held) {
      await ledger.release(held, { workerId });
      // This worker may be handed it again.
      started.delete(held.executionId);
    },

    grantOf(executionId) {
      const claim = claims.get(executionId);
      if (claim === undefined) throw staleClaim(executionId);
      return claim.grant;
    },

    forget(executionId) {
      claims.get(executionId)?.stopEvents();
      claims.delete(executionId);
      leases.remove(executionId);
      sessions?.forget(executionId);
    },
  };

  /** Those that were sent before are kept once. */
  async function publishAll(held: HeldExecution): Promise<void> {
    const claim = claims.get(held.executionId);
    if (claim === undefined) return;
    try {
      await ledger.publish(held, claim.grant, claim.log.events());
    } catch (error) {
      log.info({ executionId: held.executionId, reason: messageOf(error) }, 'The events before a pause could not be sent; they follow');
    }
  }

  function rememberStarted(executionId: string): void {
    started.add(executionId);
    if (started.size <= REMEMBERED_MAXIMUM) return;
    log.warn({ remembered: started.size }, 'Too many executions without an acknowledged end; the oldest is forgotten');
    for (const oldest of started) {
      started.delete(oldest);
      return;
    }
  }
}

const staleClaim = (executionId: string): AppError =>
  new AppError('STALE_CLAIM', `The claim on ${executionId} has lapsed; whoever judges lost executions ends it.`);
