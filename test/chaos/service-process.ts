import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../support/free-port.ts';

/** One process of the fleet, on a port that it keeps through all its lives. */
export interface ServiceProcess {
  readonly name: string;
  readonly url: string;
  /** Of its present life. */
  pid(): number;
  /** Sends SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Sends SIGTERM; resolves with the exit code. */
  terminate(): Promise<number | null>;
  freeze(): void;
  thaw(): void;
  /** Starts it again; resolves when `/health/ready` says so. */
  start(): Promise<void>;
  /** Each time that it ended although nobody had told it to. */
  ownDeaths(): readonly string[];
}

/** Two processors that do much else; a service that needs longer has failed. */
const READY_MS = 150_000;
/** Above the longest drain of any service. */
const EXIT_MS = 45_000;

export async function startServiceProcess(options: {
  /** Of the folder in services/. */
  readonly service: string;
  readonly name: string;
  readonly logFile: string;
  readonly environment: Readonly<Record<string, string>>;
}): Promise<ServiceProcess> {
  const { service, name, logFile } = options;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const main = fileURLToPath(new URL(`../../services/${service}/src/main.ts`, import.meta.url));
  const told = new WeakSet<ChildProcess>();
  const ownDeaths: string[] = [];
  let child = launch();
  try {
    await untilReady();
  } catch (error) {
    await end('SIGKILL');
    throw error;
  }
  return {
    name,
    url,
    pid: () => child.pid ?? 0,
    kill: async () => void (await end('SIGKILL')),
    terminate: () => end('SIGTERM'),
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    ownDeaths: () => ownDeaths,
    async start() {
      if (isOver(child)) child = launch();
      await untilReady();
    },
  };

  function launch(): ChildProcess {
    const log = openSync(logFile, 'a');
    try {
      const launched = spawn(process.execPath, [main], {
        env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/', ...options.environment, EXECUTOR_PORT: String(port) },
        stdio: ['ignore', log, log],
      });
      launched.once('exit', (code, signal) => {
        if (!told.has(launched)) ownDeaths.push(`${name} ended by itself with ${code ?? signal}: ${lastLines(logFile)}`);
      });
      return launched;
    } finally {
      closeSync(log);
    }
  }

  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const ending = child;
    if (isOver(ending)) return ending.exitCode;
    const exited = once(ending, 'exit');
    told.add(ending);
    ending.kill(signal);
    const timer = setTimeout(() => ending.kill('SIGKILL'), EXIT_MS);
    await exited;
    clearTimeout(timer);
    return ending.exitCode;
  }

  async function untilReady(): Promise<void> {
    const deadline = performance.now() + READY_MS;
    while ((await readiness(url)) !== 200) {
      if (isOver(child)) throw new Error(`${name} ended with ${child.exitCode ?? child.signalCode}: ${lastLines(logFile)}`);
      if (performance.now() > deadline) throw new Error(`${name} is not ready after ${READY_MS} ms: ${lastLines(logFile)}`);
      await sleep(50);
    }
  }
}

const isOver = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;
const lastLines = (file: string): string => readFileSync(file, 'utf8').slice(-2_000);

async function readiness(url: string): Promise<number> {
  try {
    const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2_000) });
    await answer.body?.cancel();
    return answer.status;
  } catch {
    return 0; // It does not listen yet.
  }
}
