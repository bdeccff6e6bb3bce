import { messageOf } from '@code-executor/platform';
import type { Sandbox, SandboxAdapter, SandboxSpec } from '../port.ts';
import { type SandboxPool, type SandboxPoolOptions, sameLimits } from './sandbox-pool.ts';

export interface SparesOptions extends Pick<SandboxPoolOptions, 'limits' | 'log'> {
  readonly adapter: SandboxAdapter;
  /** Whether these are the newest wrappers of a workspace that the pool itself is not for. */
  readonly isNewest: (snapshotDir: string) => boolean;
  readonly maximum?: number | undefined;
  readonly idleMs?: number | undefined;
}

const MAXIMUM = 4;
const IDLE_MS = 60_000;
/** After a program's end its answer is still to be written and sent. */
const ANSWER_MS = 10;

/**
 * The pool with a sandbox kept ready, besides, for each workspace that has just run something: one, of its last runtime and with its own
 * wrappers, for a minute. A sandbox is booted with the wrappers of one workspace and never given to another.
 */
export function withSpares(pool: SandboxPool, options: SparesOptions): SandboxPool {
  const { adapter, limits, isNewest, log, maximum = MAXIMUM, idleMs = IDLE_MS } = options;
  const closing = new AbortController();
  /** By what they see. Least recently wanted first. */
  const spares = new Map<string, Sandbox>();
  const booting = new Map<string, Promise<void>>();
  /** Who takes the one that is being booted; null: there will be none. */
  const awaited = new Map<string, (spare: Sandbox | null) => void>();
  const timers = new Map<string, NodeJS.Timeout>();
  const ending = new Set<Promise<unknown>>();
  let hits = 0;

  return {
    async claim(spec, signal) {
      if (!mayHaveSpare(spec)) return await pool.claim(spec, signal);
      const key = keyOf(spec);
      const spare = take(key) ?? (await coming(key, signal));
      if (spare !== null) hits += 1;
      const claimed = spare === null ? await pool.claim(spec, signal) : { sandbox: spare, warm: true };
      void claimed.sandbox.ended.then(() => setTimeout(() => prepare(key, spec), ANSWER_MS).unref());
      return claimed;
    },
    retarget: pool.retarget,
    stats() {
      const stats = pool.stats();
      return { ...stats, hits: stats.hits + hits };
    },
    async close() {
      closing.abort(new Error('the pool is closing'));
      for (const key of [...spares.keys()]) drop(key);
      await Promise.all([...booting.values(), ...ending]);
      await pool.close();
    },
  };

  function mayHaveSpare({ snapshotDir, limits: wanted }: SandboxSpec): boolean {
    return snapshotDir !== null && limits !== undefined && sameLimits(wanted, limits) && isNewest(snapshotDir);
  }

  function take(key: string): Sandbox | null {
    const spare = spares.get(key) ?? null;
    forget(key);
    return spare;
  }

  /** The one that is being booted, unless somebody waits for it already: it is ahead of any that would be begun now. */
  function coming(key: string, signal: AbortSignal): Promise<Sandbox | null> {
    signal.throwIfAborted();
    if (!booting.has(key) || awaited.has(key)) return Promise.resolve(null);
    const { promise, resolve, reject } = Promise.withResolvers<Sandbox | null>();
    const leave = (): void => {
      awaited.delete(key);
      reject(signal.reason);
    };
    signal.addEventListener('abort', leave, { once: true });
    awaited.set(key, (spare) => {
      awaited.delete(key);
      signal.removeEventListener('abort', leave);
      resolve(spare);
    });
    return promise;
  }

  /** Not while its wrappers are old already, nor where there is one. */
  function prepare(key: string, spec: SandboxSpec): void {
    if (closing.signal.aborted || spares.has(key) || booting.has(key) || booting.size >= maximum || !mayHaveSpare(spec)) return;
    const work = boot(key, spec)
      .catch((error: unknown) => {
        if (!closing.signal.aborted) log.warn({ runtime: spec.runtime, error: messageOf(error) }, 'a spare sandbox did not boot');
      })
      .finally(() => {
        booting.delete(key);
        awaited.get(key)?.(null);
      });
    booting.set(key, work);
  }

  async function boot(key: string, spec: SandboxSpec): Promise<void> {
    const sandbox = await adapter.boot({ ...spec, waits: true }, closing.signal);
    if (closing.signal.aborted || !mayHaveSpare(spec)) return destroy(sandbox);
    const taker = awaited.get(key);
    if (taker !== undefined) return taker(sandbox);
    for (const oldest of spares.keys()) {
      if (spares.size < maximum) break;
      drop(oldest);
    }
    spares.set(key, sandbox);
    timers.set(key, setTimeout(() => drop(key), idleMs).unref());
    void sandbox.ended.then(() => {
      if (spares.get(key) === sandbox) forget(key);
    });
  }

  function drop(key: string): void {
    const spare = take(key);
    if (spare !== null) destroy(spare);
  }

  function forget(key: string): void {
    spares.delete(key);
    clearTimeout(timers.get(key));
    timers.delete(key);
  }

  function destroy(sandbox: Sandbox): void {
    sandbox.channel.close();
    sandbox.kill();
    const end = sandbox.ended.finally(() => ending.delete(end));
    ending.add(end);
  }
}

const keyOf = ({ runtime, snapshotDir }: SandboxSpec): string => `${runtime} ${snapshotDir}`;
