import { type Logger, messageOf } from '@code-executor/platform';
import type { FleetStore } from '../store/fleet-store.ts';

export interface Dispatcher {
  /**
   * An execution of this workspace has ended: the next of those that wait takes its place. Returns at once. `othersWait` false: none did
   * when it ended, so that a look somewhat later is enough.
   */
  ended(workspaceId: string, othersWait?: boolean): void;
  /** The same for whoever wants to know how many it were. Rejects where the database or the queue does. */
  fill(workspaceId: string): Promise<number>;
  /** Resolves when nothing is under way any more. */
  close(): Promise<void>;
}

/** One that came to wait while another ended is found by then, and the answer of the one that ended is sent. */
const LATER_MS = 20;
/** Ends of so much of a share are made good together: what is still in flight of it keeps the workers busy meanwhile. */
const GATHERED = 0.25;
const GATHER_MS = 50;

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
  const later = new Map<string, NodeJS.Timeout>();
  /** Ends since the workspace was last filled. */
  const places = new Map<string, number>();

  return {
    ended(workspaceId, othersWait = true) {
      const free = (places.get(workspaceId) ?? 0) + 1;
      places.set(workspaceId, free);
      if (othersWait && free >= Math.floor(GATHERED * share())) startNow(workspaceId);
      else if (!later.has(workspaceId)) later.set(workspaceId, setTimeout(startNow, othersWait ? GATHER_MS : LATER_MS, workspaceId));
    },
    fill,
    async close() {
      for (const timer of later.values()) clearTimeout(timer);
      await Promise.all(underWay);
    },
  };

  function startNow(workspaceId: string): void {
    clearTimeout(later.get(workspaceId));
    later.delete(workspaceId);
    places.delete(workspaceId);
    if (atWork.has(workspaceId)) atWork.set(workspaceId, true);
    else {
      const run = work(workspaceId).finally(() => underWay.delete(run));
      underWay.add(run);
    }
  }

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
