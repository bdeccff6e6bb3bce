import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A shell in a directory of its own where `executor` is this checkout's CLI and `@code-executor/sdk` can be imported. */
export function openShell(directory: string, environment: Readonly<Record<string, string>>) {
  mkdirSync(join(directory, 'bin'), { recursive: true });
  mkdirSync(join(directory, 'node_modules/@code-executor'), { recursive: true });
  symlinkSync(join(ROOT, 'packages/sdk'), join(directory, 'node_modules/@code-executor/sdk'));
  const wrapper = join(directory, 'bin/executor');
  writeFileSync(wrapper, `#!/bin/sh\nexec '${process.execPath}' '${ROOT}packages/cli/bin/executor.js' "$@"\n`);
  chmodSync(wrapper, 0o755);
  const env = {
    HOME: directory,
    PATH: [join(directory, 'bin'), join(process.execPath, '..'), process.env.PATH ?? ''].join(delimiter),
    ...environment,
  };
  return {
    env,
    executor: (args: readonly string[], more: RunOptions = {}) =>
      run(process.execPath, [`${ROOT}packages/cli/bin/executor.js`, ...args], directory, env, more),
    bash: (script: string, more: RunOptions = {}) => run('bash', ['-euo', 'pipefail', '-c', script], directory, env, more),
    node: (file: string, more: RunOptions = {}) => run(process.execPath, [file], directory, env, more),
  };
}

export interface RunOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with what has come out on the error stream so far. */
  readonly onError?: (text: string, stop: (signal: NodeJS.Signals) => void) => void;
}

function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
  options: RunOptions,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: { ...env, ...options.env }, timeout: 120_000 });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => {
      out += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      err += String(chunk);
      options.onError?.(err, (signal) => child.kill(signal));
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, out, err }));
    child.stdin.end(options.stdin ?? '');
  });
}
