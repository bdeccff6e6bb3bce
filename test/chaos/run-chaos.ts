import { cp } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ChaosFleet, openChaosFleet } from './chaos-fleet.ts';
import { drawFaults, type FaultKind, makeFault } from './faults.ts';
import { gatherEvidence } from './gather-evidence.ts';
import type { Evidence, Verdict } from './judge.ts';
import { drawProgram, probeProgram } from './programs.ts';
import { createRandom, type Random } from './random.ts';
import { type Api, runProgram, type Story } from './run-program.ts';

export interface ChaosOptions {
  readonly executions: number;
  readonly faults: number;
  readonly kinds: readonly FaultKind[];
  readonly seed: number;
  readonly clients: number;
  /** After this no further fault begins; one and what it takes to come back are seconds. */
  readonly strikeForMs?: number | undefined;
  /** The services' logs stay, and where they are is said. */
  readonly keepLogs?: boolean | undefined;
  readonly say: (line: string) => void;
}

/** One fault and what came of it. */
export interface Recovery {
  readonly kind: FaultKind;
  /** Until an execution that was submitted after the fault has succeeded with its tool call. */
  readonly probeMs: number;
  /** From the fault until what it struck answers again. */
  readonly backMs: number;
  /** Of what was under way and lost: until its end was written. */
  readonly lostEndedMs: readonly number[];
  /** The most that it has kept an accepted execution waiting, beyond what its program takes. */
  readonly delayMs: number;
}

export interface ChaosReport {
  readonly verdict: Verdict;
  readonly recoveries: readonly Recovery[];
  readonly refusals: Readonly<Record<string, number>>;
  /** Of probes under the load alone, between the faults: what a recovery cannot be faster than. */
  readonly baselineMs: { readonly p50: number; readonly max: number };
  readonly tookMs: number;
  readonly slowestMs: number;
}

interface Strike {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly probeMs: number;
  readonly backMs: number;
}

/** At least so much is left of a lease of 4 s that is renewed every second. */
const LEASE_LEFT_MS = 2_900;
/** Between two faults the fleet is whole for so long. */
const QUIET_MS = [300, 1_500] as const;
const PROBE_PATIENCE = { waitMs: 1_500, totalMs: 60_000 };
/** Program and tool take 5 s at most, the program's own timeout is 30 s, and the longest outage 10 s; loaded machines get the rest. */
const PATIENCE = { waitMs: 30_000, totalMs: 90_000 };

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { say } = options;
  const beganAt = performance.now();
  say(`seed ${options.seed}: ${options.executions} executions of ${options.clients} clients, ${options.faults} faults`);
  const fleet = await openChaosFleet({ gateways: 2, workers: 2, proxies: 2 });
  try {
    const api: Api = { gateways: fleet.gateways.map(({ url }) => url), key: fleet.key };
    const random = createRandom(options.seed);
    const prefix = `c${options.seed.toString(36)}`;
    const faultsOver = new AbortController();
    const load = runLoad({ ...options, api, prefix, random: random.fork(), faultsOver: faultsOver.signal });
    const { strikes, probes, calmMs } = await strike(fleet, api, prefix, random.fork(), options).finally(() => faultsOver.abort());
    const stories = [...(await load), ...probes];
    say(`${stories.length} executions have ended; judging them`);
    const { evidence, verdict } = await gatherEvidence(fleet, api, stories);
    return {
      verdict,
      recoveries: recoveriesOf(strikes, evidence),
      refusals: countBy(stories.flatMap(({ refusals }) => refusals)),
      baselineMs: { p50: calmMs[Math.floor(calmMs.length / 2)] ?? 0, max: calmMs.at(-1) ?? 0 },
      tookMs: performance.now() - beganAt,
      slowestMs: Math.max(0, ...stories.map(({ startedAt, endedAt }) => (endedAt ?? startedAt) - startedAt)),
    };
  } finally {
    if (options.keepLogs) {
      await cp(fleet.logsDir, `${fleet.logsDir}-logs`, {
        recursive: true,
        filter: (source) => source === fleet.logsDir || /\.(log|jsonl)$/.test(source),
      });
      say(`logs: ${fleet.logsDir}-logs`);
    }
    await fleet.close();
  }
}

/** Goes on until both the executions and the faults are through; the last ones at an easier pace. */
async function runLoad(
  options: ChaosOptions & { readonly api: Api; readonly prefix: string; readonly random: Random; readonly faultsOver: AbortSignal },
): Promise<Story[]> {
  const { executions, clients, api, prefix, random, faultsOver } = options;
  const stories: Story[] = [];
  let begun = 0;
  let accepted = 0;
  const client = async (): Promise<void> => {
    while (accepted < executions || !faultsOver.aborted) {
      const isExtra = accepted >= executions;
      begun += 1;
      const story = await runProgram(drawProgram(begun, prefix, random), api, PATIENCE);
      stories.push(story);
      // What was refused, and is not asked for again, is no execution.
      if (story.ids.size > 0) accepted += 1;
      await sleep(isExtra ? 1_000 : random.between(0, 300));
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return stories;
}

/** One fault after the other; each has passed, and an execution has succeeded, before the next. */
async function strike(fleet: ChaosFleet, api: Api, prefix: string, random: Random, options: ChaosOptions) {
  const { faults, kinds, strikeForMs = Number.POSITIVE_INFINITY, say } = options;
  const giveUpAt = performance.now() + strikeForMs;
  const strikes: Strike[] = [];
  const probes: Story[] = [];
  const calmMs: number[] = [];
  await sleep(1_000);
  for (const kind of drawFaults(faults, kinds, random)) {
    if (performance.now() > giveUpAt) break;
    const fault = makeFault(kind, fleet, random);
    const atMs = Date.now();
    await fault.begin();
    const [endedAtMs, recoveredAtMs] = await Promise.all([fault.end().then(Date.now), untilProbeSucceeds()]);
    const probeMs = Math.max(0, recoveredAtMs - (fault.countsFrom === 'end' ? endedAtMs : atMs));
    const backMs = endedAtMs - atMs;
    strikes.push({ kind, atMs, probeMs, backMs });
    say(
      `${String(strikes.length).padStart(3)}. ${fault.what}: a program succeeds ${probeMs} ms after its ${fault.countsFrom}; all is back after ${backMs} ms`,
    );
    await sleep(random.between(...QUIET_MS));
    const calmAtMs = Date.now();
    calmMs.push((await untilProbeSucceeds()) - calmAtMs);
  }
  return { strikes, probes, calmMs: calmMs.toSorted((one, other) => one - other) };

  async function untilProbeSucceeds(): Promise<number> {
    const deadline = performance.now() + PROBE_PATIENCE.totalMs;
    while (performance.now() < deadline) {
      const story = await runProgram(probeProgram(probes.length, prefix), api, PROBE_PATIENCE);
      probes.push(story);
      if (story.seen?.status === 'succeeded') return Date.now();
      say(`     a probe ended as ${story.seen?.status} ${JSON.stringify(story.seen?.error)} ${story.problems.join('; ')}`);
    }
    throw new Error(`no program has succeeded within ${PROBE_PATIENCE.totalMs} ms of a fault`);
  }
}

export function recoveriesOf(strikes: readonly Strike[], evidence: readonly Evidence[]): Recovery[] {
  const lost = Map.groupBy(lossesOf(strikes, evidence), ({ by }) => by);
  return strikes.map((strike, index) => ({
    ...recoveryOf(strike, strikes[index + 1]?.atMs ?? Number.POSITIVE_INFINITY, evidence),
    lostEndedMs: (lost.get(strike) ?? []).map(({ endedMs }) => endedMs),
  }));
}

/** Whose lease is over was struck a lease before, less the time between two renewals: by then the next fault may have begun. */
function lossesOf(strikes: readonly Strike[], evidence: readonly Evidence[]): { readonly by: Strike; readonly endedMs: number }[] {
  return evidence.flatMap(({ final }) => {
    if (final?.error?.code !== 'WORKER_LOST') return [];
    const [begun, ended] = [Date.parse(final.createdAt ?? ''), Date.parse(final.endedAt ?? '')];
    const before = strikes.filter(({ atMs }) => atMs >= begun && atMs <= ended);
    const by = before.findLast(({ atMs }) => atMs <= ended - LEASE_LEFT_MS) ?? before.at(-1);
    return by === undefined ? [] : [{ by, endedMs: ended - by.atMs }];
  });
}

function recoveryOf(
  { kind, atMs, probeMs, backMs }: Strike,
  nextAtMs: number,
  evidence: readonly Evidence[],
): Omit<Recovery, 'lostEndedMs'> {
  const touched = evidence.flatMap(({ story, final }) => {
    const [begun, ended] = [Date.parse(final?.createdAt ?? ''), Date.parse(final?.endedAt ?? '')];
    const wasUnderWay = begun <= atMs + backMs && ended >= atMs && ended < nextAtMs;
    return final !== null && wasUnderWay ? [{ begun, ended, nominalMs: story.program.nominalMs }] : [];
  });
  return {
    ...{ kind, probeMs, backMs },
    delayMs: Math.max(0, ...touched.map(({ begun, ended, nominalMs }) => ended - begun - nominalMs)),
  };
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
