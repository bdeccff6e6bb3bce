import { type Logger, messageOf } from '@code-executor/platform';
import type { FleetStore } from '../store/fleet-store.ts';

export interface Dispatcher {
  /** An execution of this workspace has ended: the next of those that wait takes its place. Returns at once. */
  ended(workspaceId: string): void;
  /** The same for whoever wants to know how many it were. Rejects where the database or the queue does. */
  fill(workspaceId: string): Promise<number>;
  /** Resolves when nothing is under way any more. */
  close(): Promise<void>;
}

/** Gives the queue what a workspace's share has room for. What fails here is made good by the reconciler. */
export function createDispatcher(deps: {
  readonly fleet: Pick<FleetStore, 'dispatchNext'>;
  readonly queue: { add(executionIds: readonly string[]): Promise<void> };
  readonly share: () => number;
  readonly log: Logger;
}): Dispatcher {
  const { fleet, queue, share, log } = deps;
  /** Workspaces at work; true: something of theirs has ended since. */
  const atWork = new Map<string, boolean>();
  const underWay = new Set<Promise<void>>();

  return {
    ended(workspaceId) {
      if (atWork.has(workspaceId)) atWork.set(workspaceId, true);
      else {
        const run = work(workspaceId).finally(() => underWay.delete(run));
        underWay.add(run);
      }
    },
    fill,
    async close() {
      await Promise.all(underWay);
    },
  };

  async function work(workspaceId: string): Promise<void> {
    do {
      atWork.set(workspaceId, false);
      try {
        await fill(workspaceId);
      } catch (error) {
        log.warn({ workspaceId, reason: messageOf(error) }, 'The next executions could not be queued; the reconciler does it');
      }
    } while (atWork.get(workspaceId) === true);
    atWork.delete(workspaceId);
  }

  async function fill(workspaceId: string): Promise<number> {
    const ids = await fleet.dispatchNext(workspaceId, share());
    if (ids.length > 0) await queue.add(ids);
    return ids.length;
  }
}
