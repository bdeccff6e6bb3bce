import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosFleet, Store } from './chaos-fleet.ts';
import type { Random } from './random.ts';
import type { ServiceProcess } from './service-process.ts';

export const FAULT_KINDS = [
  'kill gateway',
  'kill worker',
  'kill mcp-proxy',
  'kill redis',
  'kill postgres',
  'freeze gateway',
  'freeze worker',
  'freeze mcp-proxy',
  'freeze redis',
  'freeze postgres',
  'terminate gateway',
  'terminate worker',
  'terminate mcp-proxy',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  readonly what: string;
  /** From when its recovery counts: nothing recovers while the only one of its kind is frozen. */
  readonly countsFrom: 'begin' | 'end';
  /** Resolves when it has struck. */
  begin(): Promise<void>;
  /** Waits as long as the fault lasts, and puts right what an orchestrator would; resolves when that is done. */
  end(): Promise<void>;
}

/** What an orchestrator takes to start a dead container again. */
const RESTART_MS = [300, 1_000] as const;
const FROZEN_MS = 3_000;
/** Above the lease of four seconds: it wakes when what it ran was judged. */
const WORKER_FROZEN_MS = [6_000, 8_000] as const;

/** As many as are asked for, each kind as often as any other, in an order drawn by the seed. */
export function drawFaults(count: number, kinds: readonly FaultKind[], random: Random): FaultKind[] {
  const drawn: FaultKind[] = [];
  while (drawn.length < count) drawn.push(...random.shuffled(kinds));
  return drawn.slice(0, count);
}

export function makeFault(kind: FaultKind, fleet: ChaosFleet, random: Random): Fault {
  const [act, target] = kind.split(' ') as ['kill' | 'freeze' | 'terminate', string];
  const restartMs = random.between(...RESTART_MS);
  if (target === 'redis' || target === 'postgres') return storeFault(kind, act, target, fleet[target], restartMs);
  const services = { gateway: fleet.gateways, worker: fleet.workers, 'mcp-proxy': fleet.proxies }[target] ?? [];
  const service = services[random.between(0, services.length - 1)];
  if (service === undefined) throw new Error(`there is no ${target}`);
  const frozenMs = target === 'worker' ? random.between(...WORKER_FROZEN_MS) : FROZEN_MS;
  return serviceFault(kind, act, service, { restartMs, frozenMs });
}

function serviceFault(
  kind: FaultKind,
  act: 'kill' | 'freeze' | 'terminate',
  service: ServiceProcess,
  { restartMs, frozenMs }: { readonly restartMs: number; readonly frozenMs: number },
): Fault {
  const { name } = service;
  if (act === 'freeze')
    return {
      kind,
      what: `${name} is stopped (SIGSTOP) for ${frozenMs} ms`,
      countsFrom: 'begin',
      begin: async () => service.freeze(),
      async end() {
        await sleep(frozenMs);
        service.thaw();
        await service.start();
      },
    };
  let ended: Promise<number | null> = Promise.resolve(null);
  return {
    kind,
    what: act === 'kill' ? `${name} is killed (-9), back after ${restartMs} ms` : `${name} is told to stop (SIGTERM)`,
    countsFrom: 'begin',
    async begin() {
      if (act === 'kill') await service.kill();
      else ended = service.terminate();
    },
    async end() {
      const code = await ended;
      if (act === 'terminate' && code !== 0) throw new Error(`${name} ended with ${code} at SIGTERM`);
      await sleep(restartMs);
      await service.start();
    },
  };
}

function storeFault(kind: FaultKind, act: string, name: string, store: Store, restartMs: number): Fault {
  if (act === 'freeze')
    return {
      kind,
      what: `${name} is frozen for ${FROZEN_MS} ms`,
      countsFrom: 'end',
      begin: () => store.pause(),
      async end() {
        await sleep(FROZEN_MS);
        await store.unpause();
      },
    };
  return {
    kind,
    what: `${name} is killed (-9), back after ${restartMs} ms`,
    countsFrom: 'begin',
    begin: () => store.kill(),
    async end() {
      await sleep(restartMs);
      await store.restart();
    },
  };
}
