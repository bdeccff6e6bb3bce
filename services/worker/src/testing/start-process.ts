import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A service of the fleet as a process of its own, on a port that it keeps through restarts. */
export interface ServiceProcess {
  readonly url: string;
  readonly pid: () => number;
  /** What it wrote to its log, line by line. */
  log(): Record<string, unknown>[];
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
  /** Resolves with the exit code when the process has ended. */
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
  start(): Promise<void>;
}

const READY_MS = 90_000;

/** Resolves when `/health/ready` says so. `main` is the service's own file. */
export async function startProcess(options: {
  readonly main: string;
  readonly logFile: string;
  readonly environment: Readonly<Record<string, string>>;
  /** In a session of its own, as a deployment's services are: the kernel may give each session the same share of the processors. */
  readonly ownSession?: boolean;
}): Promise<ServiceProcess> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let child = launch();
  try {
    await untilReady();
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  return {
    url,
    pid: () => child.pid ?? 0,
    log: () =>
      readFileSync(options.logFile, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line)),
    signal: (name) => void child.kill(name),
    async stop(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
      return child.exitCode;
    },
    async start() {
      child = launch();
      await untilReady();
    },
  };

  function launch() {
    const log = openSync(options.logFile, 'a');
    return spawn(process.execPath, [options.main], {
      env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/', EXECUTOR_PORT: String(port), ...options.environment },
      stdio: ['ignore', log, log],
      detached: options.ownSession === true,
    });
  }

  async function untilReady(): Promise<void> {
    const deadline = performance.now() + READY_MS;
    for (;;) {
      if (child.exitCode !== null)
        throw new Error(`${options.main} ended with ${child.exitCode}: ${readFileSync(options.logFile, 'utf8')}`);
      const status = await fetch(`${url}/health/ready`).then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 200) return;
      if (performance.now() > deadline) throw new Error(`${options.main} is not ready: ${readFileSync(options.logFile, 'utf8')}`);
      await sleep(50);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
