import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type ServiceProcess, startProcess } from '../../services/worker/src/testing/start-process.ts';
import { startPostgres, startRedis, type TestContainer } from '../../test/support/containers.ts';
import { recordingServer } from '../../test/support/recording-entry.ts';
import { type Client, connect } from './http-client.ts';

/** The fleet as processes of this machine, with a PostgreSQL and a Redis of its own. */
export interface Fleet extends Client {
  readonly gateway: ServiceProcess;
  readonly proxy: ServiceProcess;
  readonly workers: readonly ServiceProcess[];
  readonly postgres: TestContainer;
  readonly redis: TestContainer;
  /** One more worker; resolves when the gateway has heard of its slots. */
  addWorker(): Promise<void>;
  /** A new workspace, asked with its own key. */
  workspace(name: string): Promise<Tenant>;
  /** One statement; answers the first column of each row. */
  query(statement: string): Promise<string[]>;
  stop(): Promise<void>;
}

export interface Tenant extends Client {
  /** Of its workspace. */
  readonly id: string;
}

interface FleetOptions {
  /** Whose services are started; that of this file by default. */
  readonly checkout?: string;
  /** Of every service. */
  readonly environment?: Readonly<Record<string, string>>;
}

export const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url));
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** Reports of workers are read once a second. */
const HEARD_MS = 2_500;

export async function startFleet(directory: string, options: FleetOptions = {}): Promise<Fleet> {
  const { checkout = CHECKOUT } = options;
  mkdirSync(directory, { recursive: true });
  const internal = { gateway: secret(), worker: secret(), grant: secret() };
  const stops: (() => Promise<unknown>)[] = [];
  const clients: Client[] = [];
  const workers: ServiceProcess[] = [];
  // Nobody else would end the containers of a run that is interrupted.
  const onSignal = (): void => void stop().finally(() => process.exit(1));
  for (const signal of SIGNALS) process.once(signal, onSignal);
  try {
    const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    stops.push(postgres.stop, redis.stop);
    // A deployment's services reach their stores without the engine's forwarder, two processes more on every way.
    const stores = { DATABASE_URL: postgres.directUrl, REDIS_URL: redis.directUrl };
    const proxy = await start('mcp-proxy', 'mcp-proxy', {
      ...stores,
      EXECUTOR_MCP_SERVERS: writeServers(),
      EXECUTOR_GATEWAY_INTERNAL_KEY: internal.gateway,
      EXECUTOR_WORKER_INTERNAL_KEY: internal.worker,
      EXECUTOR_GRANT_KEY: internal.grant,
    });
    await addWorker(proxy, redis);
    const keyFile = join(directory, 'admin.key');
    const gateway = await start('gateway', 'gateway', {
      ...stores,
      EXECUTOR_PROXY_URL: proxy.url,
      EXECUTOR_GATEWAY_INTERNAL_KEY: internal.gateway,
      EXECUTOR_ADMIN_KEY_FILE: keyFile,
      EXECUTOR_QUEUE_LIMIT: '100000',
    });
    await sleep(HEARD_MS);
    const client = newClient(gateway, readFileSync(keyFile, 'utf8').trim());
    const query = async (statement: string): Promise<string[]> => {
      const command = ['psql', '-U', 'executor', '-d', 'executor', '-qAt', '-v', 'ON_ERROR_STOP=1', '-c', statement];
      return (await postgres.exec(command)).split('\n').filter(Boolean);
    };
    return {
      ...client,
      gateway,
      proxy,
      workers,
      postgres,
      redis,
      query,
      async addWorker() {
        await addWorker(proxy, redis);
        await sleep(HEARD_MS);
      },
      async workspace(name) {
        const { status, body } = await client.post('/workspaces', { name });
        if (status !== 201) throw new Error(`No workspace: ${JSON.stringify(body)}`);
        const { id, key } = body as { id: string; key: string };
        return { ...newClient(gateway, key), id };
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }

  async function addWorker(proxy: ServiceProcess, redis: TestContainer): Promise<void> {
    const environment = {
      REDIS_URL: redis.directUrl,
      EXECUTOR_PROXY_URL: proxy.url,
      EXECUTOR_WORKER_INTERNAL_KEY: internal.worker,
      EXECUTOR_DRAIN_SECONDS: '2',
    };
    workers.push(await start('worker', `worker-${workers.length + 1}`, environment));
  }

  async function start(service: string, name: string, environment: Readonly<Record<string, string>>): Promise<ServiceProcess> {
    const dataDir = join(directory, name);
    mkdirSync(dataDir);
    const started = await startProcess({
      main: join(checkout, 'services', service, 'src/main.ts'),
      logFile: join(directory, `${name}.log`),
      ownSession: true,
      environment: {
        ...(service === 'gateway' ? {} : { EXECUTOR_DATA_DIR: dataDir }),
        HOME: dataDir,
        ...environment,
        ...options.environment,
      },
    });
    stops.unshift(() => started.stop('SIGTERM'));
    return started;
  }

  function writeServers(): string {
    const notes = join(directory, 'notes.txt');
    writeFileSync(notes, 'a note\n');
    const file = join(directory, 'mcp-servers.json');
    writeFileSync(file, JSON.stringify({ mcpServers: { notes: recordingServer(notes) } }));
    return file;
  }

  function newClient({ url }: ServiceProcess, key: string): Client {
    const client = connect(url, key);
    clients.push(client);
    return client;
  }

  /** Processes before the stores that they would otherwise look for. */
  async function stop(): Promise<void> {
    for (const signal of SIGNALS) process.off(signal, onSignal);
    for (const client of clients) client.close();
    for (const each of stops.splice(0)) await each();
  }
}

const secret = (): string => randomBytes(32).toString('base64url');
