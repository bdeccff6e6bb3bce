import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres, startRedis } from '../support/containers.ts';
import { type ChaosFleet, openChaosFleet } from './chaos-fleet.ts';
import { gatherEvidence } from './gather-evidence.ts';
import type { Verdict } from './judge.ts';
import { drawProgram, heavyProgram, type Program, probeProgram } from './programs.ts';
import { createRandom, type Random } from './random.ts';
import { type Api, runProgram, type Story, tryProgram } from './run-program.ts';
import { createSmallDisk, type SmallDisk } from './small-disk.ts';

/** A store that answers and refuses writes, and what clients were told meanwhile. */
export interface Refusal {
  readonly what: string;
  readonly code: string;
  /** From the first refused write on; null: it was never said. */
  readonly saidAfterMs: number | null;
  /** What else was answered after the first time it was said. */
  readonly others: readonly string[];
  /** From when the store takes writes again until a program with a tool call has succeeded. */
  readonly recoveredMs: number;
  /** What of it is not as it should be. */
  readonly wrong: readonly string[];
}

export interface RefusalsReport {
  readonly refusals: readonly Refusal[];
  readonly verdict: Verdict;
}

interface Scenario {
  readonly what: string;
  readonly code: string;
  /** null: the first statements may find room left. */
  readonly sayWithinMs: number | null;
  begin(): Promise<void>;
  end(): Promise<void>;
}

/** PostgreSQL's first files take some 40 MB and one piece of its log 16 MB more. */
const POSTGRES_MB = 128;
const REDIS_MB = 16;
const SAY_WITHIN_MS = 10_000;
const REFUSING_MS = 3_000;
const TRY_EVERY_MS = 100;
const CLIENTS = 3;
/** The worker tries an end again each second, and a store that has died of it is started again within two. */
const RECOVERED_WITHIN_MS = 5_000;
const PATIENCE = { waitMs: 20_000, totalMs: 90_000 };
const PROBE_PATIENCE = { waitMs: 1_500, totalMs: 60_000 };

/** Full disks and a full memory under a small fleet that has work to do. */
export async function runRefusals({ seed, say }: { readonly seed: number; readonly say: (line: string) => void }): Promise<RefusalsReport> {
  const disks: SmallDisk[] = [];
  let fleet: ChaosFleet | null = null;
  try {
    const [redisDisk, postgresDisk] = [await createSmallDisk(REDIS_MB), await createSmallDisk(POSTGRES_MB)];
    disks.push(redisDisk, postgresDisk);
    fleet = await openChaosFleet(
      { gateways: 1, workers: 1, proxies: 1 },
      {
        redis: () => startRedis({ volume: redisDisk.volume }),
        postgres: () => startPostgres({ volume: postgresDisk.volume, args: ['-c', 'max_wal_size=32MB', '-c', 'min_wal_size=32MB'] }),
      },
    );
    return await refuseInTurn(fleet, scenariosOf(fleet, redisDisk, postgresDisk), seed, say);
  } finally {
    await fleet?.close();
    for (const disk of disks) await disk.close();
  }
}

function scenariosOf({ redis }: ChaosFleet, redisDisk: SmallDisk, postgresDisk: SmallDisk): Scenario[] {
  const password = decodeURIComponent(new URL(redis.url).password);
  const limitMemory = async (bytes: number): Promise<void> => {
    await redis.exec(['redis-cli', '--no-auth-warning', '-a', password, 'CONFIG', 'SET', 'maxmemory', String(bytes)]);
  };
  return [
    {
      what: 'Redis is out of memory',
      code: 'QUEUE_UNAVAILABLE',
      sayWithinMs: 2_000,
      begin: () => limitMemory(1),
      end: () => limitMemory(0),
    },
    { what: "Redis's disk is full", code: 'QUEUE_UNAVAILABLE', sayWithinMs: 2_000, begin: redisDisk.fill, end: redisDisk.free },
    { what: "PostgreSQL's disk is full", code: 'LEDGER_UNAVAILABLE', sayWithinMs: null, begin: postgresDisk.fill, end: postgresDisk.free },
  ];
}

async function refuseInTurn(
  fleet: ChaosFleet,
  scenarios: readonly Scenario[],
  seed: number,
  say: (line: string) => void,
): Promise<RefusalsReport> {
  const api: Api = { gateways: fleet.gateways.map(({ url }) => url), key: fleet.key };
  const prefix = `r${seed.toString(36)}`;
  const over = new AbortController();
  const load = runLoad(api, prefix, createRandom(seed), over.signal);
  const refusals: Refusal[] = [];
  const stories: Story[] = [];
  try {
    for (const [index, scenario] of scenarios.entries()) {
      const { refusal, tried } = await refuse(scenario, api, `${prefix}-${index}`);
      refusals.push(refusal);
      stories.push(...tried);
      say(
        `${scenario.what}: ${scenario.code} after ${refusal.saidAfterMs} ms, a program succeeds ${refusal.recoveredMs} ms after its end; ${tried.length} tries`,
      );
    }
  } finally {
    over.abort();
    stories.push(...(await load));
  }
  const { verdict } = await gatherEvidence(fleet, api, stories);
  return { refusals, verdict };
}

async function refuse(
  { what, code, sayWithinMs, begin, end }: Scenario,
  api: Api,
  prefix: string,
): Promise<{ refusal: Refusal; tried: Story[] }> {
  const accepted = new Map<Program, string | null>();
  const others: string[] = [];
  let saidAfterMs: number | null = null;
  await begin();
  const beganAt = performance.now();
  try {
    while (performance.now() - beganAt < (saidAfterMs === null ? SAY_WITHIN_MS : saidAfterMs + REFUSING_MS)) {
      const program = heavyProgram(accepted.size, prefix);
      const answer = await tryProgram(program, api);
      accepted.set(program, 'id' in answer ? answer.id : null);
      if ('code' in answer && answer.code === code) saidAfterMs ??= Math.round(performance.now() - beganAt);
      else if (saidAfterMs !== null || 'code' in answer) others.push('code' in answer ? answer.code : 'accepted');
      await sleep(TRY_EVERY_MS);
    }
  } finally {
    await end();
  }
  const endedAt = performance.now();
  const recovered = await untilSuccess(api, prefix, endedAt);
  // What was refused is asked for again with the same key, and what was accepted is waited for.
  const tried = await Promise.all(
    [...accepted].map(async ([program, id]) => {
      const story = await runProgram(program, api, PATIENCE);
      if (id !== null) story.ids.add(id);
      return story;
    }),
  );
  const wrong = [
    ...(saidAfterMs === null ? [`${what}: ${code} was never said`] : []),
    ...(sayWithinMs !== null && (saidAfterMs ?? 0) > sayWithinMs ? [`${what}: ${code} was said after ${saidAfterMs} ms`] : []),
    ...[...new Set(others)].map((other) => `${what}: ${other} instead of ${code}`),
    ...(recovered.tookMs > RECOVERED_WITHIN_MS ? [`${what}: recovered after ${Math.round(recovered.tookMs)} ms`] : []),
  ];
  const refusal = { what, code, saidAfterMs, others, recoveredMs: recovered.tookMs, wrong };
  return { refusal, tried: [...tried, ...recovered.probes] };
}

async function untilSuccess(api: Api, prefix: string, sinceMs: number): Promise<{ tookMs: number; probes: Story[] }> {
  const probes: Story[] = [];
  while (performance.now() - sinceMs < PROBE_PATIENCE.totalMs) {
    const story = await runProgram(probeProgram(probes.length, prefix), api, PROBE_PATIENCE);
    probes.push(story);
    if (story.seen?.status === 'succeeded') return { tookMs: Math.round(performance.now() - sinceMs), probes };
  }
  throw new Error(`no program has succeeded within ${PROBE_PATIENCE.totalMs} ms`);
}

async function runLoad(api: Api, prefix: string, random: Random, over: AbortSignal): Promise<Story[]> {
  const stories: Story[] = [];
  let begun = 0;
  const client = async (): Promise<void> => {
    while (!over.aborted) {
      begun += 1;
      stories.push(await runProgram(drawProgram(begun, prefix, random), api, PATIENCE));
      await sleep(random.between(100, 500));
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return stories;
}
