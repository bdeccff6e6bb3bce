import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPostgres, startRedis, type TestContainer } from '../support/containers.ts';
import { type Balancer, startBalancer } from './balancer.ts';
import { type LedgerServer, startLedgerServer } from './ledger-server.ts';
import { type ServiceProcess, startServiceProcess } from './service-process.ts';

/** A store that faults are done to. */
export type Store = TestContainer;

export interface ChaosFleet {
  readonly gateways: readonly ServiceProcess[];
  readonly workers: readonly ServiceProcess[];
  readonly proxies: readonly ServiceProcess[];
  readonly redis: Store;
  readonly postgres: Store;
  readonly ledger: LedgerServer;
  /** Of an admin. */
  readonly key: string;
  readonly logsDir: string;
  /** Keys by which its processes know each other. */
  readonly secrets: readonly string[];
  close(): Promise<void>;
}

export interface FleetSize {
  readonly gateways: number;
  readonly workers: number;
  readonly proxies: number;
}

/** What a test wants besides: further entries of the servers file, and variables. */
export interface FleetExtras {
  readonly servers?: Readonly<Record<string, object>>;
  readonly everywhere?: Readonly<Record<string, string>>;
  readonly ofGateways?: Readonly<Record<string, string>>;
  readonly ofProxies?: Readonly<Record<string, string>>;
}

const START_REDIS = () => startRedis({ args: ['--appendfsync', 'everysec'] });

/**
 * The fleet as plain processes with the configuration that they have anywhere, on stores in containers. Several proxies are
 * behind one address, as they are on Kubernetes. Whatever was started is ended when a part does not come up.
 */
export async function openChaosFleet(
  size: FleetSize,
  stores: { readonly redis?: () => Promise<Store>; readonly postgres?: () => Promise<Store> } = {},
  extras: FleetExtras = {},
): Promise<ChaosFleet> {
  const logsDir = await mkdtemp(join(tmpdir(), 'chaos-'));
  const opened: (() => Promise<unknown>)[] = [() => removeTree(logsDir)];
  const open = async <Part>(part: Promise<Part>, close: (part: Part) => Promise<unknown>): Promise<Part> => {
    const ready = await part;
    opened.push(() => close(ready));
    return ready;
  };
  const close = async (): Promise<void> => {
    for (const end of opened.toReversed()) await end();
  };
  try {
    const [redis, postgres] = await both(
      open<Store>((stores.redis ?? START_REDIS)(), (part) => part.stop()),
      open<Store>((stores.postgres ?? startPostgres)(), (part) => part.stop()),
    );
    const ledger = await open(startLedgerServer(join(logsDir, 'ledger.jsonl')), (part) => part.close());
    const serversFile = join(logsDir, 'mcp-servers.json');
    writeFileSync(serversFile, JSON.stringify({ mcpServers: { ledger: { url: ledger.url, trust: true }, ...extras.servers } }));

    const secrets = { gateway: secret(), worker: secret(), grant: secret() };
    const start = (service: string, number: number, environment: Record<string, string>): Promise<ServiceProcess> => {
      const name = `${service}-${number}`;
      const dataDir = join(logsDir, name);
      mkdirSync(dataDir, { mode: 0o700 });
      const common = { HOME: dataDir, REDIS_URL: redis.url, ...(service === 'gateway' ? {} : { EXECUTOR_DATA_DIR: dataDir }) };
      const process = startServiceProcess({
        service,
        name,
        logFile: join(logsDir, `${name}.log`),
        environment: { ...common, ...environment, ...extras.everywhere },
      });
      return open(process, async (part) => {
        part.thaw();
        await part.kill();
      });
    };
    const several = async (service: string, count: number, environment: Record<string, string>): Promise<ServiceProcess[]> => {
      const started: ServiceProcess[] = [];
      for (let number = 1; number <= count; number += 1) started.push(await start(service, number, environment));
      return started;
    };

    const proxies = await several('mcp-proxy', size.proxies, {
      DATABASE_URL: postgres.url,
      EXECUTOR_MCP_SERVERS: serversFile,
      EXECUTOR_SEAL_KEY_FILE: join(logsDir, 'seal.key'),
      EXECUTOR_GATEWAY_INTERNAL_KEY: secrets.gateway,
      EXECUTOR_WORKER_INTERNAL_KEY: secrets.worker,
      EXECUTOR_GRANT_KEY: secrets.grant,
      ...extras.ofProxies,
    });
    const balancer: Balancer = await open(startBalancer(proxies.map(({ url }) => url)), (part) => part.close());
    const adminKeyFile = join(logsDir, 'admin.key');
    const [gateways, workers] = await both(
      several('gateway', size.gateways, {
        DATABASE_URL: postgres.url,
        EXECUTOR_PROXY_URL: balancer.url,
        EXECUTOR_GATEWAY_INTERNAL_KEY: secrets.gateway,
        EXECUTOR_ADMIN_KEY_FILE: adminKeyFile,
        ...extras.ofGateways,
      }),
      several('worker', size.workers, {
        EXECUTOR_PROXY_URL: balancer.url,
        EXECUTOR_WORKER_INTERNAL_KEY: secrets.worker,
        EXECUTOR_POOL_TYPESCRIPT: '4',
        EXECUTOR_POOL_PYTHON: '3',
        EXECUTOR_CONCURRENCY: '8',
      }),
    );
    const key = (await readFile(adminKeyFile, 'utf8')).trim();
    return { gateways, workers, proxies, redis, postgres, ledger, key, logsDir, secrets: Object.values(secrets), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Settles when both have: nothing comes up behind the back of who ends what is up. */
async function both<One, Other>(one: Promise<One>, other: Promise<Other>): Promise<[One, Other]> {
  await Promise.allSettled([one, other]);
  return await Promise.all([one, other]);
}

const secret = (): string => randomBytes(32).toString('base64url');

/** Wrapper snapshots are read-only, folders too. */
async function removeTree(directory: string): Promise<void> {
  await promisify(execFile)('chmod', ['-R', 'u+w', directory]);
  await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
