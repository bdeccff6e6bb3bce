/** Who waits for which id. */
export interface Waiters {
  /** Rejects with the signal's reason. */
  wait(id: string, signal: AbortSignal): Promise<void>;
  wake(ids: readonly string[]): void;
}

export function createWaiters(): Waiters {
  const waiting = new Map<string, Set<() => void>>();
  return {
    async wait(id, signal) {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const onAbort = (): void => reject(signal.reason);
      const wakers = waiting.get(id) ?? new Set();
      waiting.set(id, wakers.add(resolve));
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        await promise;
      } finally {
        signal.removeEventListener('abort', onAbort);
        wakers.delete(resolve);
        if (wakers.size === 0 && waiting.get(id) === wakers) waiting.delete(id);
      }
    },
    wake(ids) {
      for (const id of ids) for (const resolve of waiting.get(id) ?? []) resolve();
    },
  };
}
