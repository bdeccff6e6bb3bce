/** Lets a few go at once and the others wait in line. */
export interface Turns {
  /** Resolves when it is the caller's turn, with what ends the turn. Rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<() => void>;
  /** Those whose turn it is, and those in line. */
  readonly busy: number;
}

export function createTurns(atOnce: number): Turns {
  const line: (() => void)[] = [];
  let taken = 0;

  const next = (): void => {
    while (taken < atOnce && line.length > 0) {
      taken += 1;
      line.shift()?.();
    }
  };
  const end = (): void => {
    taken -= 1;
    next();
  };

  return {
    async take(signal) {
      signal.throwIfAborted();
      const turn = Promise.withResolvers<void>();
      const leave = (): void => {
        const at = line.indexOf(turn.resolve);
        if (at >= 0) line.splice(at, 1);
        turn.reject(signal.reason);
      };
      line.push(turn.resolve);
      signal.addEventListener('abort', leave, { once: true });
      try {
        next();
        await turn.promise;
      } finally {
        signal.removeEventListener('abort', leave);
      }
      return once(end);
    },
    get busy() {
      return taken + line.length;
    },
  };
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}
