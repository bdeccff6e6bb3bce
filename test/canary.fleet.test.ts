import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  CONFIDENTIAL_CLIENT,
  startAuthorizationServer,
  type TestAuthorizationServer,
} from '../packages/tools/src/testing/authorization-server.ts';
import { type ChaosFleet, openChaosFleet } from './chaos/chaos-fleet.ts';
import { ask } from './support/ask.ts';
import {
  BASIC_PAIR,
  CANARY,
  CANARY_CONNECTIONS,
  CANARY_SEEN,
  createHits,
  lookingProgram,
  needlesOf,
  TELLING_PATHS,
  WRONG_CONNECTIONS,
} from './support/canary.ts';
import { dockerAnswers } from './support/containers.ts';
import { ECHO_DOCUMENT, ECHO_MODES, type EchoingUpstream, startEchoingUpstream } from './support/echoing-upstream.ts';
import { followEvents } from './support/events.ts';
import { readRedis } from './support/read-redis.ts';
import { startRemoteServer } from './support/remote-server.ts';
import { STDIO_MODES } from './support/stdio-modes.ts';
import { type OtlpReceiver, startOtlpReceiver } from './traces/otlp-receiver.ts';

const answers = await dockerAnswers();
const ECHOING_SERVER = fileURLToPath(new URL('./support/echoing-server.ts', import.meta.url));

describe.skipIf(!answers)(`a secret that was given to the fleet${answers ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let fleet: ChaosFleet;
  let upstream: EchoingUpstream;
  let remote: Awaited<ReturnType<typeof startRemoteServer>>;
  let login: TestAuthorizationServer;
  let collector: OtlpReceiver;
  let client: Redis;
  let monitor: Redis;
  const filesDir = mkdtempSync(join(tmpdir(), 'canary-files-'));
  /** Everything that came out, by where. */
  const outputs: [string, string][] = [];
  /** Everything that any process has sent to Redis. */
  const commands: string[] = [];

  beforeAll(async () => {
    writeFileSync(join(filesDir, 'canary'), `${CANARY.fromFile}\n`);
    [upstream, remote, login, collector] = await Promise.all([
      startEchoingUpstream(),
      startRemoteServer('streamable', CANARY.mcpToken),
      startAuthorizationServer(),
      startOtlpReceiver(),
    ]);
    fleet = await openChaosFleet(
      { gateways: 1, workers: 1, proxies: 1 },
      {},
      {
        servers: {
          stdio: { command: process.execPath, args: [ECHOING_SERVER], env: { SERVICE_TOKEN: CANARY.stdioToken }, trust: true },
          dead: {
            command: process.execPath,
            args: [fileURLToPath(new URL('./support/recording-server.ts', import.meta.url))],
            env: { SERVICE_TOKEN: CANARY.stdioToken, BOOT_FAULT: 'crash' },
          },
        },
        everywhere: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
        ofProxies: {
          EXECUTOR_SECRET_CANARY: CANARY.fromEnvironment,
          EXECUTOR_SECRET_FILES_DIR: filesDir,
          EXECUTOR_OUTBOUND_ALLOW: '127.0.0.1',
          EXECUTOR_APPROVAL_WEBHOOK_URL: `${upstream.url}/echo?mode=plain`,
          EXECUTOR_APPROVAL_WEBHOOK_SECRET: CANARY.webhookSecret,
        },
      },
    );
    client = new Redis(fleet.redis.url);
    monitor = await client.monitor();
    monitor.on('monitor', (_time: string, args: readonly string[]) => commands.push(args.join(' ')));
    const made = [
      { slug: 'echo', kind: 'openapi', document: ECHO_DOCUMENT, baseUrl: upstream.url },
      { slug: 'remote', kind: 'mcp', url: remote.url, trust: true },
    ];
    for (const integration of made) expect((await say('POST', '/integrations', integration)).status, integration.slug).toBe(201);
    for (const [name, auth] of Object.entries(CANARY_CONNECTIONS)) await connect('echo', name, auth);
    await connect('remote', 'main', { type: 'bearer', token: CANARY.mcpToken });
  }, 240_000);
  afterAll(async () => {
    monitor?.disconnect();
    client?.disconnect();
    await fleet?.close();
    await Promise.all([upstream, remote, login, collector].map((part) => part?.close()));
    rmSync(filesDir, { recursive: true, force: true });
  }, 60_000);

  const gateway = () => ({ url: fleet.gateways[0]?.url ?? '', key: fleet.key });
  async function say(method: string, path: string, body?: unknown) {
    const reply = await ask(gateway(), method, path, body === undefined ? {} : { body });
    outputs.push([`${method} ${path}`, `${reply.text}\n${JSON.stringify(reply.headers)}`]);
    return reply;
  }
  async function connect(integration: string, name: string, auth: object): Promise<string> {
    const made = await say('POST', '/connections', { integration, name, owner: 'workspace', auth });
    expect(made.status, `${name}: ${made.text}`).toBe(201);
    return (made.json() as { id: string }).id;
  }
  const needles = () =>
    needlesOf([
      ...Object.values(CANARY),
      BASIC_PAIR,
      CONFIDENTIAL_CLIENT.clientSecret,
      ...login.issued.access,
      ...login.issued.refresh,
      ...fleet.secrets,
      readFileSync(join(fleet.logsDir, 'seal.key'), 'utf8').trim(),
    ]);
  const hitsIn = (text: string): string[] => createHits(needles())(text);
  const hitsOf = (places: Iterable<readonly [string, string]>): string[] => {
    const find = createHits(needles());
    return [...places].flatMap(([where, text]) => find(text).map((hit) => `${where}: ${hit}`));
  };

  test('reaches its upstream, and comes back in no answer that the upstream makes of it', async () => {
    for (const name of Object.keys(CANARY_CONNECTIONS)) {
      for (const mode of ECHO_MODES) await say('POST', `/tools/invoke/${encodeURIComponent(`echo@${name}`)}/echo`, { args: { mode } });
    }
    const heard = [...upstream.seen];
    for (const secret of CANARY_SEEN)
      expect(
        heard.filter((value) => value.startsWith(secret)),
        secret,
      ).not.toEqual([]);
    for (const mode of STDIO_MODES) {
      await vi.waitFor(async () => expect((await say('GET', '/integrations/stdio')).json()).toMatchObject({ state: 'ready' }), 30_000);
      await say('POST', '/tools/invoke/stdio/say', { args: { mode } });
    }
    await vi.waitFor(async () => expect((await say('GET', '/integrations/stdio')).json()).toMatchObject({ state: 'ready' }), 30_000);
    await say('GET', '/tools/info/stdio/say');
    await say('GET', '/tools/search?q=say&detail=full');
    await say('GET', '/integrations/dead');
    const answered = outputs.filter(([where]) => where.includes('/tools/'));
    expect(answered.filter(([, text]) => text.includes('[secret]')).length).toBeGreaterThan(60);
    const hidden = ([where, text]: [string, string]) => where.includes('/stdio/say') && /\[secret\]|\[withheld/.test(text);
    expect(answered.filter(hidden).length).toBeGreaterThan(9);
    expect(hitsOf(answered)).toEqual([]);
  }, 180_000);

  test('of OAuth is renewed, refused and echoed, and comes back nowhere', async () => {
    const good = { ...CONFIDENTIAL_CLIENT, issuer: login.url };
    const machine = await connect('echo', 'machine', { type: 'oauth2', grant: 'client_credentials', ...good });
    const wrong = await connect('echo', 'wrong', {
      ...good,
      type: 'oauth2',
      grant: 'client_credentials',
      clientSecret: CANARY.oauthSecret,
    });
    const person = await connect('echo', 'person', { type: 'oauth2', ...good });
    const { url } = (await say('POST', `/connections/${person}/oauth/start`, {})).json() as { url: string };
    const back = await login.consent(url);
    expect((await say('GET', `/oauth/callback${back.search}`)).status).toBe(200);
    for (const round of [1, 2]) {
      for (const [name, mode] of ['machine', 'person', 'wrong'].flatMap((name) => ['plain', 'refused'].map((mode) => [name, mode])))
        await say('POST', `/tools/invoke/${encodeURIComponent(`echo@${name}`)}/echo`, { args: { mode } });
      if (round === 1) login.forget();
    }
    login.revokeAll();
    for (const id of [machine, wrong, person]) {
      await say('POST', `/connections/${id}/validate`, {});
      await say('GET', `/connections/${id}`);
    }
    expect(login.grants).toEqual(expect.arrayContaining(['authorization_code', 'refresh_token', 'client_credentials']));
    for (const token of login.issued.access.slice(0, 2)) expect([...upstream.seen]).toContain(token);
    expect(hitsOf(outputs)).toEqual([]);
  }, 120_000);

  test('is in no sandbox, in no live log, and in no approval', async () => {
    const calls = [
      ...ECHO_MODES.map((mode) => `tools.echo.echo({ mode: '${mode}' })`),
      ...STDIO_MODES.filter((mode) => mode !== 'die').map((mode) => `tools.stdio.say({ mode: '${mode}' })`),
      "tools.remote.greet({ name: 'x' })",
    ];
    const started = await say('POST', '/execute?wait=false', {
      language: 'typescript',
      code: lookingProgram(needles(), calls),
      timeoutMs: 60_000,
      wait: false,
    });
    const { executionId } = started.json() as { executionId: string };
    const live = await followEvents(gateway(), executionId);
    outputs.push(['the live log', JSON.stringify(await live.ended)]);
    const ended = (await say('GET', `/executions/${executionId}`)).json() as {
      status: string;
      error: unknown;
      output: string;
      result: { hits: string[]; length: number };
    };
    expect(ended.error).toBeNull();
    expect(ended.result).toMatchObject({ hits: [], length: expect.any(Number) });
    expect(ended.result.length).toBeGreaterThan(10_000);
    expect(ended.output.length).toBeGreaterThan(2_000);
    await say('GET', `/executions/${executionId}/events`);
    expect((await say('POST', '/policies', { pattern: 'echo.*', action: 'require_approval' })).status).toBe(201);
    const paused = (await say('POST', '/tools/invoke/echo/echo', { args: { mode: 'plain' } })).json() as { approval: { id: string } };
    await say('GET', `/approvals/${paused.approval.id}`);
    // The signature of the webhook.
    await vi.waitFor(() => expect([...upstream.seen].some((value) => /^[0-9a-f]{64}$/.test(value))).toBe(true), 20_000);
    expect((await say('POST', `/approvals/${paused.approval.id}`, { decision: 'approve' })).status).toBe(200);
    expect(hitsOf(outputs)).toEqual([]);
  }, 120_000);

  test('is in no answer of any other route, in no error for what is wrong with it, and in no page', async () => {
    const { items } = (await say('GET', '/connections')).json() as { items: { id: string }[] };
    expect(items.length).toBeGreaterThan(Object.keys(CANARY_CONNECTIONS).length);
    for (const { id } of items) {
      await say('GET', `/connections/${id}`);
      await say('POST', `/connections/${id}/validate`, {});
      await say('POST', `/connections/${id}/oauth/start`, {});
    }
    for (const body of WRONG_CONNECTIONS) expect((await say('POST', '/connections', body)).status).toBeGreaterThanOrEqual(400);
    await say('PATCH', `/connections/${items[0]?.id}`, { auth: { type: 'bearer', token: CANARY.bearer } });
    await say('GET', `/oauth/callback?state=${encodeURIComponent(CANARY.bearer)}&error=x`);
    for (const path of TELLING_PATHS) await say('GET', path);
    for (const process of [...fleet.proxies, ...fleet.workers]) {
      for (const path of ['/health', '/health/ready', '/metrics'])
        outputs.push([`${process.name} ${path}`, await (await fetch(`${process.url}${path}`)).text()]);
    }
    expect((await say('POST', '/providers/sealed/rotate', { newKey: true })).json()).toMatchObject({ keys: 2 });
    expect(hitsOf(outputs.filter(([where]) => !where.includes('oauth/callback?state=')))).toEqual([]);
  }, 120_000);

  test('is in clear in no table of PostgreSQL, in no key of Redis and in nothing that was ever sent there', async () => {
    const dump = await fleet.postgres.exec(['pg_dump', '-U', 'executor', 'executor']);
    // What is looked for would be found: names of connections and what was printed are in clear.
    for (const shown of ['cookie', 'connection_grants', '[withheld']) expect(dump.includes(shown), shown).toBe(true);
    expect(hitsIn(dump)).toEqual([]);
    const keys = await readRedis(client);
    expect(keys.map(([key]) => key).filter((key) => key.startsWith('executor:worker:')).length).toBeGreaterThan(0);
    expect(hitsOf(keys)).toEqual([]);
    const sent = commands.join('\n');
    for (const shown of ['executor:live:', 'executor:queue', '[withheld']) expect(sent.includes(shown), shown).toBe(true);
    expect(hitsIn(sent)).toEqual([]);
  });

  test('is in no log line and no file of any process, in no trace, and in no argument or environment but where it was put', async () => {
    const files = readdirSync(fleet.logsDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      // Where the operator has put them.
      .filter((file) => !file.endsWith('mcp-servers.json') && !file.includes('seal.key'));
    const logs = files.filter((file) => file.endsWith('-1.log'));
    expect(logs).toHaveLength(3);
    expect(hitsOf(files.map((file) => [file, readFileSync(file, 'latin1')]))).toEqual([]);
    await vi.waitFor(
      () => expect(collector.spans.some(({ attributes }) => attributes['code_executor.tool.server'] === 'stdio')).toBe(true),
      20_000,
    );
    expect(hitsOf(collector.bodies.map((body, index) => [`trace ${index}`, body]))).toEqual([]);
    const upstreams = needlesOf([...Object.values(CANARY), BASIC_PAIR, ...login.issued.access, ...login.issued.refresh]);
    for (const process of [...fleet.gateways, ...fleet.workers, ...fleet.proxies]) {
      const found = (file: string) => createHits(upstreams)(readFileSync(`/proc/${process.pid()}/${file}`, 'latin1'));
      expect(found('cmdline'), process.name).toEqual([]);
      if (!process.name.startsWith('mcp-proxy')) expect(found('environ'), process.name).toEqual([]);
    }
  });

  test('is in no core dump: the services are started without any', () => {
    const start = fileURLToPath(new URL('../services/start.sh', import.meta.url));
    // What becomes of the process that execs the service: its limits instead of the service.
    const script = readFileSync(start, 'utf8').replace(/^exec node .*$/m, 'exec cat /proc/self/limits');
    expect(script).toContain('exec cat');
    expect(
      execFileSync('sh', ['-c', `ulimit -c unlimited 2>/dev/null || true\n${script}`, 'start.sh', 'gateway'], { encoding: 'utf8' }),
    ).toMatch(/^Max core file size\s+0\s+0\s/m);
  });
});
