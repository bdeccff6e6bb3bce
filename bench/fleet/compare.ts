import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { bodyOf, type Scenario, SIMPLE_PYTHON, SIMPLE_TYPESCRIPT } from '../scenarios.ts';
import { quartiles } from '../statistics.ts';
import { type Fleet, startFleet } from './start-fleet.ts';

const ROUNDS = 200;
const WARM_UP = 40;
const PAUSE_MS = 20;

/**
 * Two checkouts, a fleet each, asked in turn: what the machine does meanwhile hits both. Answers lines for a reader;
 * the other checkout needs a `node_modules` whose `@code-executor/*` lead into itself.
 */
export async function compareCheckouts(directory: string, checkouts: readonly [string, string]): Promise<string[]> {
  const fleets: Fleet[] = [];
  try {
    for (const [index, checkout] of checkouts.entries()) fleets.push(await startFleet(join(directory, `checkout-${index}`), { checkout }));
    const lines: string[] = [];
    for (const scenario of [SIMPLE_TYPESCRIPT, SIMPLE_PYTHON]) {
      const [before = [], after = []] = await inTurn(fleets, scenario);
      const [was, is] = [quartiles(before), quartiles(after)];
      const ratios = was.map((each, index) => ((is[index] ?? Number.NaN) / each).toFixed(2));
      lines.push(`${scenario.name}, min / p25 / p50 / p75: ${texts(was)} → ${texts(is)} ms, ratio ${ratios.join(' / ')}`);
    }
    return lines;
  } finally {
    for (const fleet of fleets) await fleet.stop();
  }
}

async function inTurn(fleets: readonly Fleet[], scenario: Scenario): Promise<number[][]> {
  const durations: number[][] = fleets.map(() => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    // Whoever comes second finds other caches: they take turns at that as well.
    for (const index of round % 2 === 0 ? [0, 1] : [1, 0]) {
      const body = bodyOf(scenario);
      const before = performance.now();
      const answer = await fleets[index]?.post('/execute', body);
      const took = performance.now() - before;
      const { result } = (answer?.body ?? {}) as { result?: unknown };
      if (answer?.status !== 200 || result !== scenario.expected)
        throw new Error(`${scenario.name}: ${JSON.stringify(answer?.body).slice(0, 500)}`);
      if (round >= WARM_UP) durations[index]?.push(took);
      await sleep(PAUSE_MS);
    }
  }
  return durations;
}

const texts = (values: readonly number[]): string => values.map((value) => value.toFixed(1)).join(' / ');
