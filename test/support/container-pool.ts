import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { buildWorkerImage, ROOT, WORKER_IMAGE } from '../images/docker.ts';

/** The service that makes single-use containers, as a process of its own with a directory of its own. */
export interface ContainerPoolProcess {
  readonly dataDir: string;
  readonly socketPath: string;
  readonly key: string;
  log(): string;
  /** Kills it as nothing could prepare for. */
  kill(): Promise<void>;
  /** Starts it again with the same directory. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const SANDBOX_IMAGE = 'code-executor-sandbox:test';
const READY_MS = 60_000;
const run = promisify(execFile);

/** Its image is built first, or found built. */
export async function startContainerPool(settings: Readonly<Record<string, string>> = {}): Promise<ContainerPoolProcess> {
  await buildSandboxImage();
  const dataDir = await mkdtemp(join(tmpdir(), 'container-pool-'));
  const socketPath = join(dataDir, 'pool.sock');
  const logFile = join(dataDir, 'service.log');
  const key = randomBytes(32).toString('hex');
  const launch = () => {
    const output = openSync(logFile, 'a');
    return spawn(process.execPath, [join(ROOT, 'services/container-pool/src/main.ts')], {
      env: {
        PATH: process.env.PATH ?? '',
        EXECUTOR_DATA_DIR: dataDir,
        EXECUTOR_CONTAINER_KEY: key,
        EXECUTOR_CONTAINER_IMAGE: SANDBOX_IMAGE,
        ...settings,
      },
      stdio: ['ignore', output, output],
    });
  };
  let child = launch();
  const ready = async (): Promise<void> => {
    const deadline = performance.now() + READY_MS;
    while (!existsSync(socketPath)) {
      if (child.exitCode !== null || performance.now() > deadline)
        throw new Error(`the container service did not start: ${readFileSync(logFile, 'utf8')}`);
      await sleep(20);
    }
  };
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  };
  await ready();
  return {
    dataDir,
    socketPath,
    key,
    log: () => readFileSync(logFile, 'utf8'),
    async kill() {
      await end('SIGKILL');
      await rm(socketPath, { force: true });
    },
    async start() {
      child = launch();
      await ready();
    },
    async stop() {
      await end('SIGTERM');
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function buildSandboxImage(): Promise<void> {
  await buildWorkerImage();
  const args = ['build', '--network=none', '--quiet', `--build-arg=WORKER_IMAGE=${WORKER_IMAGE}`, `--tag=${SANDBOX_IMAGE}`];
  const options = { cwd: ROOT, timeout: 600_000, env: { ...process.env, DOCKER_BUILDKIT: '0' } };
  await run('docker', [...args, 'sandbox-image/container'], options);
}

/** What the engine says of a sandbox's container; null: there is none. */
export async function inspectContainer(sandboxId: string): Promise<{ readonly id: string; readonly pid: number } | null> {
  try {
    const format = '{{.Id}} {{.State.Pid}}';
    const { stdout } = await run('docker', ['inspect', `--format=${format}`, `code-executor-sandbox-${sandboxId}`]);
    const [id = '', pid = ''] = stdout.trim().split(' ');
    return { id, pid: Number(pid) };
  } catch (error) {
    if (error instanceof Error && 'stderr' in error && String(error.stderr).includes('No such object')) return null;
    throw error;
  }
}

/** Bytes that the programs of a container hold, caches of files left out, sampled until it is closed; and its processes. */
export async function observeContainer(sandboxId: string) {
  const found = await inspectContainer(sandboxId);
  if (found === null) throw new Error(`there is no container of sandbox ${sandboxId}`);
  const groups = [`/sys/fs/cgroup/memory/docker/${found.id}`, `/sys/fs/cgroup/system.slice/docker-${found.id}.scope`];
  const group = groups.find((path) => existsSync(path));
  if (group === undefined) throw new Error(`the control group of ${found.id} is not at ${groups.join(' or ')}`);
  let peak = 0;
  const sample = (): void => {
    const stat = textOf(join(group, 'memory.stat'));
    const field = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0);
    peak = Math.max(peak, field('total_rss') + field('total_shmem') + field('anon') + (stat.includes('total_rss') ? 0 : field('shmem')));
  };
  sample();
  const timer = setInterval(sample, 10);
  return {
    peakBytes() {
      sample();
      return peak;
    },
    processesLeft: () => {
      // Init may be on its way out; it runs nothing of the program's.
      const pids = textOf(join(group, 'cgroup.procs')).split('\n').filter(Boolean);
      return pids.filter((pid) => pid !== String(found.pid)).length;
    },
    close: () => clearInterval(timer),
  };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // Gone meanwhile.
  }
}
