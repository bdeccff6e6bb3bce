import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ERROR_CODES, type ErrorCode } from '@code-executor/contracts';
import { AppError, type Logger, messageOf } from '@code-executor/platform';
import { assertFilePath } from '../check-request.ts';
import type { Wakes } from '../fleet/wakes.ts';
import { ownerOf } from '../sessions/own-sessions.ts';
import { sessionBusy, sessionNotFound } from '../sessions/refusals.ts';
import type { SessionFile, Sessions } from '../sessions/sessions.ts';
import type { SessionTransfer } from './port.ts';
import type { SessionMessage } from './session-messages.ts';
import type { FleetSessionStore, FoundSession } from './session-store.ts';
import type { TransferStore } from './transfer-store.ts';

export interface SessionsInFleetDependencies {
  readonly sessions: FleetSessionStore;
  readonly transfers: TransferStore;
  /** By the ids of transfers: woken when one is answered. */
  readonly wakes: Wakes;
  /** Rejects while Redis is away. */
  readonly tell: (message: SessionMessage) => Promise<void>;
  readonly log: Logger;
}

/** A worker answers within milliseconds, and a large file takes seconds. */
const ANSWER_MS = 30_000;
/** How soon an answer is found whose message was lost. */
const LOOK_MS = 250;

/** Sessions as a gateway of the fleet reaches them: by their rows, and by what it asks of the worker that has one. */
export function sessionsInFleet(deps: SessionsInFleetDependencies): Sessions {
  const { sessions, transfers, log } = deps;

  return {
    list: ({ workspaceId, id }) => sessions.list({ workspaceId, principalId: id }),
    async end(principal, sessionId) {
      const workerId = await sessions.end(ownerOf(principal, sessionId));
      if (workerId !== null) await tell(workerId);
    },
    async files(principal, sessionId) {
      const session = await sessions.find(ownerOf(principal, sessionId));
      return await removedAfter(
        newTransfer('list', ''),
        session,
        sessionId,
        async (id) => (await answerTo(id, sessionId)) as SessionFile[],
      );
    },
    async readFile(principal, sessionId, path) {
      const session = await sessions.find(ownerOf(principal, sessionId));
      const transfer = newTransfer('read', path);
      await begin(transfer, session, sessionId);
      try {
        const { bytes } = (await answerTo(transfer.id, sessionId)) as { bytes: number };
        return { bytes, content: transfers.read(transfer.id, () => remove(transfer.id)) };
      } catch (error) {
        remove(transfer.id);
        throw error;
      }
    },
    async writeFile(principal, sessionId, path, content) {
      assertFilePath('The path', path);
      const owner = ownerOf(principal, sessionId);
      const session = await sessions.find(owner);
      return await removedAfter(newTransfer('write', path), session, sessionId, async (id) => {
        // A client may take its time: the session is not held for that.
        await transfers.write(id, path, content);
        await sessions.hold(owner, session, id);
        try {
          await transfers.ready(id);
          await tell(session.workerId);
          return (await answerTo(id, sessionId)) as SessionFile;
        } finally {
          await sessions.release(id);
        }
      });
    },
  };

  async function removedAfter<Answer>(
    transfer: Omit<SessionTransfer, 'incarnation'>,
    session: FoundSession,
    sessionId: string,
    act: (id: string) => Promise<Answer>,
  ): Promise<Answer> {
    await begin(transfer, session, sessionId);
    try {
      return await act(transfer.id);
    } finally {
      remove(transfer.id);
    }
  }

  async function begin(transfer: Omit<SessionTransfer, 'incarnation'>, session: FoundSession, sessionId: string): Promise<void> {
    if (!(await transfers.begin(transfer, session))) throw sessionBusy(sessionId);
    if (transfer.act !== 'write') await tell(session.workerId);
  }

  /** What lasts would be removed by the reconciler, minutes later. */
  function remove(id: string): void {
    transfers.remove(id).catch((error: unknown) => log.info({ transferId: id, reason: messageOf(error) }, 'A transfer was left behind'));
  }

  /** A worker that misses it looks within a second. */
  async function tell(workerId: string): Promise<void> {
    try {
      await deps.tell({ kind: 'look', workerId });
    } catch (error) {
      log.info({ workerId, reason: messageOf(error) }, 'A worker was not told of what waits for it; it looks');
    }
  }

  async function answerTo(id: string, sessionId: string): Promise<unknown> {
    const untilMs = performance.now() + ANSWER_MS;
    for (;;) {
      const woken = new AbortController();
      const stop = deps.wakes.listen(id, () => woken.abort());
      try {
        const { answer, isOrphaned } = await transfers.state(id);
        if (answer?.ok === true) return answer.value;
        if (answer !== null) throw new AppError(codeOf(answer.code), answer.message);
        if (isOrphaned) throw sessionNotFound(sessionId);
        if (performance.now() > untilMs)
          throw new AppError('LEDGER_UNAVAILABLE', `The worker of session ${sessionId} did not answer within ${ANSWER_MS / 1_000} s.`);
        await sleep(LOOK_MS, undefined, { signal: woken.signal }).catch(() => undefined);
      } finally {
        stop();
      }
    }
  }
}

function newTransfer(act: SessionTransfer['act'], path: string): Omit<SessionTransfer, 'incarnation'> {
  return { id: `xfr_${randomBytes(16).toString('hex')}`, act, path };
}

/** A worker may be compromised; a code that there is not is a fault. */
const codeOf = (code: string): ErrorCode => (Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'INTERNAL');
