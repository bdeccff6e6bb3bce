import { RUNTIMES, type Runtime } from '@code-executor/contracts';
import { AppError, type Logger, messageOf } from '@code-executor/platform';
import { DEFAULT_LIMITS, type Sandbox, type SandboxAdapter, type SandboxLimits, type SandboxSpec } from '../port.ts';
import { createTurns } from './turns.ts';

export interface SandboxPoolOptions {
  readonly adapter: SandboxAdapter;
  /** How many booted sandboxes of each runtime are kept ready; a runtime that is not named is always booted on demand. */
  readonly targets: Readonly<Partial<Record<Runtime, number>>>;
  /** The snapshot that pooled sandboxes see until `retarget` names another. */
  readonly snapshotDir?: string | null | undefined;
  /** What pooled sandboxes are booted with. */
  readonly limits?: SandboxLimits | undefined;
  readonly log: Pick<Logger, 'warn'>;
}

export interface SandboxPoolStats {
  readonly warm: Readonly<Record<Runtime, number>>;
  readonly target: Readonly<Record<Runtime, number>>;
  /** Claims served by a sandbox that was ready, and claims that had to boot one. */
  readonly hits: number;
  readonly misses: number;
  readonly bootFailures: number;
  /** Of the latest boot that failed; null again as soon as one succeeds. */
  readonly lastBootError: string | null;
}

export interface SandboxPool {
  /**
   * One booted sandbox, which is the caller's from now on. Only the default limits and the current snapshot are kept ready;
   * anything else, and an empty pool, costs a boot. Half of the stock is kept from those that yield. Throws AppError SANDBOX_UNAVAILABLE.
   */
  claim(spec: SandboxSpec, signal: AbortSignal): Promise<{ readonly sandbox: Sandbox; readonly warm: boolean }>;
  /** Pooled sandboxes see this snapshot from now on; idle ones with another are destroyed, claimed ones untouched. */
  retarget(snapshotDir: string | null): void;
  stats(): SandboxPoolStats;
  /** Destroys every idle sandbox and resolves when they are gone. The adapter stays open. */
  close(): Promise<void>;
}

export function createSandboxPool({ adapter, targets, log, ...options }: SandboxPoolOptions): SandboxPool {
  const idle: Record<Runtime, Sandbox[]> = { typescript: [], python: [], node: [] };
  const refilling: Record<Runtime, number> = { typescript: 0, python: 0, node: 0 };
  const claims = createTurns(COLD_BOOTS_AT_ONCE);
  const closing = new AbortController();
  const underway = new Set<Promise<unknown>>();
  let snapshotDir = options.snapshotDir ?? null;
  const limits = options.limits ?? DEFAULT_LIMITS;
  /** Claimed from stock and not ended yet. */
  let running = 0;
  /** Boots of those that yield. */
  let yielding = 0;
  let hits = 0;
  let misses = 0;
  let bootFailures = 0;
  let failuresInARow = 0;
  let lastBootError: string | null = null;
  let timer: NodeJS.Timeout | undefined;
  let waitUntil = 0;

  const target = (runtime: Runtime): number => targets[runtime] ?? 0;
  const missing = (runtime: Runtime): number => target(runtime) - idle[runtime].length - refilling[runtime];
  const boot = async (spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> => {
    try {
      const sandbox = await adapter.boot(spec, signal);
      failuresInARow = 0;
      lastBootError = null;
      return sandbox;
    } catch (error) {
      if (!signal.aborted) fail(messageOf(error));
      throw error;
    }
  };
  const fail = (message: string): void => {
    bootFailures += 1;
    lastBootError = message;
    // Sandboxes that die together, with the launcher say, are one failure.
    if (performance.now() < waitUntil) return;
    waitUntil = performance.now() + Math.min(BACK_OFF_FIRST_MS * 2 ** failuresInARow, BACK_OFF_LAST_MS);
    failuresInARow += 1;
  };

  /** Starts what may be started now and comes back for the rest. */
  const refill = (): void => {
    if (closing.signal.aborted) return;
    clearTimeout(timer);
    const waitMs = waitUntil - performance.now();
    if (waitMs > 0) {
      timer = setTimeout(refill, Math.ceil(waitMs)).unref();
      return;
    }
    const isScarce = (runtime: Runtime): boolean => 2 * (idle[runtime].length + refilling[runtime]) < target(runtime);
    while (claims.busy === 0 && total(refilling) < (yielding === 0 ? REFILLS_AT_ONCE : 1)) {
      const runtime = [...RUNTIMES]
        .sort((one, other) => missing(other) / target(other) - missing(one) / target(one))
        .find((each) => missing(each) > 0 && (yielding === 0 || isScarce(each)));
      if (runtime === undefined) return;
      const work = bootIdle(runtime);
      underway.add(work);
      void work.finally(() => underway.delete(work));
    }
  };
  /** While there is stock, programs that run get the processors first; a boot beside one doubles its time. */
  const refillInTime = (whenIdleMs: number): void => {
    if (closing.signal.aborted) return;
    const scarce = RUNTIMES.some((runtime) => idle[runtime].length * 2 < target(runtime));
    clearTimeout(timer);
    if (scarce) refill();
    else timer = setTimeout(refill, running === 0 ? whenIdleMs : LONGEST_DELAY_MS).unref();
  };
  const bootIdle = async (runtime: Runtime): Promise<void> => {
    refilling[runtime] += 1;
    const spec: SandboxSpec = { runtime, snapshotDir, limits, waits: true };
    try {
      const sandbox = await boot(spec, closing.signal);
      if (closing.signal.aborted || spec.snapshotDir !== snapshotDir) await destroy(sandbox);
      else keep(sandbox);
    } catch (error) {
      if (!closing.signal.aborted) log.warn({ runtime, error: messageOf(error) }, 'a pooled sandbox did not boot');
    } finally {
      refilling[runtime] -= 1;
      // In a turn of its own, so that a boot that fails at once does not recurse.
      setImmediate(refillInTime, 0);
    }
  };
  /** Whoever claims these bounds how many there are; the stock is filled beside them as far as the others need it. */
  const bootYielding = async (spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> => {
    yielding += 1;
    try {
      return await boot(spec, signal);
    } finally {
      yielding -= 1;
      if (yielding === 0) setImmediate(refill);
    }
  };
  const keep = (sandbox: Sandbox): void => {
    const { runtime } = sandbox.spec;
    idle[runtime].push(sandbox);
    void sandbox.ended.then(() => {
      const at = idle[runtime].indexOf(sandbox);
      if (at < 0) return;
      idle[runtime].splice(at, 1);
      fail('an idle sandbox died');
      log.warn({ runtime, sandbox: sandbox.id }, 'an idle sandbox died');
      refill();
    });
  };
  const destroyIdle = async (): Promise<void> => {
    await Promise.all(RUNTIMES.flatMap((runtime) => idle[runtime].splice(0).map(destroy)));
  };

  refill();
  return {
    async claim(spec, signal) {
      if (closing.signal.aborted) throw new AppError('SANDBOX_UNAVAILABLE', 'The sandbox pool is closed');
      signal.throwIfAborted();
      const pooled = spec.snapshotDir === snapshotDir && sameLimits(spec.limits, limits);
      const kept = spec.yields ? target(spec.runtime) / 2 : 0;
      const sandbox = pooled && idle[spec.runtime].length > kept ? idle[spec.runtime].shift() : undefined;
      if (sandbox !== undefined) {
        hits += 1;
        running += 1;
        void sandbox.ended.then(() => {
          running -= 1;
          refillInTime(ANSWER_MS);
        });
        refillInTime(0);
        return { sandbox, warm: true };
      }
      misses += 1;
      if (spec.yields) return { sandbox: await bootYielding(spec, signal), warm: false };
      const done = await claims.take(signal);
      try {
        return { sandbox: await boot(spec, signal), warm: false };
      } finally {
        done();
        if (claims.busy === 0) setImmediate(refill);
      }
    },
    retarget(next) {
      if (next === snapshotDir) return;
      snapshotDir = next;
      const work = destroyIdle();
      underway.add(work);
      void work.finally(() => underway.delete(work));
      refill();
    },
    stats: () => ({
      warm: { typescript: idle.typescript.length, python: idle.python.length, node: idle.node.length },
      target: { typescript: target('typescript'), python: target('python'), node: target('node') },
      hits,
      misses,
      bootFailures,
      lastBootError,
    }),
    async close() {
      closing.abort(new Error('the pool is closing'));
      clearTimeout(timer);
      await Promise.all([...underway, destroyIdle()]);
    },
  };
}

/** More at once only makes each of them later. */
const COLD_BOOTS_AT_ONCE = 4;
const REFILLS_AT_ONCE = 2;
/** After a program's end its answer is still to be written and sent. */
const ANSWER_MS = 6;
/** A program that runs longer than this must not keep the pool from being filled. */
const LONGEST_DELAY_MS = 50;
const BACK_OFF_FIRST_MS = 100;
const BACK_OFF_LAST_MS = 10_000;

async function destroy(sandbox: Sandbox): Promise<void> {
  sandbox.channel.close();
  sandbox.kill();
  await sandbox.ended;
}

const total = (counts: Readonly<Record<Runtime, number>>): number => counts.typescript + counts.python + counts.node;

export function sameLimits(one: SandboxLimits, other: SandboxLimits): boolean {
  return (
    one === other ||
    (one.memoryMb === other.memoryMb &&
      one.processes === other.processes &&
      one.openFiles === other.openFiles &&
      one.fileSizeMb === other.fileSizeMb &&
      one.workspaceMb === other.workspaceMb &&
      one.tmpMb === other.tmpMb &&
      one.shmMb === other.shmMb &&
      one.inodes === other.inodes)
  );
}
