import type { ClaimedExecution } from '../execution.ts';
import type { HeldExecution } from '../ledger/port.ts';
import { replayPlace, type Sealing } from '../replay/sealing.ts';
import type { SavedPause } from '../run/pauses.ts';
import type { ExecutionStore } from './execution-store.ts';

/** The rows of the process that runs executions itself: what replays are made from is sealed on its way in and opened on its way out. */
export function createEmbeddedRows(store: ExecutionStore, sealing: Sealing | undefined) {
  const open = (executionId: string, sealed: string): string => sealing?.open(sealed, replayPlace(executionId)) ?? '';
  return {
    ...store,
    async claim(id: string, workerId: string, startedAt: Date): Promise<ClaimedExecution | null> {
      const claimed = await store.claim(id, workerId, startedAt);
      return claimed?.replay === undefined ? claimed : { ...claimed, replay: open(id, claimed.replay) };
    },
    async setPaused(held: HeldExecution, pause: SavedPause | null): Promise<undefined> {
      if (pause === null) return await store.writePause(held, null);
      const { checkpoint, ...told } = pause;
      const sealedReplay = checkpoint === null ? null : (sealing?.seal(checkpoint, replayPlace(held.executionId)) ?? null);
      return await store.writePause(held, { sealedReplay, ...told });
    },
    async release(held: HeldExecution): Promise<void> {
      await store.releasePaused(held);
    },
    /** What it can be replayed from; null: it cannot. */
    async replayOf(id: string): Promise<string | null> {
      const sealed = await store.sealedReplay(id);
      return sealed === null ? null : open(id, sealed);
    },
  };
}
