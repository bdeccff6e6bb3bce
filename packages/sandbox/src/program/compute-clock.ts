export interface ComputeClock {
  /** Time of pauses does not count. */
  elapsedMs(): number;
  pause(): void;
  resume(): void;
  stop(): void;
}

/** Counts the time a program computes and calls `onExpired` once when it has used `limitMs` of it. */
export function startComputeClock(limitMs: number, onExpired: () => void): ComputeClock {
  let used = 0;
  let since: number | null = performance.now();
  let timer: NodeJS.Timeout | undefined;

  const elapsedMs = (): number => used + (since === null ? 0 : performance.now() - since);
  const arm = (): void => {
    timer = setTimeout(onExpired, Math.max(0, limitMs - used));
  };
  const halt = (): void => {
    used = elapsedMs();
    since = null;
    clearTimeout(timer);
  };
  arm();
  return {
    elapsedMs,
    pause: halt,
    resume() {
      if (since !== null) return;
      since = performance.now();
      arm();
    },
    stop: halt,
  };
}
