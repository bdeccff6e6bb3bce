import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Service, startService } from '../../test/support/start-service.ts';
import { measureFloor } from '../floor/floor.ts';
import { treeMemoryMb } from '../memory.ts';
import { measureBareNode } from '../peer.ts';
import type { Row } from '../report.ts';
import { drive, SIMPLE_PYTHON, SIMPLE_TYPESCRIPT } from '../scenarios.ts';
import { round } from '../statistics.ts';
import { type Client, connect } from './http-client.ts';
import { measureCalls } from './measure-call.ts';
import { measureFairness, p95 } from './measure-fairness.ts';
import { measureStages } from './measure-stages.ts';
import { type Fleet, startFleet } from './start-fleet.ts';

const PAUSE_MS = 20;
/** A sixth of the runs at a time, ours and what stands beside it in turn: what the machine does meanwhile hits all. */
const TURNS = 6;
const RUNS = 50;
const SOAK_SECONDS = 15;

const ms = (value: number): string => `${round(value)} ms`;

/** The fleet as processes of this machine, beside the embedded form and bare processes of the same minutes. */
export async function measureFleet(directory: string, row: Row): Promise<void> {
  row('cores', String(availableParallelism()));
  const fleet = await startFleet(join(directory, 'fleet'));
  try {
    reportMemory(fleet, row);
    const dataDir = join(directory, 'embedded');
    mkdirSync(dataDir);
    const embedded = await startService(dataDir);
    try {
      await reportLatency(fleet, embedded, row);
    } finally {
      await embedded.stop();
    }
    await reportCalls(fleet, row);
    await reportThroughput(directory, fleet, row);
    await reportFairness(fleet, 'two workers on the same cores', row);
  } finally {
    await fleet.stop();
  }
  const single = await startFleet(join(directory, 'single'));
  try {
    await reportFairness(single, 'one worker', row);
  } finally {
    await single.stop();
  }
  await reportStages(join(directory, 'traced'), row);
}

/** A fleet that runs already, such as that of docker compose: what can be seen of it from outside. */
export async function measureRunningFleet(url: string, key: string, row: Row, pauseMs = PAUSE_MS): Promise<void> {
  const client = connect(url, key);
  try {
    const node = await measureBareNode(20);
    for (const [name, scenario] of SIMPLE) {
      const { latency, warmShare } = await drive(client, scenario, { clients: 1, seconds: 20, limit: 300, pauseMs });
      row(`compose, ${name}, 1 client, p50`, ms(latency.p50), `node -e 0 p50 ${ms(node.p50)}`, latency.p50 / node.p50);
      row(`compose, ${name}, 1 client, p99`, ms(latency.p99), `node -e 0 p50 ${ms(node.p50)}`, latency.p99 / node.p50);
      row(`compose, ${name}, 1 client, warm`, `${round(100 * warmShare, 0)} %`);
    }
    row('compose, TypeScript, 16 clients', `${round(await throughput(client), 0)}/s`);
  } finally {
    client.close();
  }
}

const SIMPLE = [
  ['TypeScript', SIMPLE_TYPESCRIPT],
  ['Python', SIMPLE_PYTHON],
] as const;

function reportMemory({ gateway, proxy, workers }: Fleet, row: Row): void {
  const processes = { gateway, 'mcp-proxy with one stdio server': proxy, 'worker with its pool': workers[0] };
  for (const [name, process] of Object.entries(processes))
    if (process !== undefined) row(`idle ${name} (PSS of its tree)`, `${round(treeMemoryMb(process.pid()), 0)} MB`);
}

async function reportLatency(fleet: Fleet, embedded: Service, row: Row): Promise<void> {
  const nodeP50s: number[] = [];
  for (const [name, scenario] of SIMPLE) {
    const [ours, beside]: [Turn[], Turn[]] = [[], []];
    for (let turn = 0; turn < TURNS; turn += 1) {
      const plan = { clients: 1, seconds: 10, limit: RUNS, pauseMs: PAUSE_MS };
      ours.push(await drive(fleet, scenario, plan));
      beside.push(await drive(embedded, scenario, plan));
      nodeP50s.push((await measureBareNode(5)).p50);
    }
    const [p50, embeddedP50, node] = [median(ours.map(p50Of)), median(beside.map(p50Of)), median(nodeP50s)];
    row(`${name}, 1 client, p50 (goal 10 ms)`, ms(p50), `embedded ${ms(embeddedP50)}`, p50 / embeddedP50);
    row(`${name}, 1 client, p50`, ms(p50), `node -e 0 p50 ${ms(node)}`, p50 / node);
    row(`${name}, 1 client, p99`, ms(Math.max(...ours.map(({ latency }) => latency.p99))), `embedded p50 ${ms(embeddedP50)}`);
    row(`${name}, 1 client, warm`, `${round((100 * ours.reduce((sum, { warmShare }) => sum + warmShare, 0)) / TURNS, 0)} %`);
  }
}

type Turn = Awaited<ReturnType<typeof drive>>;
const p50Of = ({ latency }: Turn): number => latency.p50;
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function reportStages(directory: string, row: Row): Promise<void> {
  const { whole, ...stages } = await measureStages(directory);
  const names = {
    submit: 'request read, row written',
    queue: 'committed, through Redis to a worker (below 0: it asked ahead of the commit)',
    claim: 'claimed: asked, written, answered',
    sandbox: 'prepared, run in a warm sandbox',
    end: 'end written, told, answered',
  };
  for (const [stage, name] of Object.entries(names) as [keyof typeof names, string][])
    row(`stage, traced: ${name}, p50`, ms(stages[stage]), `whole ${ms(whole)}`, stages[stage] / whole);
}

async function reportCalls(fleet: Client, row: Row): Promise<void> {
  const { none, one, two, direct } = await measureCalls(fleet);
  row('one tool call, added p50 (goal 8 ms)', ms(one - none), `direct call p50 ${ms(direct)}`, (one - none) / direct);
  row('a second tool call, added p50', ms(two - one), `direct call p50 ${ms(direct)}`, (two - one) / direct);
}

/** The floor before and after each, because these machines drift. */
async function reportThroughput(directory: string, fleet: Fleet, row: Row): Promise<void> {
  const floor = (): number => measureFloor(directory, 'typescript', 200, 2);
  const before = floor();
  const alone = await throughput(fleet);
  const between = floor();
  row(
    'TypeScript, 16 clients, one worker',
    `${round(alone, 0)}/s`,
    `floor ${round((before + between) / 2, 0)}/s`,
    (2 * alone) / (before + between),
  );
  await fleet.addWorker();
  const both = await throughput(fleet);
  const after = floor();
  row(
    'TypeScript, 16 clients, two workers',
    `${round(both, 0)}/s`,
    `floor ${round((between + after) / 2, 0)}/s`,
    (2 * both) / (between + after),
  );
}

async function throughput(client: Client): Promise<number> {
  await drive(client, SIMPLE_TYPESCRIPT, { clients: 16, seconds: 3 });
  return (await drive(client, SIMPLE_TYPESCRIPT, { clients: 16, seconds: SOAK_SECONDS })).perSecond;
}

async function reportFairness(fleet: Fleet, workers: string, row: Row): Promise<void> {
  const { idle, besideQueue, besideSleepers } = await measureFairness(fleet);
  const allowed = `allowed 3 × idle = ${ms(3 * p95(idle))}`;
  row(`${workers}: quiet workspace beside 10,000 waiting, p95`, ms(p95(besideQueue)), allowed, p95(besideQueue) / (3 * p95(idle)));
  row(`${workers}: quiet workspace beside 64 that sleep, p95`, ms(p95(besideSleepers)), allowed, p95(besideSleepers) / (3 * p95(idle)));
}
