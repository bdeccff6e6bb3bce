import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Runs `act` for any number of triggers: one run at a time, at most one more waiting, at least `gapMs` between two starts.
 * `act` must not reject.
 */
export function coalesce(act: () => Promise<void>, gapMs: number, signal: AbortSignal): { trigger(): void } {
  let isRunning = false;
  let isWanted = false;
  const run = async (): Promise<void> => {
    isRunning = true;
    while (isWanted && !signal.aborted) {
      isWanted = false;
      await Promise.all([act(), sleep(gapMs, undefined, { signal, ref: false }).catch(() => undefined)]);
    }
    isRunning = false;
  };
  return {
    trigger() {
      isWanted = true;
      if (!isRunning) void run();
    },
  };
}
