import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';

const READY_TIMEOUT_MS = 120_000;

/** The embedded form, started as a process of its own on a free port with a data directory of its own. */
export interface Service {
  readonly url: string;
  readonly key: string;
  readonly pid: number;
  readonly logFile: string;
  post(path: string, body: unknown): Promise<{ status: number; body: unknown }>;
  get(path: string): Promise<{ status: number; body: unknown }>;
  /** SIGTERM, or another signal; resolves when the process has ended. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

export async function startService(dataDir: string, environment: Record<string, string> = {}): Promise<Service> {
  const port = await freePort();
  const logFile = join(dataDir, 'service.log');
  const log = openSync(logFile, 'a');
  const main = fileURLToPath(new URL('../../services/standalone/src/main.ts', import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: {
      PATH: process.env.PATH ?? '',
      HOME: dataDir,
      EXECUTOR_DATA_DIR: dataDir,
      EXECUTOR_PORT: String(port),
      EXECUTOR_SHIPPED_SKILLS: 'false',
      ...environment,
    },
    stdio: ['ignore', log, log],
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  try {
    await untilReady(child, agent, port, logFile);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  const key = readFileSync(join(dataDir, 'admin.key'), 'utf8').trim();
  const send = (method: string, path: string, body?: unknown) => exchange(agent, port, key, method, path, body);
  return {
    url: `http://127.0.0.1:${port}`,
    key,
    pid: child.pid ?? 0,
    logFile,
    post: (path, body) => send('POST', path, body),
    get: (path) => send('GET', path),
    stop: async (signal = 'SIGTERM') => {
      agent.destroy();
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    },
  };
}

async function untilReady(child: ChildProcess, agent: Agent, port: number, logFile: string): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the service ended with ${child.exitCode ?? child.signalCode}; see ${logFile}`);
    const status = await exchange(agent, port, '', 'GET', '/health/ready').then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200) return;
    if (Date.now() > deadline) throw new Error(`the service is not ready after ${READY_TIMEOUT_MS} ms; see ${logFile}`);
    await sleep(100);
  }
}

function exchange(
  agent: Agent,
  port: number,
  key: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: unknown }> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${key}`,
      ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    };
    const call = request({ agent, host: '127.0.0.1', port, method, path, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const whole = Buffer.concat(chunks).toString('utf8');
        const json = answer.headers['content-type']?.includes('json') === true;
        resolve({ status: answer.statusCode ?? 0, body: json ? JSON.parse(whole) : whole });
      });
    });
    call.on('error', reject);
    call.end(text);
  });
}
