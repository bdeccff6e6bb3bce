import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newId } from '@code-executor/contracts';
import type { ClaimedByWorker, ExecutionGrant } from '@code-executor/executions';
import { closeAll, createLogger, createServiceSigner, type Database, openDatabase } from '@code-executor/platform';
import { createRemoteToolAdministration, createRemoteTools } from '@code-executor/tools';
import { sql } from 'kysely';
import { startPostgres, startRedis, type TestContainer } from '../../../../test/support/containers.ts';
import { readProxyConfig, startMcpProxy } from '../index.ts';

const HOSTILE_SERVER = fileURLToPath(new URL('../../../../packages/tools/src/testing/hostile-server.ts', import.meta.url));
const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
export const KEYS = { gateway: 'g'.repeat(43), worker: 'w'.repeat(43), grant: 'p'.repeat(43) };
const RENEW_EVERY_MS = 1_000;

/** A proxy under test, in this process or in one of its own. */
export interface TestProxy {
  readonly url: string;
  close(): Promise<void>;
}

export interface Claimed extends ClaimedByWorker {
  readonly grantForTools: ExecutionGrant;
}

/** An entry of the servers file for the misbehaving server of the tool domain's tests. */
export const server = (mode = 'plain', entry: object = {}): object => ({
  command: process.execPath,
  args: [HOSTILE_SERVER, mode],
  trust: true,
  ...entry,
});

/** PostgreSQL, Redis and as many proxies on them as a test asks for; what is claimed through it keeps its lease. */
export async function openTestFleet(servers: Record<string, unknown>, environment: Readonly<Record<string, string>> = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'code-executor-proxy-'));
  const serversFile = join(dir, 'mcp-servers.json');
  await writeFile(serversFile, JSON.stringify({ mcpServers: servers }));
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  const silent = createLogger({ level: 'silent', service: 'test' });
  const db = await openDatabase({ url: postgres.url, directory: dir, log: silent, connections: 2 });
  const lines: Record<string, unknown>[] = [];
  const log = recording(silent, lines);
  const opened: { close(): Promise<unknown> }[] = [];
  const held = new Map<string, { readonly token: number; readonly url: string }>();
  const authorizeWorker = createServiceSigner({ role: 'worker', name: 'worker-1', key: KEYS.worker });
  const authorizeGateway = createServiceSigner({ role: 'gateway', name: 'gateway-1', key: KEYS.gateway });
  const renewing = setInterval(() => void renew(), RENEW_EVERY_MS);
  let proxies = 0;

  async function environmentOf(port: number): Promise<Record<string, string>> {
    proxies += 1;
    const dataDir = join(dir, `data-${proxies}`);
    await mkdir(dataDir);
    return {
      EXECUTOR_HOST: '127.0.0.1',
      EXECUTOR_PORT: String(port),
      EXECUTOR_DATA_DIR: dataDir,
      EXECUTOR_MCP_SERVERS: serversFile,
      // One for all: what one proxy has sealed another one opens.
      EXECUTOR_SEAL_KEY_FILE: join(dir, 'seal.key'),
      EXECUTOR_DRAIN_SECONDS: '3',
      DATABASE_URL: postgres.url,
      REDIS_URL: redis.url,
      EXECUTOR_GATEWAY_INTERNAL_KEY: KEYS.gateway,
      EXECUTOR_WORKER_INTERNAL_KEY: KEYS.worker,
      EXECUTOR_GRANT_KEY: KEYS.grant,
      ...environment,
    };
  }

  async function startProxy(): Promise<TestProxy> {
    const port = await freePort();
    const closables = await startMcpProxy(readProxyConfig(await environmentOf(port)), log);
    let closing: Promise<void> | null = null;
    const proxy = {
      url: `http://127.0.0.1:${port}`,
      close: () => {
        closing ??= closeAll(closables, log);
        return closing;
      },
    };
    opened.push(proxy);
    await ready(proxy.url);
    return proxy;
  }

  /** In a process of its own, to be killed. It may be started again on its port. */
  async function spawnProxy(port?: number): Promise<TestProxy & { readonly port: number; kill(signal: NodeJS.Signals): void }> {
    const chosen = port ?? (await freePort());
    const environment = { ...(await environmentOf(chosen)), PATH: process.env.PATH ?? '', HOME: dir, EXECUTOR_LOG_LEVEL: 'error' };
    const child = spawn(process.execPath, [MAIN], { env: environment, stdio: ['ignore', 'inherit', 'inherit'] });
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const proxy = {
      url: `http://127.0.0.1:${chosen}`,
      port: chosen,
      kill: (signal: NodeJS.Signals) => void child.kill(signal),
      close: () => end(child, exited),
    };
    opened.push(proxy);
    await ready(proxy.url);
    return proxy;
  }

  async function ask(
    url: string,
    { method = 'POST', token, body, headers = {} }: { method?: string; token?: string; body?: unknown; headers?: Record<string, string> },
  ) {
    const response = await fetch(url, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: <Value>() => JSON.parse(text) as Value };
  }

  /** The row of an execution that was accepted, and dispatched just now. */
  async function accept(timeoutMs = 30_000, principalId = 'key_test'): Promise<string> {
    const id = newId('exe');
    await sql`insert into executions (id, workspace_id, principal_id, request_id, status, token, language, code, args_json, timeout_ms,
        typecheck, created_at, dispatched_at)
      values (${id}, 'wsp_default', ${principalId}, 'req_test', 'queued', 0, 'typescript', 'return 1', '{}', ${timeoutMs}, false, now(), now())`.execute(
      db.query(),
    );
    return id;
  }

  async function claim(url: string, options: { readonly keep?: boolean; readonly principalId?: string } = {}): Promise<Claimed> {
    const { principalId = 'key_test' } = options;
    const executionId = await accept(undefined, principalId);
    const body = { executionId, workerId: 'worker-1' };
    const answer = await ask(`${url}/internal/executions/claim`, { token: await authorizeWorker(), body });
    if (answer.status !== 200 || answer.text === 'null') throw new Error(`The claim failed: ${answer.status} ${answer.text}`);
    const claimed: ClaimedByWorker = answer.json();
    const { token } = claimed.execution;
    if (options.keep !== false) held.set(executionId, { token, url });
    const grantForTools = { executionId, workspaceId: 'wsp_default', principalId, bearer: claimed.grant };
    return { ...claimed, grantForTools };
  }

  /** As workers do; a proxy that is down right now is asked again in a second. */
  async function renew(): Promise<void> {
    const report = { workerId: 'worker-1', slots: 4, running: held.size, draining: false, pool: { hits: 0, misses: 0, warm: {} } };
    for (const [url, group] of Map.groupBy(held, ([, { url: at }]) => at)) {
      const body = { report, held: group.map(([executionId, { token }]) => ({ executionId, token })) };
      await ask(`${url}/internal/executions/renew`, { token: await authorizeWorker(), body }).catch(() => undefined);
    }
  }

  return {
    db,
    redis: redis as TestContainer,
    lines,
    held,
    ask,
    accept,
    claim,
    startProxy,
    spawnProxy,
    authorizeWorker,
    authorizeGateway,
    tools(url: string, patienceMs?: number) {
      const remote = createRemoteTools({ url, authorize: authorizeWorker, log, patienceMs });
      opened.push(remote);
      return remote;
    },
    administration(url: string) {
      const remote = createRemoteToolAdministration({ url, authorize: authorizeGateway, log });
      opened.push(remote);
      return remote;
    },
    async close() {
      clearInterval(renewing);
      for (const part of opened.reverse()) await part.close();
      await db.close();
      await Promise.all([postgres.stop(), redis.stop()]);
      await makeRemovable(dir);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export type TestFleet = Awaited<ReturnType<typeof openTestFleet>>;

export const journalOf = async (db: Database, executionId: string) =>
  (
    await sql<{
      tool: string;
      outcome: string | null;
    }>`select tool, outcome from tool_calls c left join tool_call_outcomes o on o.call_id = c.id
       where execution_id = ${executionId} order by call_number`.execute(db.query())
  ).rows;

/** Everything that was logged, in this process. */
function recording<Log extends object>(log: Log, lines: Record<string, unknown>[]): Log {
  return new Proxy(log, {
    get: (target, name, receiver) =>
      name === 'info' || name === 'warn' || name === 'error'
        ? (fields: object, message?: string) => lines.push({ level: name, ...fields, message })
        : name === 'child'
          ? () => recording(log, lines)
          : Reflect.get(target, name, receiver),
  });
}

async function ready(url: string): Promise<void> {
  const giveUpAt = performance.now() + 45_000;
  for (;;) {
    const status = await fetch(`${url}/health/ready`).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    if (performance.now() > giveUpAt) throw new Error(`The proxy at ${url} does not become ready (${status})`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function end(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill('SIGCONT');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await exited;
  clearTimeout(timer);
}

async function makeRemovable(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true }))
    if (entry.isDirectory()) await chmod(join(entry.parentPath, entry.name), 0o755);
}

async function freePort(): Promise<number> {
  const listener = createServer();
  try {
    return await new Promise<number>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(0, '127.0.0.1', () => {
        const address = listener.address();
        if (address === null || typeof address === 'string') reject(new Error('no port'));
        else resolve(address.port);
      });
    });
  } finally {
    listener.close();
  }
}
