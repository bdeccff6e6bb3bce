import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Sandbox, SandboxSpec } from '@code-executor/sandbox';
import type { Preparer, ProgramOutcome, RunDependencies, RunProgram } from '../run/dependencies.ts';

/**
 * A runtime for tests of what surrounds one: the program is a shell script in a real process of the host. On file
 * descriptor 3 it writes `call TOOL`, whose reply it reads as a line from stdin, or `result JSON`.
 */
export interface ShellRuntime {
  readonly preparer: Preparer;
  readonly pool: RunDependencies['pool'];
  readonly runProgram: RunProgram;
  /** Sandboxes claimed, and of those the ones killed again. */
  readonly counts: { claimed: number; killed: number };
}

/** `boot` is what a claim waits for. */
export function createShellRuntime({ boot }: { readonly boot?: ((spec: SandboxSpec) => Promise<void>) | undefined } = {}): ShellRuntime {
  const counts = { claimed: 0, killed: 0 };
  const processes = new WeakMap<Sandbox, { child: ChildProcess | null }>();
  return {
    counts,
    preparer: {
      prepare: async ({ code }) =>
        code.startsWith('#!broken')
          ? { ok: false, error: { code: 'SYNTAX_ERROR', message: 'broken', line: 1, column: 1 } }
          : { ok: true, code, promisesResult: false, positions: null },
    },
    pool: {
      async claim(spec, signal) {
        signal.throwIfAborted();
        await boot?.(spec);
        counts.claimed += 1;
        const held: { child: ChildProcess | null } = { child: null };
        let killed = false;
        const kill = (): void => {
          if (killed) return;
          killed = true;
          counts.killed += 1;
          const { child } = held;
          if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, 'SIGKILL');
        };
        const sandbox = { id: `shell_${counts.claimed}`, kill } as Sandbox;
        processes.set(sandbox, held);
        return { sandbox, warm: false };
      },
    },
    async runProgram(sandbox, program, hooks, signal): Promise<ProgramOutcome> {
      const startedMs = performance.now();
      const child = spawn('/bin/sh', ['-c', program.code], { stdio: ['pipe', 'pipe', 'pipe', 'pipe'], detached: true });
      const held = processes.get(sandbox);
      if (held !== undefined) held.child = child;
      let output = '';
      let resultJson: string | null = null;
      const keep = (chunk: Buffer): void => {
        output += chunk.toString();
        hooks.onOutput(chunk.toString());
      };
      child.stdout?.on('data', keep);
      child.stderr?.on('data', keep);
      child.stdin?.on('error', () => child.stdin?.destroy());
      createInterface({ input: child.stdio[3] as Readable }).on('line', async (line) => {
        if (line.startsWith('result ')) resultJson = line.slice('result '.length);
        if (!line.startsWith('call ')) return;
        const reply = await hooks.onCall({ tool: line.slice('call '.length), args: {} }, signal);
        if (child.stdin?.writable) child.stdin.write(`${JSON.stringify(reply)}\n`);
      });
      let ended = null as 'timed_out' | 'cancelled' | null;
      const stop = (status: 'timed_out' | 'cancelled'): void => {
        ended ??= status;
        sandbox.kill();
      };
      const timer = setTimeout(() => stop('timed_out'), program.timeoutMs);
      const onAbort = (): void => stop('cancelled');
      signal.addEventListener('abort', onAbort, { once: true });
      const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      const status = ended ?? (exitCode === 0 ? 'succeeded' : 'failed');
      return {
        status,
        error: status === 'succeeded' ? null : { code: status === 'timed_out' ? 'TIMEOUT' : 'EXITED', message: `ended with ${exitCode}` },
        resultJson,
        output,
        truncated: false,
        droppedBytes: 0,
        outputBytes: Buffer.byteLength(output),
        executionTimeMs: performance.now() - startedMs,
      };
    },
  };
}
