import { performance } from 'node:perf_hooks';
import type { Service } from '../test/support/start-service.ts';
import { drive, SIMPLE_TYPESCRIPT } from './scenarios.ts';
import { type Series, summarise } from './statistics.ts';

/** Programs that hurt their neighbours, each for some seconds. How they end is the conformance suite's matter. */
const HOSTILE = {
  spin: { language: 'typescript', code: 'for (;;) {}', timeoutMs: 6_000 },
  allocate: { language: 'python', code: 'held = []\nwhile True:\n    held.append(bytearray(1 << 20))', timeoutMs: 6_000 },
  fork: {
    language: 'python',
    code: 'import os, time\nwhile True:\n    try:\n        if os.fork() == 0:\n            while True: pass\n    except OSError:\n        time.sleep(0.01)',
    timeoutMs: 6_000,
  },
  flood: { language: 'typescript', code: "for (;;) console.log('x'.repeat(1000))", timeoutMs: 6_000 },
};

export interface NeighbourFigures {
  readonly idle: Series;
  readonly loaded: Series;
  readonly health: Series;
}

/** A simple program and /health while two of each hostile program run. */
export async function measureNeighbours(service: Service): Promise<NeighbourFigures> {
  const idle = (await drive(service, SIMPLE_TYPESCRIPT, { clients: 1, seconds: 3, pauseMs: 20 })).latency;
  const stop = performance.now() + 8_000;
  const hostile = Object.values(HOSTILE).flatMap((body) => [repeat(service, body, stop), repeat(service, body, stop)]);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const health = probeHealth(service, stop - 500);
  const loaded = (await drive(service, SIMPLE_TYPESCRIPT, { clients: 1, seconds: 6, pauseMs: 20 })).latency;
  await Promise.all(hostile);
  return { idle, loaded, health: await health };
}

async function repeat(service: Service, body: unknown, stop: number): Promise<void> {
  while (performance.now() < stop) await service.post('/execute', body);
}

async function probeHealth(service: Service, stop: number): Promise<Series> {
  const durations: number[] = [];
  while (performance.now() < stop) {
    const before = performance.now();
    const answer = await service.get('/health');
    if (answer.status !== 200) throw new Error(`/health answered ${answer.status}`);
    durations.push(performance.now() - before);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return summarise(durations);
}
