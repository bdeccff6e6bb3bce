import { type Logger, messageOf } from '@code-executor/platform';
import type { StoredExecution } from '../read-executions.ts';
import type { Visibility } from '../store/execution-store.ts';
import { isVisible } from '../visibility.ts';

/** How soon an end is found whose message was lost; the message comes within a millisecond or two. */
const LOOK_MS = 1_000;
/** While no messages come. */
const LOOK_ALONE_MS = 200;
const LOOK_MAXIMUM = 1_000;

export interface Endings {
  /** From here on its end is noticed, be it before anybody waits. Call before the execution can end. */
  expect(execution: Expected): void;
  /** It will not exist after all. */
  forget(executionId: string): void;
  /** true: it was expected here and may be seen, so that its end cannot have been missed; false: look at the row first. */
  watches(executionId: string, visible: Visibility): boolean;
  /** Resolves when its row shows its end: with what was written, where that was told, or else with null. Rejects with the signal's reason. */
  wait(executionId: string, signal: AbortSignal): Promise<StoredExecution | null>;
  /** Somebody says that it has ended, and perhaps how. */
  ended(executionId: string, stored?: StoredExecution | null): void;
  /** Messages may have been missed. */
  lookAtAll(): void;
  close(): void;
}

interface Expected {
  readonly id: string;
  readonly workspaceId: string;
  readonly principalId: string;
}

interface Awaited {
  /** null: somebody waits for it who found it elsewhere. */
  readonly expected: Expected | null;
  ended: boolean;
  stored: StoredExecution | null;
  readonly wakers: Set<() => void>;
}

/**
 * Who waits for which end. A message on `executor:ended` wakes them; since messages get lost, one query a second asks for
 * all that are waited for.
 */
export function createEndings(options: {
  readonly endedAmong: (ids: readonly string[]) => Promise<string[]>;
  /** false: no messages come at the moment. */
  readonly connected: () => boolean;
  readonly log: Logger;
}): Endings {
  const { endedAmong, connected, log } = options;
  const awaited = new Map<string, Awaited>();
  let closed = false;
  let lookedAtMs = 0;
  let looking = false;
  const timer = setInterval(() => {
    if (performance.now() - lookedAtMs >= (connected() ? LOOK_MS : LOOK_ALONE_MS)) lookAtAll();
  }, LOOK_ALONE_MS);

  return {
    expect: (execution) => void awaited.set(execution.id, { expected: execution, ended: false, stored: null, wakers: new Set() }),
    forget: (executionId) => void awaited.delete(executionId),
    watches(executionId, visible) {
      const expected = awaited.get(executionId)?.expected;
      return expected !== undefined && expected !== null && isVisible(visible, expected);
    },
    async wait(executionId, signal) {
      signal.throwIfAborted();
      const entry = entryOf(executionId);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const onAbort = (): void => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      entry.wakers.add(resolve);
      try {
        if (!entry.ended) await promise;
        return entry.stored;
      } finally {
        signal.removeEventListener('abort', onAbort);
        entry.wakers.delete(resolve);
        const abandoned = entry.wakers.size === 0 && entry.expected === null;
        if (abandoned && awaited.get(executionId) === entry) awaited.delete(executionId);
      }
    },
    ended,
    lookAtAll,
    close() {
      closed = true;
      clearInterval(timer);
    },
  };

  function entryOf(executionId: string): Awaited {
    const known = awaited.get(executionId);
    if (known !== undefined) return known;
    const entry: Awaited = { expected: null, ended: false, stored: null, wakers: new Set() };
    awaited.set(executionId, entry);
    return entry;
  }

  function ended(executionId: string, stored: StoredExecution | null = null): void {
    const entry = awaited.get(executionId);
    if (entry === undefined) return;
    entry.ended = true;
    entry.stored = stored;
    // Whoever comes later looks at the row.
    awaited.delete(executionId);
    for (const wake of entry.wakers) wake();
  }

  function lookAtAll(): void {
    if (looking || closed || awaited.size === 0) return;
    looking = true;
    lookedAtMs = performance.now();
    look([...awaited.keys()]).then(
      () => {
        looking = false;
      },
      (error: unknown) => {
        looking = false;
        log.warn({ reason: messageOf(error), waiting: awaited.size }, 'The rows that are waited for cannot be read');
      },
    );
  }

  async function look(ids: readonly string[]): Promise<void> {
    for (let start = 0; start < ids.length && !closed; start += LOOK_MAXIMUM) {
      for (const id of await endedAmong(ids.slice(start, start + LOOK_MAXIMUM))) ended(id);
    }
  }
}
