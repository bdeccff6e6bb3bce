import { AppError, type Database, type Logger, messageOf } from '@code-executor/platform';
import type { Redis } from 'ioredis';
import { CHANNELS } from '../live-stream/fleet-channels.ts';
import type { SessionLedger, TransferAnswer } from './port.ts';
import { writeSessionMessage } from './session-messages.ts';
import { createTransferStore } from './transfer-store.ts';
import { createWorkerSessionStore } from './worker-sessions.ts';

/** The rows of sessions where they are: in mcp-proxy. */
export function createSessionLedger({
  db,
  redis,
  log,
}: {
  readonly db: Database;
  /** For PUBLISH; one that fails at once while Redis is away (`openRedis`). */
  readonly redis: Redis;
  readonly log: Logger;
}): SessionLedger {
  const sessions = createWorkerSessionStore(db);
  const transfers = createTransferStore(db);

  return {
    async renew(workerId, held, lost) {
      const gone = await sessions.renew(workerId, held, lost);
      if (held.length === 0) return { gone, executions: [], transfers: [] };
      return { gone, executions: await sessions.executions(workerId), transfers: await transfers.waiting(workerId) };
    },
    async readTransfer(workerId, transferId) {
      await assertFor(transferId, workerId, 'write');
      return transfers.read(transferId);
    },
    async writeTransfer(workerId, transferId, content) {
      await assertFor(transferId, workerId, 'read');
      const bytes = await transfers.write(transferId, 'The file', content);
      await answer(workerId, transferId, { ok: true, value: { bytes } });
    },
    answerTransfer: answer,
  };

  async function assertFor(transferId: string, workerId: string, act: 'read' | 'write'): Promise<void> {
    if (!(await transfers.isFor(transferId, workerId, act))) throw gone();
  }

  async function answer(workerId: string, transferId: string, given: TransferAnswer): Promise<void> {
    if (!(await transfers.answer(transferId, workerId, given))) throw gone();
    redis
      .publish(CHANNELS.sessions, writeSessionMessage({ kind: 'done', transferId }))
      .catch((error: unknown) => log.debug({ reason: messageOf(error) }, 'An answer could not be announced; whoever waits looks for it'));
  }
}

const gone = (): AppError => new AppError('NOT_FOUND', 'Nobody waits for this transfer any more, or it is not for this worker.');
