import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

export const ROOT = resolve(import.meta.dirname, '../..');
export const WORKER_IMAGE = 'code-executor-worker:test';

/** What `docker-compose.yml` and `k8s/base/worker.yaml` give a worker. */
const HARDENED = [
  '--read-only',
  '--cap-drop=ALL',
  '--security-opt=no-new-privileges',
  `--security-opt=seccomp=${ROOT}/sandbox-image/seccomp.json`,
  '--user=10001:10001',
  '--tmpfs=/tmp:size=64m,mode=0700,uid=10001,gid=10001,noexec',
  '--tmpfs=/var/lib/code-executor:size=256m,mode=0700,uid=10001,gid=10001',
  '--memory=4g',
  '--cpus=2',
  '--pids-limit=4096',
];

/** Builds it, or finds it built: the engine keeps the layers of what has not changed. */
export async function buildWorkerImage(): Promise<void> {
  const args = ['build', '--network=host', '--quiet', '--file=sandbox-image/Dockerfile', `--tag=${WORKER_IMAGE}`, '.'];
  await run('docker', args, { cwd: ROOT, timeout: BUILD_LIMIT_MS, env: { ...process.env, DOCKER_BUILDKIT: '0' } });
}

export interface ContainerRun {
  readonly command: readonly string[];
  readonly options?: readonly string[];
  readonly timeoutMs?: number;
}

/** Runs one command in a worker's container and answers what it printed, whichever way it ended. The container is removed. */
export async function runInWorker({
  command,
  options = [],
  timeoutMs = 60_000,
}: ContainerRun): Promise<{ stdout: string; stderr: string }> {
  const name = `code-executor-test-${randomBytes(6).toString('hex')}`;
  const args = ['run', '--rm', `--name=${name}`, ...HARDENED, ...options, WORKER_IMAGE, ...command];
  try {
    return await run('docker', args, { timeout: timeoutMs, maxBuffer: OUTPUT_MAXIMUM });
  } catch (error) {
    if (error instanceof Error && 'code' in error && typeof error.code === 'number' && 'stdout' in error && 'stderr' in error) {
      return { stdout: String(error.stdout), stderr: String(error.stderr) };
    }
    throw error;
  } finally {
    // Only one that was given up on is still there.
    await run('docker', ['rm', '--force', name]).catch(() => undefined);
  }
}

/** A network without a way out, so that there is an interface and a gateway that programs could try to reach. */
export async function makeInternalNetwork(): Promise<{ readonly name: string; remove(): Promise<void> }> {
  const name = `code-executor-test-${randomBytes(6).toString('hex')}`;
  await run('docker', ['network', 'create', '--internal', name]);
  return {
    name,
    async remove() {
      await run('docker', ['network', 'rm', name]);
    },
  };
}

export async function inspectImage(): Promise<Readonly<Record<string, unknown>>> {
  const { stdout } = await run('docker', ['image', 'inspect', '--format={{json .Config}}', WORKER_IMAGE]);
  return JSON.parse(stdout);
}

const run = promisify(execFile);
const BUILD_LIMIT_MS = 600_000;
const OUTPUT_MAXIMUM = 64 * 1024 * 1024;
