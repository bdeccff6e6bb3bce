import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';

const ROOT = join(import.meta.dirname, '../..');
const COPIED = [
  'deploy.sh',
  'deploy',
  'docker-compose.yml',
  'docker-compose.containers.yml',
  'package.json',
  'package-lock.json',
  '.npmrc',
  '.dockerignore',
];
const SOURCES = ['packages', 'services', 'sandbox-image', 'wrappers'];

const TURN_FILE = join(tmpdir(), `code-executor-compose-${process.getuid?.() ?? 0}.lock`);

export interface CommandEnd {
  readonly exitCode: number;
  /** stdout and stderr in the order they came, or nearly. */
  readonly text: string;
}

/** A fleet of a test's own: a copy of the checkout, a data directory, a Compose project and a port. */
export interface ComposeDeployment {
  readonly place: string;
  readonly checkout: string;
  readonly dataDir: string;
  readonly project: string;
  readonly url: string;
  /** Runs the copy's `./deploy.sh ARGS`; never rejects for a non-zero exit. */
  deploy(args: readonly string[], settings?: Readonly<Record<string, string>>): Promise<CommandEnd>;
  docker(...args: string[]): Promise<CommandEnd>;
  /** Ids of the running containers of one service. */
  containers(service: string): Promise<string[]>;
  /** A shell line inside the first container of a service. */
  inside(service: string, script: string): Promise<CommandEnd>;
  ask(path: string, body?: unknown, key?: string): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;
  /** Takes containers, networks and volumes away, whatever state they are in. */
  wipe(): Promise<void>;
  remove(): Promise<void>;
}

export async function newComposeDeployment(): Promise<ComposeDeployment> {
  const place = await mkdtemp(join(tmpdir(), 'compose-'));
  const project = `ce-test-${randomBytes(4).toString('hex')}`;
  const port = await freePort();
  const dataDir = join(place, 'data');
  const checkout = join(place, 'checkout');
  const url = `http://127.0.0.1:${port}`;
  for (const name of [...COPIED, ...SOURCES]) {
    await cp(join(ROOT, name), join(checkout, name), { recursive: true, filter: (path) => !/\/(node_modules|\.build|build)$/.test(path) });
  }
  const environment = {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: place,
    LANG: 'C.UTF-8',
    TMPDIR: place,
    ...(process.env.DOCKER_HOST === undefined ? {} : { DOCKER_HOST: process.env.DOCKER_HOST }),
    EXECUTOR_DATA_DIR: dataDir,
    EXECUTOR_PORT: String(port),
    EXECUTOR_COMPOSE_PROJECT: project,
    // Other suites share these cores.
    EXECUTOR_POOL_TYPESCRIPT: '2',
    EXECUTOR_POOL_PYTHON: '1',
  };
  const docker = (...args: string[]) => run('docker', args, environment);
  const labelled = ['--filter', `label=com.docker.compose.project=${project}`];
  const containers = async (service: string) =>
    lines((await docker('ps', '--quiet', ...labelled, '--filter', `label=com.docker.compose.service=${service}`)).text);

  async function wipe(): Promise<void> {
    for (const id of lines((await docker('ps', '--all', '--quiet', ...labelled)).text)) await docker('rm', '--force', '--volumes', id);
    for (const id of lines((await docker('network', 'ls', '--quiet', ...labelled)).text)) await docker('network', 'rm', id);
    for (const id of lines((await docker('volume', 'ls', '--quiet', ...labelled)).text)) await docker('volume', 'rm', id);
  }

  return {
    place,
    checkout,
    dataDir,
    project,
    url,
    docker,
    containers,
    wipe,
    deploy(args, settings = {}) {
      const command = ['bash', join(checkout, 'deploy.sh'), ...args];
      // Two of them at once would build the same images twice, and make each other wait for the cores.
      const turn = args[0] === 'up' ? ['flock', TURN_FILE] : [];
      const [program = '', ...rest] = [...turn, ...command];
      return run(program, rest, { ...environment, ...settings });
    },
    async inside(service, script) {
      const [id = ''] = await containers(service);
      return await docker('exec', id, 'bash', '-c', script);
    },
    async ask(path, body, key) {
      const bearer = key ?? (await readFile(join(dataDir, 'admin.key'), 'utf8')).trim();
      const response = await fetch(`${url}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { authorization: `Bearer ${bearer}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(60_000),
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    },
    async remove() {
      await wipe();
      // Secrets belong to the containers' uids: only a container's root can remove them.
      const image = lines((await docker('images', '--quiet', 'code-executor/services')).text)[0];
      if (image !== undefined)
        await docker(
          'run',
          '--rm',
          '--network',
          'none',
          '--user',
          '0:0',
          '--volume',
          `${place}:/place`,
          '--entrypoint',
          'rm',
          image,
          '-rf',
          '/place/data',
        );
      await rm(place, { recursive: true, force: true });
    },
  };
}

export const lines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<CommandEnd> {
  return new Promise((resolve, reject) => {
    execFile(command, [...args], { env, timeout: 900_000, maxBuffer: 32 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(error);
      else resolve({ exitCode: typeof error?.code === 'number' ? error.code : 0, text: stdout + stderr });
    });
  });
}
