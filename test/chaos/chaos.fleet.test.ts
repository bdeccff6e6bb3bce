import { describe, expect, test } from 'vitest';
import { dockerAnswers } from '../support/containers.ts';
import type { FaultKind } from './faults.ts';
import { failuresOf, figuresOf } from './figures.ts';
import { runChaos } from './run-chaos.ts';

const reachable = await dockerAnswers();

const KINDS: readonly FaultKind[] = [
  'kill gateway',
  'kill worker',
  'kill mcp-proxy',
  'kill redis',
  'kill postgres',
  'freeze worker',
  'freeze redis',
  'terminate worker',
];
/** A machine that has nothing else to do gets through all of them by then; another one through some. */
const STRIKE_FOR_MS = 55_000;
/** A lease of 4 s, the reconciler's and the waiting gateway's look at the rows, 1 s each at most; twice that on a busy machine. */
const RECOVERED_MS = 12_000;

/** `npm run chaos` is the same with thousands of executions, every kind of fault several times, and full disks. */
describe.skipIf(!reachable)(`the fleet under fire${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  test('loses no execution, makes no call twice and tells no untruth while one part after the other is killed and frozen', async () => {
    const say = (line: string): void => void process.stdout.write(`${line}\n`);
    const seed = Date.now() % 1_000_000;
    const options = { executions: 150, faults: KINDS.length, strikeForMs: STRIKE_FOR_MS, kinds: KINDS, clients: 6 };
    const report = await runChaos({ ...options, seed, say });
    say(figuresOf(report));
    for (const [name, list] of failuresOf(report.verdict)) expect(list, `${name}, seed ${seed}`).toEqual([]);
    expect(report.verdict.executions).toBeGreaterThanOrEqual(150);
    expect(report.recoveries.length).toBeGreaterThanOrEqual(2);
    expect(report.verdict.calls).toBeGreaterThan(100);
    for (const { kind, probeMs, backMs } of report.recoveries) expect(probeMs, `${kind}, seed ${seed}`).toBeLessThan(RECOVERED_MS + backMs);
  }, 240_000);
});
