import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Runtime } from '@code-executor/contracts';
import { createFrameSocket } from '../../channel/frame-socket.ts';
import { DEFAULT_LIMITS, type Sandbox, type SandboxEnd } from '../../port.ts';
import { runtimeCommand } from '../../rootfs/runtime-command.ts';

const ROOT = fileURLToPath(new URL('../../../../../', import.meta.url));
export const RUNNERS_DIR = join(ROOT, 'sandbox-image/runners');
export const BUN_PATH = join(ROOT, 'node_modules/@oven/bun-linux-x64/bin/bun');

const COMMANDS: Readonly<Record<Runtime, (runnersDir: string) => readonly string[]>> = {
  typescript: (dir) => [BUN_PATH, '--no-install', '--no-env-file', join(dir, 'typescript/runner.ts')],
  python: (dir) => ['/usr/bin/python3', '-I', '-S', '-u', '-B', join(dir, 'python/runner.py')],
  node: (dir) => [process.execPath, '--experimental-transform-types', '--no-warnings', join(dir, 'node/runner.ts')],
};

export interface PlainSandbox extends Sandbox {
  readonly workspace: string;
}

/** A runtime with its runner and nothing around it: real processes and a real channel, for tests of runners and driver alone. */
export async function bootPlainSandbox(runtime: Runtime, runnersDir: string = RUNNERS_DIR): Promise<PlainSandbox> {
  const workspace = mkdtempSync(join(tmpdir(), 'plain-sandbox-'));
  mkdirSync(join(workspace, 'servers'));
  // One shell command joins both streams; `detached` makes a process group that can be killed whole.
  const child = spawn('/bin/sh', ['-c', 'exec "$@" 2>&1', 'sh', ...COMMANDS[runtime](runnersDir)], {
    cwd: workspace,
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
    env: {
      ...runtimeCommand(runtime).environment,
      PATH: '/usr/bin:/bin',
      HOME: workspace,
      TMPDIR: tmpdir(),
      RUNNER_WORKSPACE: workspace,
    },
  });
  const signal = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      return; // The group is gone.
    }
  };
  const ended = new Promise<SandboxEnd>((resolve) => {
    child.on('exit', (exitCode, name) => {
      signal('SIGKILL');
      rmSync(workspace, { recursive: true, force: true });
      resolve({ exitCode, signal: name === null ? null : (SIGNALS[name] ?? 0) });
    });
  });
  const output = child.stdout as Readable;
  const printed: Buffer[] = [];
  const channel = await new Promise<Sandbox['channel']>((resolve, reject) => {
    const frames = createFrameSocket(child.stdio[3] as Socket, {
      onReady: () => queueMicrotask(() => resolve(frames)),
      onLost: (reason) => {
        for (let chunk = output.read() as Buffer | null; chunk !== null; chunk = output.read() as Buffer | null) printed.push(chunk);
        reject(new Error(`${reason}: ${Buffer.concat(printed).toString()}`));
      },
    });
  });
  return {
    id: `plain-${child.pid}`,
    spec: { runtime, snapshotDir: null, limits: DEFAULT_LIMITS },
    channel,
    output,
    initPid: child.pid ?? 0,
    ended,
    takeWorkspace: () => null,
    workspace,
    kill: () => signal('SIGKILL'),
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
  };
}

const SIGNALS: Readonly<Partial<Record<NodeJS.Signals, number>>> = {
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGABRT: 6,
  SIGTERM: 15,
  SIGILL: 4,
  SIGTRAP: 5,
};
