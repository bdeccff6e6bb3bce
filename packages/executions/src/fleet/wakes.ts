/** Who wants to hear of which execution; a name may be waited for by many, and by nobody. */
export interface Wakes {
  wake(name: string): void;
  wakeAll(): void;
  /** Answers the way to stop listening. */
  listen(name: string, onWake: () => void): () => void;
}

export function createWakes(): Wakes {
  const listeners = new Map<string, Set<() => void>>();
  return {
    wake(name) {
      for (const onWake of listeners.get(name) ?? []) onWake();
    },
    wakeAll() {
      for (const each of listeners.values()) for (const onWake of each) onWake();
    },
    listen(name, onWake) {
      const here = listeners.get(name) ?? new Set();
      here.add(onWake);
      listeners.set(name, here);
      return () => {
        here.delete(onWake);
        if (here.size === 0 && listeners.get(name) === here) listeners.delete(name);
      };
    },
  };
}
