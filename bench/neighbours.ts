import { performance } from 'node:perf_hooks';
import type { Service } from '../test/support/start-service.ts';
import { probeHealth } from './probe-health.ts';
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
  /** Of the hostile programs, how many ran at a time: what did not run has hurt nobody. */
  readonly hostileAtOnce: number;
}

const HOSTILE_MS = 8_000;
const ASK_EVERY_MS = 10;
/** Those that spin and those that fork run nearly all the time; the others are ended and begun again. */
const AT_ONCE_MINIMUM = 3;
/** How they may end: by what they did, and not by what was refused. */
const ENDS = new Set(['TIMEOUT', 'MEMORY_LIMIT', 'OUTPUT_LIMIT', 'UNCAUGHT', 'EXITED', 'SANDBOX_CRASHED']);

/** A simple program and /health while two of each hostile program run. */
export async function measureNeighbours(service: Service): Promise<NeighbourFigures> {
  const idle = (await drive(service, SIMPLE_TYPESCRIPT, { clients: 1, seconds: 3, pauseMs: 20 })).latency;
  const began = performance.now();
  const stop = began + HOSTILE_MS;
  const hostile = Object.values(HOSTILE).flatMap((body) => [repeat(service, body, stop), repeat(service, body, stop)]);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const health = probeHealth(service, ASK_EVERY_MS, AbortSignal.timeout(Math.floor(stop - 500 - performance.now())));
  const loaded = (await drive(service, SIMPLE_TYPESCRIPT, { clients: 1, seconds: 6, pauseMs: 20 })).latency;
  const ranMs = (await Promise.all(hostile)).reduce((sum, each) => sum + each, 0);
  const hostileAtOnce = ranMs / (performance.now() - began);
  if (hostileAtOnce < AT_ONCE_MINIMUM) throw new Error(`Only ${hostileAtOnce} of ${hostile.length} hostile programs ran at a time`);
  return { idle, loaded, health: summarise(await health), hostileAtOnce };
}

/** How long programs ran, one after the other. */
async function repeat(service: Service, body: unknown, stop: number): Promise<number> {
  let ranMs = 0;
  while (performance.now() < stop) {
    const answer = await service.post('/execute', body);
    const { error, executionTime } = answer.body as { error?: { code: string } | null; executionTime?: number };
    if (answer.status !== 200 || !ENDS.has(error?.code ?? ''))
      throw new Error(`A hostile program was no load: ${answer.status} ${JSON.stringify(answer.body).slice(0, 300)}`);
    ranMs += executionTime ?? 0;
  }
  return ranMs;
}
