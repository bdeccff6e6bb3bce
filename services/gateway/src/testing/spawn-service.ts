import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const START_MS = 30_000;

export interface SpawnedService {
  readonly url: string;
  readonly process: ChildProcess;
  /** Standard output and error so far. */
  output(): string;
  /** Resolves with the exit code. */
  exited(): Promise<number | null>;
  stop(): Promise<void>;
}

/** `services/NAME` as a process of its own; resolves when it listens, rejects when it ends before. */
export async function spawnService(name: string, environment: Readonly<Record<string, string>>): Promise<SpawnedService> {
  const { child, output } = launch(name, environment);
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const url = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${name} does not listen: ${output()}`)), START_MS);
    const look = (): void => {
      const listening = /listening on (http:\/\/[\d.]+:\d+)/.exec(output())?.[1];
      if (listening === undefined) return;
      clearTimeout(timer);
      resolve(listening);
    };
    child.stdout?.on('data', look);
    exited.then((code) => {
      clearTimeout(timer);
      reject(new Error(`${name} ended with ${code}: ${output()}`));
    }, reject);
  });
  return {
    url,
    process: child,
    output,
    exited: () => exited,
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** For a service that is expected to end by itself. */
export async function runService(name: string, environment: Readonly<Record<string, string>>) {
  const { child, output } = launch(name, environment);
  const [code] = await once(child, 'exit');
  return { code: code as number | null, output: output() };
}

function launch(name: string, environment: Readonly<Record<string, string>>) {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [`${ROOT}services/${name}/src/main.ts`], {
    env: { PATH, HOME, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
  return { child, output: () => text };
}
