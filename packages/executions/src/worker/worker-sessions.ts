import { type Logger, messageOf } from '@code-executor/platform';
import type { ClaimedExecution } from '../execution.ts';
import type { Incarnation, LostSession, SessionFate, SessionLedger } from '../fleet-sessions/port.ts';
import { readSessionMessage } from '../fleet-sessions/session-messages.ts';
import { createSessions, type SessionsService } from '../sessions/create-sessions.ts';
import type { SessionOwner, SessionRows } from '../sessions/session-rows.ts';
import { createTransfers } from './session-transfers.ts';

export interface WorkerSessionsOptions {
  readonly ledger: SessionLedger;
  readonly workerId: string;
  /** Sandboxes that may be kept for sessions, beside those that run. */
  readonly maximum: number;
  readonly log: Logger;
  readonly now: () => number;
  /** An execution waits for this worker. */
  readonly onExecution: (executionId: string) => void;
  readonly renewEveryMs?: number | undefined;
  readonly giveUpAfterMs?: number | undefined;
}

export interface WorkerSessions extends Pick<SessionsService, 'run'> {
  start(): void;
  hasRoom(): boolean;
  /** Its claim is this worker's, and so is its session from now on. */
  claimed(execution: ClaimedExecution): void;
  /** It is about to end with this code: what of its session there is, for the ledger to write. undefined: nothing to be written. */
  settle(executionId: string, errorCode: string | null): SessionFate | undefined;
  /** Its claim is not this worker's any more. */
  forget(executionId: string): void;
  /** A message of `CHANNELS.sessions`. */
  heard(message: string): void;
  stats(): { readonly kept: number; readonly lost: number };
  /** Sessions at rest end now, the others with the execution in them. */
  drain(): void;
  /** Says what is lost, and ends everything. */
  close(): Promise<void>;
}

const RENEW_EVERY_MS = 1_000;
/** Above the restart of a proxy or a database; nobody hears of a session that is kept for longer. */
const GIVE_UP_AFTER_MS = 20_000;
const STOPPED = 'its worker was stopped';
/** Losses whose acknowledgement never comes. */
const UNREPORTED_MAXIMUM = 1_000;
const NO_LIMIT = Number.POSITIVE_INFINITY;

/** Sessions of one worker. Whose they are, and when they were idle for too long, is said by the ledger alone. */
export function createWorkerSessions(options: WorkerSessionsOptions): WorkerSessions {
  const { ledger, workerId, maximum, log, now, onExecution } = options;
  const { renewEveryMs = RENEW_EVERY_MS, giveUpAfterMs = GIVE_UP_AFTER_MS } = options;
  const settings = { idleSeconds: null, maximum: NO_LIMIT, maximumOfPrincipal: NO_LIMIT };
  const sessions = createSessions(settings, { rows: NO_ROWS, log, now, onLost });
  const claims = new Map<string, SessionOwner & { readonly incarnation: Incarnation; readonly wasLost: boolean }>();
  const unreported = new Map<Incarnation, string>();
  const transfers = createTransfers({ sessions, ledger, workerId, find, log });
  let lostCount = 0;
  let isDraining = false;
  let isStopped = false;
  let isFailing = false;
  let renewedAtMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  let underWay: Promise<void> | null = null;
  let isWanted = false;

  return {
    run: sessions.run,
    start() {
      timer = setInterval(renewSoon, renewEveryMs);
    },
    hasRoom: () => !isDraining && held().length < maximum,
    claimed(execution) {
      const { id, workspaceId, principalId, sessionId, session } = execution;
      if (sessionId === undefined || session === undefined) return;
      claims.set(id, { workspaceId, principalId, sessionId, incarnation: session.incarnation, wasLost: session.lost !== null });
    },
    settle(executionId, errorCode) {
      const owner = claims.get(executionId);
      if (owner === undefined) return undefined;
      claims.delete(executionId);
      // It failed before it could tell of the loss; the next one does.
      if (owner.wasLost && errorCode !== 'SESSION_LOST') return undefined;
      if (isDraining) sessions.lose(owner, STOPPED);
      const { isKept, lost } = sessions.stateOf(owner);
      if (isKept) return { state: 'kept' };
      return lost === null ? { state: 'none' } : { state: 'lost', reason: lost };
    },
    forget: (executionId) => void claims.delete(executionId),
    heard(text) {
      const message = readSessionMessage(text);
      if (message === null || message.kind === 'done' || message.workerId !== workerId) return;
      if (message.kind === 'run') onExecution(message.executionId);
      else renewSoon();
    },
    stats: () => ({ kept: sessions.all().length, lost: lostCount }),
    drain() {
      isDraining = true;
      loseIdle(STOPPED);
      renewSoon();
    },
    async close() {
      isDraining = true;
      isStopped = true;
      clearInterval(timer);
      for (const owner of sessions.all()) sessions.lose(owner, STOPPED);
      await underWay;
      if (unreported.size > 0) await renew();
      await transfers.close();
      await sessions.close();
    },
  };

  /** Those that are kept, and those whose first execution was claimed and is being prepared. */
  function held(): Incarnation[] {
    const kept = sessions.all().map(({ incarnation = '' }) => incarnation);
    return [...new Set([...kept, ...[...claims.values()].map(({ incarnation }) => incarnation)])];
  }

  function find(incarnation: Incarnation): SessionOwner | undefined {
    return sessions.all().find((each) => each.incarnation === incarnation);
  }

  function onLost({ incarnation }: SessionOwner, reason: string): void {
    lostCount += 1;
    if (incarnation === undefined || unreported.size >= UNREPORTED_MAXIMUM) return;
    unreported.set(incarnation, reason);
    renewSoon();
  }

  function loseIdle(reason: string, which: (owner: SessionOwner) => boolean = () => true): void {
    for (const owner of sessions.all()) if (!owner.isBusy && which(owner)) sessions.lose(owner, reason);
  }

  /** One renewal at a time; who asks meanwhile gets another one after it. */
  function renewSoon(): void {
    if (isStopped) return;
    if (underWay !== null) {
      isWanted = true;
      return;
    }
    underWay = renew().finally(() => {
      underWay = null;
      if (!isWanted) return;
      isWanted = false;
      if (!isFailing) renewSoon();
    });
  }

  async function renew(): Promise<void> {
    const askedAtMs = performance.now();
    const asked = held();
    const lost: LostSession[] = [...unreported].map(([incarnation, reason]) => ({ incarnation, reason }));
    if (asked.length === 0 && lost.length === 0) {
      renewedAtMs = askedAtMs;
      return;
    }
    try {
      const renewal = await ledger.renew(workerId, asked, lost);
      renewedAtMs = askedAtMs;
      isFailing = false;
      for (const { incarnation } of lost) unreported.delete(incarnation);
      const gone = new Set(renewal.gone);
      loseIdle('it was ended', ({ incarnation }) => incarnation !== undefined && gone.has(incarnation));
      if (isStopped) return;
      for (const executionId of renewal.executions) onExecution(executionId);
      for (const transfer of renewal.transfers) transfers.take(transfer);
    } catch (error) {
      if (!isFailing) log.warn({ reason: messageOf(error), sessions: asked.length }, 'Sessions could not be renewed; trying on');
      isFailing = true;
      if (performance.now() - renewedAtMs > giveUpAfterMs) loseIdle('its worker could not reach the ledger for too long');
    }
  }
}

/** A worker's rows are the ledger's. */
const NO_ROWS: SessionRows = { all: async () => [], add: async () => undefined, remove: async () => undefined };
