import { isAppError, type Logger, messageOf } from '@code-executor/platform';
import type { Incarnation, SessionLedger, SessionTransfer, TransferAnswer } from '../fleet-sessions/port.ts';
import type { SessionsService } from '../sessions/create-sessions.ts';
import { sessionNotFound } from '../sessions/refusals.ts';
import type { SessionOwner } from '../sessions/session-rows.ts';

export interface Transfers {
  /** What is under way already, or beyond what is done at once, is left; the ledger names it again. */
  take(transfer: SessionTransfer): void;
  /** Resolves when none is under way. */
  close(): Promise<void>;
}

const AT_ONCE = 4;

/** Files of this worker's sessions, listed, read and written for clients of any gateway. */
export function createTransfers(deps: {
  readonly sessions: Pick<SessionsService, 'files' | 'readFile' | 'writeFile'>;
  readonly ledger: SessionLedger;
  readonly workerId: string;
  readonly find: (incarnation: Incarnation) => SessionOwner | undefined;
  readonly log: Logger;
}): Transfers {
  const { sessions, ledger, workerId, find, log } = deps;
  const underWay = new Map<string, Promise<void>>();

  return {
    take(transfer) {
      if (underWay.has(transfer.id) || underWay.size >= AT_ONCE) return;
      const done = work(transfer).finally(() => underWay.delete(transfer.id));
      underWay.set(transfer.id, done);
    },
    async close() {
      await Promise.all(underWay.values());
    },
  };

  async function work(transfer: SessionTransfer): Promise<void> {
    try {
      const answer = await answerTo(transfer);
      if (answer !== null) await ledger.answerTransfer(workerId, transfer.id, answer);
    } catch (error) {
      log.info({ transferId: transfer.id, reason: messageOf(error) }, 'A file of a session could not be passed on; it is tried again');
    }
  }

  /** null: the content was the answer. Throws where the ledger is away. */
  async function answerTo(transfer: SessionTransfer): Promise<TransferAnswer | null> {
    try {
      return await act(transfer);
    } catch (error) {
      if (isAppError(error, 'LEDGER_UNAVAILABLE') || isAppError(error, 'NOT_FOUND')) throw error;
      if (isAppError(error)) return { ok: false, code: error.code, message: error.message };
      log.error({ err: error, transferId: transfer.id }, 'A file of a session could not be read or written');
      return { ok: false, code: 'INTERNAL', message: "A fault of this service; its worker's log has it." };
    }
  }

  async function act({ id, incarnation, act: kind, path }: SessionTransfer): Promise<TransferAnswer | null> {
    const owner = find(incarnation);
    if (owner === undefined) throw sessionNotFound(incarnation);
    if (kind === 'list') return { ok: true, value: sessions.files(owner) };
    if (kind === 'read') {
      const { content, bytes } = sessions.readFile(owner, path);
      await ledger.writeTransfer(workerId, id, content, bytes);
      return null;
    }
    const content = await ledger.readTransfer(workerId, id);
    try {
      return { ok: true, value: await sessions.writeFile(owner, path, content) };
    } finally {
      content.destroy();
    }
  }
}
