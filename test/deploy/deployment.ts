import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';

const ROOT = join(import.meta.dirname, '../..');
const COMMAND_TIMEOUT_MS = 170_000;

export interface CommandEnd {
  readonly exitCode: number | null;
  /** stdout and stderr in the order they came. */
  readonly text: string;
}

/** A place of its own for one `./deploy.sh`: data directory, port and home, and an environment without the caller's settings. */
export interface Deployment {
  readonly dataDir: string;
  readonly port: number;
  /** Runs `./deploy.sh ARGS`; never rejects for a non-zero exit. */
  run(args: readonly string[], settings?: Readonly<Record<string, string>>): Promise<CommandEnd>;
  /** Runs a command with the deployment's environment, `./deploy.sh` being `$DEPLOY`. */
  shell(script: string): Promise<CommandEnd>;
  /** Stops what runs and removes everything. */
  remove(): Promise<void>;
}

export async function newDeployment(): Promise<Deployment> {
  const place = await mkdtemp(join(tmpdir(), 'deploy-'));
  const port = await freePort();
  const dataDir = join(place, 'data');
  const environment = {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: place,
    LANG: 'C.UTF-8',
    TMPDIR: place,
    DEPLOY: join(ROOT, 'deploy.sh'),
    EXECUTOR_DATA_DIR: dataDir,
    EXECUTOR_PORT: String(port),
    // Few warm sandboxes: other suites share these cores.
    EXECUTOR_POOL_TYPESCRIPT: '1',
    EXECUTOR_POOL_PYTHON: '1',
    ...inherited('CODE_EXECUTOR_TEST_RUN'),
  };
  const run = (args: readonly string[], settings: Readonly<Record<string, string>> = {}) =>
    runCommand('bash', [environment.DEPLOY, ...args], { ...environment, ...settings });
  return {
    dataDir,
    port,
    run,
    shell: (script) => runCommand('bash', ['-c', script], environment),
    async remove() {
      try {
        await run(['down']);
      } finally {
        await rm(place, { recursive: true, force: true });
      }
    },
  };
}

function runCommand(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<CommandEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: COMMAND_TIMEOUT_MS });
    let text = '';
    const append = (chunk: Buffer) => {
      text += chunk.toString('utf8');
    };
    child.stdout.on('data', append);
    child.stderr.on('data', append);
    child.once('error', reject);
    // `close`, not `exit`: it also proves that nothing in the background keeps the caller's output open.
    child.once('close', (exitCode) => resolve({ exitCode, text }));
  });
}

function inherited(name: string): Record<string, string> {
  const value = process.env[name];
  return value === undefined ? {} : { [name]: value };
}
