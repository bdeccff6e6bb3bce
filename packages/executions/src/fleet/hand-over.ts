import { type Logger, messageOf } from '@code-executor/platform';
import type { WorkerReport } from '../ledger/port.ts';
import { takeChannel } from '../live-stream/fleet-channels.ts';

/** What was handed over and is not known to have ended counts against its worker for so long; then the worker's own report has it. */
const COUNTED_MS = 10_000;
/** A claim comes within milliseconds; after this its row is looked at. */
const UNCLAIMED_MS = 250;
const LOOK_MS = 100;
/** A worker that did not claim what it was told of is told of nothing for so long. */
const DISTRUST_MS = 5_000;
/** So much of its slots a worker fills past the queue. While others are free nothing waits in the queue: it would be taken. */
export const MOST_HANDED = 0.75;

/** Tells a worker that has room of an execution, past the queue. */
export interface HandOver {
  /** false: nobody has room enough, as far as is known here, or it did not hear: the queue is to have it. Never rejects. */
  tell(executionId: string): Promise<boolean>;
  /** It has ended, or will not exist. */
  forget(executionId: string): void;
  close(): void;
}

interface Told {
  readonly workerId: string;
  readonly atMs: number;
  isClaimed: boolean;
}

/**
 * While a worker has a quarter of its slots free an execution needs no queue: one is told its id, by a channel to which it alone
 * listens. What nobody has heard, or has heard and not claimed within moments, is queued.
 */
export function createHandOver(deps: {
  readonly reports: () => readonly WorkerReport[];
  /** Answers how many have heard it. */
  readonly publish: (channel: string, message: string) => Promise<number>;
  /** Which of them are dispatched and were claimed by nobody. */
  readonly unclaimedAmong: (executionIds: readonly string[]) => Promise<string[]>;
  readonly queue: { add(executionIds: readonly string[]): Promise<void> };
  readonly log: Logger;
}): HandOver {
  const { reports, publish, unclaimedAmong, queue, log } = deps;
  const told = new Map<string, Told>();
  const distrustedUntilMs = new Map<string, number>();
  const timer = setInterval(look, LOOK_MS);

  return {
    async tell(executionId) {
      const workerId = roomiest();
      if (workerId === null) return false;
      told.set(executionId, { workerId, atMs: performance.now(), isClaimed: false });
      try {
        if ((await publish(takeChannel(workerId), executionId)) > 0) return true;
      } catch (error) {
        log.debug({ executionId, reason: messageOf(error) }, 'An execution could not be handed over');
      }
      told.delete(executionId);
      return false;
    },
    forget: (executionId) => void told.delete(executionId),
    close: () => clearInterval(timer),
  };

  function roomiest(): string | null {
    const nowMs = performance.now();
    const held = new Map<string, number>();
    for (const { workerId } of told.values()) held.set(workerId, (held.get(workerId) ?? 0) + 1);
    let best: { readonly workerId: string; readonly free: number } | null = null;
    for (const { workerId, slots, running, draining } of reports()) {
      const free = (slots - Math.max(running, held.get(workerId) ?? 0)) / slots;
      if (draining || (distrustedUntilMs.get(workerId) ?? 0) > nowMs) continue;
      if (free >= 1 - MOST_HANDED && free > (best?.free ?? 0)) best = { workerId, free };
    }
    return best?.workerId ?? null;
  }

  function look(): void {
    const nowMs = performance.now();
    const due: string[] = [];
    for (const [executionId, one] of told) {
      if (nowMs - one.atMs >= COUNTED_MS) told.delete(executionId);
      else if (!one.isClaimed && nowMs - one.atMs >= UNCLAIMED_MS) {
        one.isClaimed = true;
        due.push(executionId);
      }
    }
    for (const [workerId, untilMs] of distrustedUntilMs) if (untilMs <= nowMs) distrustedUntilMs.delete(workerId);
    if (due.length === 0) return;
    queueUnclaimed(due).catch((error: unknown) =>
      log.info({ reason: messageOf(error) }, 'Whether executions were claimed cannot be seen; the reconciler looks'),
    );
  }

  async function queueUnclaimed(due: readonly string[]): Promise<void> {
    const unclaimed = await unclaimedAmong(due);
    if (unclaimed.length === 0) return;
    for (const executionId of unclaimed) {
      const workerId = told.get(executionId)?.workerId;
      if (workerId !== undefined) distrustedUntilMs.set(workerId, performance.now() + DISTRUST_MS);
      told.delete(executionId);
    }
    await queue.add(unclaimed);
    log.info({ executions: unclaimed.length }, 'Executions that were handed over and not claimed were queued');
  }
}
