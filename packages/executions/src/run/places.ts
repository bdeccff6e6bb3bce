/** Places of a queue: taken while an execution runs, given back while it waits for a person, and not asked for again when it goes on. */
export interface Places {
  /** The queue's handler: resolves when it has ended or is paused. */
  take(executionId: string): Promise<void>;
  /** Executions that are under way without a place. */
  outside(): number;
  /** Resolves when none is under way any more. */
  idle(): Promise<void>;
}

export function createPlaces(take: (executionId: string, onPaused: () => void) => Promise<void>): Places {
  const outside = new Set<Promise<void>>();
  return {
    async take(executionId) {
      const { promise: paused, resolve } = Promise.withResolvers<void>();
      const work = take(executionId, () => {
        if (!outside.has(work)) outside.add(work);
        resolve();
      }).finally(() => outside.delete(work));
      await Promise.race([work, paused]);
    },
    outside: () => outside.size,
    async idle() {
      await Promise.all(outside);
    },
  };
}
