import { randomBytes } from 'node:crypto';
import { GenericContainer, getContainerRuntimeClient, ImageName, PullPolicy, type StartedTestContainer, Wait } from 'testcontainers';
import { freePort } from './free-port.ts';

/** A database or a Redis of a test's own. It keeps its address through every one of these but `stop`. */
export interface TestContainer {
  readonly url: string;
  /** The same past the engine's forwarder, as containers reach each other; another one after `restart`. */
  readonly directUrl: string;
  /** Killed and started again, with the data it had written. Resolves when it answers. */
  restart(): Promise<void>;
  /** Stopped with SIGKILL: connections are refused until `restart`. */
  kill(): Promise<void>;
  /** Frozen: connections hang until `unpause`. */
  pause(): Promise<void>;
  unpause(): Promise<void>;
  /** Runs a program inside it and answers what that printed. */
  exec(command: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

const POSTGRES_IMAGE = 'postgres:17-bookworm';
const REDIS_IMAGE = 'redis:8-bookworm';

/** A container whose test was killed ends by itself; nothing else would end it, since the reaper's image is not at hand. */
const LIFETIME_SECONDS = 1_800;
const START_TIMEOUT_MS = 60_000;
const LABEL = 'code-executor.test';

let answers: Promise<boolean> | null = null;

/** Whether a Docker engine answers this process, and holds the images. Asked once. */
export function dockerAnswers(): Promise<boolean> {
  answers ??= ask();
  return answers;
}

interface StoreOptions {
  readonly args?: readonly string[] | undefined;
  /** Name of the volume that its data are on; one of its own by default. */
  readonly volume?: string | undefined;
}

/** PostgreSQL with an empty database; `args` are settings for the server, such as `-c max_connections=20`. */
export async function startPostgres(options: StoreOptions = {}): Promise<TestContainer> {
  const password = randomBytes(12).toString('hex');
  return await start({
    image: POSTGRES_IMAGE,
    command: ['postgres', ...(options.args ?? [])],
    environment: { POSTGRES_PASSWORD: password, POSTGRES_USER: 'executor', POSTGRES_DB: 'executor' },
    containerPort: 5432,
    data: { volume: options.volume, folder: '/var/lib/postgresql/data' },
    probe: 'pg_isready -h 127.0.0.1 -U executor -d executor',
    urlOf: (host) => `postgres://executor:${password}@${host}/executor`,
  });
}

/** Redis with an append-only file and a password; `args` are further settings, such as `--maxmemory 5mb`. */
export async function startRedis(options: StoreOptions = {}): Promise<TestContainer> {
  const password = randomBytes(12).toString('hex');
  const settings = ['--requirepass', password, '--appendonly', 'yes', '--maxmemory-policy', 'noeviction'];
  return await start({
    image: REDIS_IMAGE,
    command: ['redis-server', ...settings, ...(options.args ?? [])],
    environment: {},
    containerPort: 6379,
    data: { volume: options.volume, folder: '/data' },
    probe: 'redis-cli ping | grep -qE "PONG|NOAUTH"',
    urlOf: (host) => `redis://:${password}@${host}`,
  });
}

interface ContainerPlan {
  readonly image: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly containerPort: number;
  readonly data: { readonly volume: string | undefined; readonly folder: string };
  /** Succeeds inside the container once it serves. */
  readonly probe: string;
  readonly urlOf: (host: string) => string;
}

async function start(plan: ContainerPlan): Promise<TestContainer> {
  await removeLeftovers();
  // The engine would give it another port with every start.
  const port = await freePort();
  const container = await new GenericContainer(plan.image)
    .withPullPolicy(PullPolicy.neverPull())
    .withEntrypoint(['timeout', '-s', 'KILL', String(LIFETIME_SECONDS), 'docker-entrypoint.sh'])
    .withCommand([...plan.command])
    .withEnvironment({ ...plan.environment })
    .withLabels({ [LABEL]: 'yes' })
    .withBindMounts(plan.data.volume === undefined ? [] : [{ source: plan.data.volume, target: plan.data.folder }])
    .withExposedPorts({ container: plan.containerPort, host: port })
    .withWaitStrategy(Wait.forAll([Wait.forListeningPorts(), Wait.forSuccessfulCommand(plan.probe)]).withDeadline(START_TIMEOUT_MS))
    .start();
  const direct = `${container.getIpAddress('bridge')}:${plan.containerPort}`;
  return control(container, plan.urlOf(`127.0.0.1:${port}`), plan.urlOf(direct));
}

async function control(container: StartedTestContainer, url: string, directUrl: string): Promise<TestContainer> {
  const { container: containers } = await getContainerRuntimeClient();
  const handle = containers.getById(container.getId());
  return {
    url,
    directUrl,
    restart: () => container.restart({ timeout: 0 }),
    kill: async () => void (await handle.kill({ signal: 'SIGKILL' })),
    pause: async () => void (await handle.pause()),
    unpause: async () => void (await handle.unpause()),
    async exec(command) {
      const { output, exitCode } = await container.exec([...command]);
      if (exitCode !== 0) throw new Error(`${command[0]} ended with ${exitCode} in the container: ${output.slice(0, 500)}`);
      return output;
    },
    stop: async () => void (await handle.remove({ force: true, v: true })),
  };
}

async function ask(): Promise<boolean> {
  try {
    process.env.TESTCONTAINERS_RYUK_DISABLED ??= 'true';
    const { image } = await getContainerRuntimeClient();
    const found = await Promise.all([POSTGRES_IMAGE, REDIS_IMAGE].map((name) => image.exists(ImageName.fromString(name))));
    return found.every(Boolean);
  } catch {
    // No engine, or none that this user may ask; the suites that need one say so in their titles.
    return false;
  }
}

async function removeLeftovers(): Promise<void> {
  const { container } = await getContainerRuntimeClient();
  const deadSince = Date.now() / 1000 - LIFETIME_SECONDS;
  const ours = await container.dockerode.listContainers({ all: true, filters: { label: [`${LABEL}=yes`], status: ['exited'] } });
  for (const { Id, Created } of ours) {
    if (Created > deadSince) continue;
    // Another suite may be removing it at this moment.
    await container.getById(Id).remove({ force: true, v: true }).catch(ignoreMissing);
  }
}

function ignoreMissing(error: unknown): void {
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : null;
  if (status !== 404 && status !== 409) throw error;
}
