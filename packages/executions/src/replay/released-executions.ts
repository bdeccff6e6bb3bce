import { type Logger, messageOf } from '@code-executor/platform';

/** Executions of this process that wait for people without a sandbox. */
export interface ReleasedExecutions {
  /** `waitsFor`: approvals; when one of them is decided it is queued again. */
  add(executionId: string, waitsFor: readonly string[]): void;
  /** true: it was one, and is no more. */
  remove(executionId: string): boolean;
  close(): Promise<void>;
}

const LOOK_MS = 300;

export function createReleasedExecutions(options: {
  readonly decidedAmong: (approvalIds: readonly string[]) => Promise<readonly string[]>;
  readonly queueAgain: (executionId: string) => Promise<void>;
  readonly log: Logger;
}): ReleasedExecutions {
  const { decidedAmong, queueAgain, log } = options;
  const waiting = new Map<string, readonly string[]>();
  let looking: Promise<void> | null = null;
  const timer = setInterval(() => {
    if (waiting.size === 0) return;
    looking ??= look()
      .catch((error: unknown) => log.warn({ reason: messageOf(error) }, 'Decisions could not be looked for; trying again'))
      .finally(() => {
        looking = null;
      });
  }, LOOK_MS);
  timer.unref();

  return {
    add: (executionId, waitsFor) => void waiting.set(executionId, waitsFor),
    remove: (executionId) => waiting.delete(executionId),
    async close() {
      clearInterval(timer);
      await looking;
    },
  };

  async function look(): Promise<void> {
    const decided = new Set(await decidedAmong([...waiting.values()].flat()));
    for (const [executionId, waitsFor] of [...waiting]) {
      // What waits for nothing goes on, too: whatever it waited for is gone.
      if (waitsFor.length > 0 && !waitsFor.some((id) => decided.has(id))) continue;
      if (!waiting.delete(executionId)) continue;
      try {
        await queueAgain(executionId);
      } catch (error) {
        // Nobody else would look at it before the next start.
        waiting.set(executionId, waitsFor);
        throw error;
      }
    }
  }
}
