import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { dockerAnswers } from '../test/support/containers.ts';
import { type Service, startService } from '../test/support/start-service.ts';
import { measureCatalog } from './catalog/measure-catalog.ts';
import { measureCli } from './cli/measure-cli.ts';
import { compareCheckouts } from './fleet/compare.ts';
import { measureFleet, measureRunningFleet } from './fleet/measure-fleet.ts';
import { CHECKOUT } from './fleet/start-fleet.ts';
import { measureFloor } from './floor/floor.ts';
import { measureMcp, measureSessions } from './mcp/measure-mcp.ts';
import { openDescriptors, tree, treeMemoryMb } from './memory.ts';
import { measureNeighbours } from './neighbours.ts';
import { measureBareNode, measurePeer } from './peer.ts';
import { measurePolicies } from './policies/measure-policies.ts';
import { measureTokens, measureToolCalls } from './real-servers.ts';
import { createReport } from './report.ts';
import { COLD_NODE, drive, REPEATED_TYPESCRIPT, SIMPLE_PYTHON, SIMPLE_TYPESCRIPT } from './scenarios.ts';
import { measureSearch, type Recall } from './search/measure-search.ts';
import { measureSources } from './sources/measure-sources.ts';
import { round } from './statistics.ts';

const USAGE = `usage: npm run bench [-- OPTIONS]     One table on stdout, the same figures as JSON in bench/results/ or the directory BENCH_RESULTS.
  --soak SECONDS       the embedded form, each soak so long (20)
  --policies           only what a decision of the policies costs; it is in the table of the embedded form too
  --cli                only what starting the command line takes; it is in the table of the embedded form too
  --mcp                only what the MCP endpoint adds, and many sessions at once; it is in the table of the embedded form too
  --sources            only what adding a large document costs; it is in the table of the embedded form too
  --fleet              the fleet instead: its processes, with PostgreSQL and Redis in containers of their own
  --compose URL KEY    a fleet that runs already, as far as it can be seen from outside; with --fleet: beside the one of this machine
  --pause MS           with --compose: between two requests of a single client, for sandboxes that take long to boot
  --against CHECKOUT   only the difference to the fleet of another checkout, both asked in turn`;

const { values: asked, positionals } = readArguments();
const soakSeconds = Number(asked.soak ?? 20) || 20;
if (process.getuid?.() === 0) {
  console.error('The service refuses to run as root; run the benchmarks as another user (setpriv --reuid=code-executor --init-groups …).');
  process.exit(1);
}

/** Between two requests of a single client: the pool keeps up, so the figure is that of warm sandboxes. */
const PAUSE_MS = 15;
/** The same with the pool full again before each: no boot beside it. */
const LONG_PAUSE_MS = 40;

const { row, finish } = createReport();
const ms = (value: number) => `${round(value)} ms`;

const directory = mkdtempSync(join(tmpdir(), 'code-executor-bench-'));
try {
  if (asked.against !== undefined) {
    for (const line of await compareCheckouts(directory, [resolve(asked.against), CHECKOUT])) console.log(line);
  } else if (asked.policies) {
    measurePolicies(row);
    finish('policies.json');
  } else if (asked.cli) {
    measureCommandLine();
    finish('cli.json');
  } else if (asked.mcp) {
    await measureEndpoint();
    finish('mcp.json');
  } else if (asked.sources) {
    await measureDocuments();
    finish('sources.json');
  } else if (asked.compose !== undefined && asked.fleet !== true) {
    await measureRunning(asked.compose);
    finish('compose.json');
  } else if (asked.fleet) {
    if (!(await dockerAnswers())) throw new Error('The fleet needs a Docker engine that answers, with the images of PostgreSQL and Redis.');
    await measureFleet(directory, row);
    if (asked.compose !== undefined) await measureRunning(asked.compose);
    finish('fleet.json');
  } else {
    await measureSimple();
    await measureCatalogs();
    await measureFixtures();
    await measureFindings();
    await measureEndpoint();
    await measureDocuments();
    measurePolicies(row);
    measureCommandLine();
    finish('bench.json');
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function readArguments() {
  try {
    const type = 'string' as const;
    const options = {
      soak: { type },
      fleet: { type: 'boolean' as const },
      policies: { type: 'boolean' as const },
      sources: { type: 'boolean' as const },
      cli: { type: 'boolean' as const },
      mcp: { type: 'boolean' as const },
      compose: { type },
      pause: { type },
      against: { type },
    };
    return parseArgs({ allowPositionals: true, options });
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exit(2);
  }
}

async function measureRunning(url: string): Promise<void> {
  await measureRunningFleet(url, positionals[0] ?? '', row, asked.pause === undefined ? undefined : Number(asked.pause));
}

function measureCommandLine(): void {
  const { nodeMs, versionMs, helpMs } = measureCli();
  row('executor --version, p50', ms(versionMs), 'allowed 150 ms', versionMs / 150);
  row('the same against Node alone', `${round(versionMs / nodeMs)} times`, `node -e 0 p50 ${ms(nodeMs)}`, versionMs / nodeMs);
  row('executor run --help, p50', ms(helpMs), 'allowed 150 ms', helpMs / 150);
}

async function measureEndpoint(): Promise<void> {
  const service = await newService('mcp');
  try {
    const { execute, endpoint, addedMs } = await measureMcp(service);
    row('TypeScript over MCP, p50', ms(endpoint.p50), `POST /execute p50 ${ms(execute.p50)}; allowed 5 ms more`, addedMs / 5);
    const { sessions, correct, seconds } = await measureSessions(service);
    row(
      `programs of ${sessions} MCP sessions at once, answered rightly`,
      `${correct} in ${round(seconds)} s`,
      `${sessions}`,
      correct / sessions,
    );
  } finally {
    await service.stop();
  }
}

async function measureSimple(): Promise<void> {
  const service = await newService('simple');
  try {
    row('memory of the idle service, whole tree (PSS)', `${round(treeMemoryMb(service.pid), 0)} MB`);
    const node = await measureBareNode(30);
    // Node compiles the service's own code while it answers these.
    const first = await drive(service, SIMPLE_TYPESCRIPT, { clients: 1, seconds: 10, limit: 100, pauseMs: PAUSE_MS });
    row(
      'TypeScript, 1 client, the first 100 after the start, p99',
      ms(first.latency.p99),
      `node -e 0 p50 ${ms(node.p50)}`,
      first.latency.p99 / node.p50,
    );
    const typescript = await drive(service, SIMPLE_TYPESCRIPT, { clients: 1, seconds: 10, limit: 300, pauseMs: PAUSE_MS });
    row('TypeScript, 1 client, p50', ms(typescript.latency.p50), `node -e 0 p50 ${ms(node.p50)}`, typescript.latency.p50 / node.p50);
    row('TypeScript, 1 client, p99', ms(typescript.latency.p99), `node -e 0 p50 ${ms(node.p50)}`, typescript.latency.p99 / node.p50);
    const rested = await drive(service, SIMPLE_TYPESCRIPT, { clients: 1, seconds: 20, limit: 300, pauseMs: LONG_PAUSE_MS });
    row(
      `TypeScript, 1 client, ${LONG_PAUSE_MS} ms apart, p50`,
      ms(rested.latency.p50),
      `node -e 0 p50 ${ms(node.p50)}`,
      rested.latency.p50 / node.p50,
    );
    const again = await drive(service, REPEATED_TYPESCRIPT, { clients: 1, seconds: 10, limit: 300, pauseMs: PAUSE_MS });
    row('the same TypeScript again, 1 client, p50', ms(again.latency.p50), `node -e 0 p50 ${ms(node.p50)}`, again.latency.p50 / node.p50);
    row('TypeScript, 1 client, warm', `${round(typescript.warmShare * 100, 0)} %`);
    const python = await drive(service, SIMPLE_PYTHON, { clients: 1, seconds: 10, limit: 300, pauseMs: PAUSE_MS });
    row('Python, 1 client, p50', ms(python.latency.p50), `node -e 0 p50 ${ms(node.p50)}`, python.latency.p50 / node.p50);
    row('Python, 1 client, p99', ms(python.latency.p99), `node -e 0 p50 ${ms(node.p50)}`, python.latency.p99 / node.p50);
    const cold = await drive(service, COLD_NODE, { clients: 1, seconds: 10, limit: 20 });
    row('Node runtime (cold), 1 client, p50', ms(cold.latency.p50), `node -e 0 p50 ${ms(node.p50)}`, cold.latency.p50 / node.p50);
    const peer = await measurePeer(directory, 100, PAUSE_MS);
    if (peer === null) row('peer `executor`', 'not installed');
    else {
      row(
        'TypeScript, 1 client, p50',
        ms(typescript.latency.p50),
        `peer executor p50 ${ms(peer.latency.p50)}`,
        typescript.latency.p50 / peer.latency.p50,
      );
      row('peer executor, 16 clients', `${round(peer.perSecond, 0)}/s`);
    }
    await measureThroughput(service);
    const { idle, loaded, health, hostileAtOnce } = await measureNeighbours(service);
    row(
      'simple program beside hostile ones, p50',
      ms(loaded.p50),
      `allowed 3 × idle + 10 ms = ${ms(3 * idle.p50 + 10)}`,
      loaded.p50 / (3 * idle.p50 + 10),
    );
    row('hostile programs that ran at a time', `${round(hostileAtOnce, 1)} of 8`);
    row('/health beside hostile programs, p99', ms(health.p99), 'allowed 50 ms', health.p99 / 50);
  } finally {
    await service.stop();
  }
  const drained = await newService('drained', { EXECUTOR_POOL_TYPESCRIPT: '0', EXECUTOR_POOL_PYTHON: '0' });
  try {
    const run = await drive(drained, SIMPLE_TYPESCRIPT, { clients: 1, seconds: 5, limit: 100 });
    row('TypeScript without a pool (every sandbox cold), p50', ms(run.latency.p50));
    const python = await drive(drained, SIMPLE_PYTHON, { clients: 1, seconds: 5, limit: 100 });
    row('Python without a pool, p50', ms(python.latency.p50));
  } finally {
    await drained.stop();
  }
}

async function measureDocuments(): Promise<void> {
  const figures = await measureSources(directory);
  if (figures === null) {
    row('a document of 13 MB', 'skipped: ../shared/fixtures is absent');
    return;
  }
  const { megabytes, tools, floorMs, addMs, health, peakMb } = figures;
  const allowedMs = 2 * floorMs + 3_000;
  const allowed = `allowed 2 × parse + dereference (${ms(floorMs)}) + 3 s`;
  row(`${round(megabytes, 0)} MB OpenAPI, added (${tools} tools), slowest of 3`, ms(addMs.max), allowed, addMs.max / allowedMs);
  row('/health meanwhile, p99', ms(health.p99), 'allowed 50 ms', health.p99 / 50);
  row('memory of the service, peak', `${peakMb} MB`);
}

/** The floor before and after, because these machines drift; the soak in between, with what it leaves behind. */
async function measureThroughput(service: Service): Promise<void> {
  for (const [name, scenario, runtime] of [
    ['TypeScript', SIMPLE_TYPESCRIPT, 'typescript'],
    ['Python', SIMPLE_PYTHON, 'python'],
  ] as const) {
    await drive(service, scenario, { clients: 16, seconds: 3 });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const before = { processes: tree(service.pid).length, descriptors: openDescriptors(service.pid), memoryMb: treeMemoryMb(service.pid) };
    const floorBefore = measureFloor(directory, runtime, 400, 2);
    const run = await drive(service, scenario, { clients: 16, seconds: soakSeconds });
    const underLoadMb = treeMemoryMb(service.pid);
    const floor = (floorBefore + measureFloor(directory, runtime, 400, 2)) / 2;
    row(`${name}, 16 clients`, `${round(run.perSecond, 0)}/s`, `floor ${round(floor, 0)}/s`, run.perSecond / floor);
    row(`${name}, 16 clients, p50 / p99`, `${ms(run.latency.p50)} / ${ms(run.latency.p99)}`);
    row(`${name}, 16 clients, warm`, `${round(run.warmShare * 100, 0)} %`);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const after = { processes: tree(service.pid).length, descriptors: openDescriptors(service.pid), memoryMb: treeMemoryMb(service.pid) };
    row(`${name}, processes before → after ${round(run.seconds, 0)} s`, `${before.processes} → ${after.processes}`);
    row(`${name}, descriptors before → after`, `${before.descriptors} → ${after.descriptors}`);
    row(
      `${name}, memory before / under load / after`,
      `${round(before.memoryMb, 0)} / ${round(underLoadMb, 0)} / ${round(after.memoryMb, 0)} MB`,
    );
  }
}

async function measureCatalogs(): Promise<void> {
  for (const count of [100, 1_000, 10_000]) {
    const figures = await measureCatalog(directory, count);
    row(`${count} tools: wrappers from nothing`, ms(figures.generateAllMs));
    row(`${count} tools: one changed`, ms(figures.generateChangedMs));
    row(`${count} tools: search over HTTP, p50 / p99`, `${ms(figures.search.p50)} / ${ms(figures.search.p99)}`);
  }
}

async function measureFindings(): Promise<void> {
  const fixtures = process.env.EXECUTOR_TEST_FIXTURES;
  const figures = fixtures === undefined ? null : await measureSearch(directory, join(fixtures, 'mcp-servers.json'));
  if (figures === null) {
    row('search, recall@5', 'left out: needs ../shared/fixtures and EXECUTOR_TEST_FIXTURES');
    return;
  }
  const share = ({ found, of }: Recall): string => `${round(found / of, 3)} (${found} of ${of})`;
  const goal = 'wanted 0.9';
  row(`search over ${figures.tools} tools, recall@5`, share(figures.all), goal, 0.9 / (figures.all.found / figures.all.of));
  row('of the half that was tuned on', share(figures.tuned));
  row('of the half that was held out', share(figures.heldOut));
  row("of those without a word of the tool's name", share(figures.withoutName));
  row('search over HTTP, p50 / p99', `${ms(figures.latency.p50)} / ${ms(figures.latency.p99)}`);
  for (const query of figures.missed) console.error(`not among the first five: ${query}`);
}

async function measureFixtures(): Promise<void> {
  const fixtures = process.env.EXECUTOR_TEST_FIXTURES;
  if (fixtures === undefined) {
    row('tool calls and tokens', 'left out: EXECUTOR_TEST_FIXTURES names no directory with mcp-servers.json');
    return;
  }
  const file = join(fixtures, 'mcp-servers.json');
  const servers = JSON.parse(readFileSync(file, 'utf8')) as {
    mcpServers: Record<string, { command: string; args: string[]; trust?: boolean }>;
  };
  const expected = Object.keys(servers.mcpServers).length;
  const filesystem = servers.mcpServers.filesystem;
  if (filesystem === undefined) throw new Error(`${file} has no server called filesystem`);
  const service = await newService('fixtures', { EXECUTOR_MCP_SERVERS: file });
  try {
    await untilServersReady(service, expected);
    const tokens = await measureTokens(service);
    row(`names of ${tokens.tools} tools`, `${tokens.names} tokens`, 'allowed 4 a tool', tokens.names / (4 * tokens.tools));
    row(
      'names with one-line descriptions',
      `${tokens.descriptions} tokens`,
      'allowed 19 a tool',
      tokens.descriptions / (19 * tokens.tools),
    );
    row('full definitions', `${tokens.full} tokens`);
    for (const pauseMs of [PAUSE_MS, LONG_PAUSE_MS]) {
      const calls = await measureToolCalls(service, filesystem, filesystem.args.at(-1) ?? '', pauseMs);
      const addedMs = calls.one.p50 - calls.none.p50;
      row(
        `one tool call, ${pauseMs} ms apart, added p50`,
        ms(addedMs),
        `direct call p50 ${ms(calls.direct.p50)}; allowed 3 ms more`,
        addedMs / (calls.direct.p50 + 3),
      );
      row(`two tool calls, ${pauseMs} ms apart, added p50`, ms(calls.two.p50 - calls.none.p50));
    }
    row('memory of the idle service with the ten servers (PSS)', `${round(treeMemoryMb(service.pid), 0)} MB`);
  } finally {
    await service.stop();
  }
}

async function untilServersReady(service: Service, expected: number): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const { body } = await service.get('/health');
    const servers = Object.values((body as { servers: Record<string, string> }).servers);
    if (servers.length === expected && servers.every((state) => state === 'ready')) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('the fixture servers are not up after 60 s');
}

function newService(name: string, environment: Record<string, string> = {}): Promise<Service> {
  const dataDir = join(directory, name);
  mkdirSync(dataDir, { recursive: true });
  return startService(dataDir, environment);
}
