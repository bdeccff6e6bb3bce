import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '../test/support/start-service.ts';

/**
 * How long `/health` takes until `signal` is aborted, asked every so often whether the last was answered or not: who waits for one answer
 * before asking again meets a standstill of a second once, and those who come by meanwhile not at all.
 */
export async function probeHealth(service: Pick<Service, 'get'>, everyMs: number, signal: AbortSignal): Promise<number[]> {
  const asked: Promise<number>[] = [];
  for (let dueMs = performance.now(); !signal.aborted; dueMs += everyMs) {
    await sleep(Math.max(0, dueMs - performance.now()));
    const one = ask(service);
    // Whoever waits for all of them hears of it.
    one.catch(() => undefined);
    asked.push(one);
  }
  return await Promise.all(asked);
}

async function ask(service: Pick<Service, 'get'>): Promise<number> {
  const before = performance.now();
  const { status } = await service.get('/health');
  if (status !== 200) throw new Error(`/health answered ${status}`);
  return performance.now() - before;
}
