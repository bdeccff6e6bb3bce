import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger, messageOf } from '@code-executor/platform';
import type { ExecutionLedger, HeldExecution, WorkerReport } from '../ledger/port.ts';

export interface LeaseKeeperOptions {
  readonly ledger: Pick<ExecutionLedger, 'renew'>;
  readonly report: () => WorkerReport;
  /** How long a claim or a renewal holds, as the ledger counts it. */
  readonly leaseMs: number;
  /** A claim that was not renewed for so long is given up, whatever the ledger will say. */
  readonly giveUpAfterMs: number;
  readonly renewEveryMs: number;
  readonly log: Logger;
  /** The claim is void: stop its program, write nothing. */
  readonly onLost: (executionId: string, reason: string) => void;
  readonly onCancelled: (executionId: string) => void;
  /** Approvals that its executions wait for are decided. */
  readonly onDecided: (approvalIds: readonly string[]) => void;
  readonly onCatalogVersion: (version: string) => void;
}

export interface LeaseKeeper {
  start(): void;
  /** `askedAtMs`: `performance.now()` before the claim was sent, since the lease may run from then on. */
  add(held: HeldExecution, askedAtMs: number): void;
  /** false: it is lost. */
  has(executionId: string): boolean;
  /**
   * Whether the claim holds: at once where it was renewed within the lease. Where it was not, because the ledger was away or
   * this process stood still (SIGSTOP, a paused machine), the next renewal says. Throws the signal's reason.
   */
  whenHeld(executionId: string, signal: AbortSignal): Promise<boolean>;
  /** The proxy says it has run out: it counts as held again once a renewal has succeeded. */
  doubt(executionId: string): void;
  /** Its program has ended: its claim is worth keeping until its end is written. */
  finishing(executionId: string): void;
  remove(executionId: string): void;
  /** The ledger refused it elsewhere. */
  lose(executionId: string, reason: string): void;
  /** `performance.now()` when the last renewal that succeeded was sent; null: none yet. */
  renewedAtMs(): number | null;
  /** Resolves when the ledger answers: at once where it did within the lease. Throws the signal's reason. */
  untilRenewed(signal: AbortSignal): Promise<void>;
  lost(): number;
  stop(): Promise<void>;
}

interface Lease extends HeldExecution {
  heldUntilMs: number;
  isFinishing: boolean;
}

const RETRY_MS = 200;
const SWEEP_MS = 250;
const LOOK_MS = 20;

/**
 * Renews all leases of this worker with one request a second. A lease that ran out is not lost yet: it was not judged while the
 * ledger could not be reached, and may be renewed. Nothing is dispatched meanwhile, and the ledger's word is what stops a program.
 */
export function createLeaseKeeper(options: LeaseKeeperOptions): LeaseKeeper {
  const { ledger, report, leaseMs, giveUpAfterMs, renewEveryMs, log, onLost, onCancelled, onDecided, onCatalogVersion } = options;
  const leases = new Map<string, Lease>();
  let renewedAtMs: number | null = null;
  let lostCount = 0;
  let isFailing = false;
  let isStopped = false;
  let renewTimer: NodeJS.Timeout | undefined;
  let sweepTimer: NodeJS.Timeout | undefined;
  let underWay: Promise<void> = Promise.resolve();

  return {
    start() {
      sweepTimer = setInterval(sweep, SWEEP_MS);
      renewSoon(0);
    },
    add({ executionId, token }, askedAtMs) {
      leases.set(executionId, { executionId, token, heldUntilMs: askedAtMs + leaseMs, isFinishing: false });
    },
    has: (executionId) => leases.has(executionId),
    async whenHeld(executionId, signal) {
      for (;;) {
        const lease = leases.get(executionId);
        if (lease === undefined) return false;
        if (performance.now() < lease.heldUntilMs) return true;
        await sleep(LOOK_MS, undefined, { signal });
      }
    },
    doubt(executionId) {
      const lease = leases.get(executionId);
      if (lease !== undefined) lease.heldUntilMs = Math.min(lease.heldUntilMs, performance.now());
    },
    finishing(executionId) {
      const lease = leases.get(executionId);
      if (lease !== undefined) lease.isFinishing = true;
    },
    remove: (executionId) => void leases.delete(executionId),
    lose,
    renewedAtMs: () => renewedAtMs,
    async untilRenewed(signal) {
      while (renewedAtMs === null || performance.now() - renewedAtMs >= leaseMs) await sleep(LOOK_MS, undefined, { signal });
    },
    lost: () => lostCount,
    async stop() {
      isStopped = true;
      clearTimeout(renewTimer);
      clearInterval(sweepTimer);
      await underWay;
      // The last word of this worker: it holds nothing and takes nothing.
      if (renewedAtMs !== null) await renew();
    },
  };

  function renewSoon(delayMs: number): void {
    if (isStopped) return;
    renewTimer = setTimeout(() => {
      const startedAtMs = performance.now();
      underWay = renew().then((renewed) => {
        renewSoon(renewed ? Math.max(0, renewEveryMs - (performance.now() - startedAtMs)) : RETRY_MS);
      });
    }, delayMs);
  }

  async function renew(): Promise<boolean> {
    const askedAtMs = performance.now();
    const held = [...leases.values()].map(({ executionId, token }) => ({ executionId, token }));
    try {
      const { lost, cancelled, decided, catalogVersion } = await ledger.renew(report(), held);
      renewedAtMs = askedAtMs;
      for (const { executionId, token } of held) {
        const lease = leases.get(executionId);
        if (lease?.token === token) lease.heldUntilMs = Math.max(lease.heldUntilMs, askedAtMs + leaseMs);
      }
      for (const executionId of lost) lose(executionId, 'the ledger says that it is not ours any more');
      for (const executionId of cancelled) onCancelled(executionId);
      if (decided.length > 0) onDecided(decided);
      onCatalogVersion(catalogVersion);
      if (isFailing) log.info({ held: held.length }, 'Leases are renewed again');
      isFailing = false;
      return true;
    } catch (error) {
      if (!isFailing) log.warn({ reason: messageOf(error), held: held.length }, 'Leases could not be renewed; trying on');
      isFailing = true;
      return false;
    }
  }

  function sweep(): void {
    const beforeMs = performance.now() - (giveUpAfterMs - leaseMs);
    for (const { executionId, heldUntilMs, isFinishing } of [...leases.values()]) {
      if (!isFinishing && heldUntilMs < beforeMs) lose(executionId, 'the ledger could not be asked for too long');
    }
  }

  function lose(executionId: string, reason: string): void {
    const lease = leases.get(executionId);
    if (lease === undefined) return;
    leases.delete(executionId);
    // Its program has ended, and so may the execution have: the answer to its end says what became of it.
    if (lease.isFinishing) return;
    lostCount += 1;
    onLost(executionId, reason);
  }
}
