/** Lets few programs start at once, and workspaces by turns. */
export interface Turns {
  enter(workspaceId: string): Turn;
}

/** One program's way from waiting to where it has had its share of a start. */
export interface Turn {
  /** Resolves when it may start. Rejects with the signal's reason. */
  wait(signal: AbortSignal): Promise<void>;
  /** It waited for others of its own workspace. */
  readonly isOneOfMany: boolean;
  /** It runs: from here on it is either done soon, or long, which is no start any more. */
  running(): void;
  /** It has ended, or waits for something that is not the processor. */
  end(): void;
}

interface Waiting {
  readonly workspaceId: string;
  readonly begin: () => void;
}

/** A simple program is done by then; what takes longer sleeps, or computes at the lowest priority. */
const START_MS = 25;
/** A workspace that has asked for something is likely to ask again within this. */
const AT_WORK_MS = 1_000;
/** Processors that a program and what is done for it in the services keep busy. */
const LEFT_ALONE = 2;

/**
 * `atOnce` programs start at once, as many as there are processors; more of them only make each later, and with them whatever
 * else this machine does. Whose workspace has fewest among them comes next; those of a workspace in order. As many again may start of
 * workspaces that have none, so that one program never waits for the many of another workspace. For each other workspace that is at work
 * two of them are left alone, down to one: what starts at once is what the others' hops through every service wait for.
 */
export function createTurns(atOnce: number, now: () => number = () => performance.now()): Turns {
  const line: Waiting[] = [];
  const held = new Map<string, number>();
  /** When each workspace last entered; the latest last. */
  const atWork = new Map<string, number>();
  let taken = 0;

  return {
    enter(workspaceId) {
      forgetQuiet();
      atWork.delete(workspaceId);
      atWork.set(workspaceId, now());
      let state: 'new' | 'waiting' | 'taken' | 'over' = 'new';
      let isOneOfMany = false;
      let timer: NodeJS.Timeout | undefined;
      const end = (): void => {
        clearTimeout(timer);
        const had = state === 'taken';
        state = 'over';
        if (had) giveBack(workspaceId);
      };
      return {
        async wait(signal) {
          signal.throwIfAborted();
          if (state !== 'new') return;
          const turn = Promise.withResolvers<void>();
          const begin = (): void => {
            state = 'taken';
            turn.resolve();
          };
          const entry: Waiting = { workspaceId, begin };
          const leave = (): void => {
            const at = line.indexOf(entry);
            if (at < 0) return;
            line.splice(at, 1);
            state = 'over';
            turn.reject(signal.reason);
          };
          state = 'waiting';
          line.push(entry);
          signal.addEventListener('abort', leave, { once: true });
          next();
          isOneOfMany = line.includes(entry) && held.has(workspaceId);
          try {
            await turn.promise;
          } finally {
            signal.removeEventListener('abort', leave);
          }
        },
        get isOneOfMany() {
          return isOneOfMany;
        },
        running() {
          if (state === 'taken') timer = setTimeout(end, START_MS);
        },
        end,
      };
    },
  };

  function next(): void {
    for (;;) {
      const first = line.reduce<Waiting | undefined>(
        (best, each) => (best === undefined || count(each) < count(best) ? each : best),
        undefined,
      );
      if (first === undefined) return;
      if (count(first) > 0 && (taken >= atOnce || count(first) >= mostOf(first))) return;
      if (taken >= 2 * atOnce) return;
      line.splice(line.indexOf(first), 1);
      taken += 1;
      held.set(first.workspaceId, count(first) + 1);
      first.begin();
    }
  }

  function giveBack(workspaceId: string): void {
    taken -= 1;
    const left = (held.get(workspaceId) ?? 1) - 1;
    if (left > 0) held.set(workspaceId, left);
    else held.delete(workspaceId);
    next();
  }

  function mostOf({ workspaceId }: Waiting): number {
    forgetQuiet();
    const others = atWork.size - (atWork.has(workspaceId) ? 1 : 0);
    return Math.max(1, atOnce - LEFT_ALONE * others);
  }

  function forgetQuiet(): void {
    const since = now() - AT_WORK_MS;
    for (const [id, enteredMs] of atWork) {
      if (enteredMs >= since) return;
      atWork.delete(id);
    }
  }

  function count({ workspaceId }: Waiting): number {
    return held.get(workspaceId) ?? 0;
  }
}
