import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROGRAM = { typescript: 'console.log(2 + 2)\n', python: 'print(2 + 2)\n' };

export type FloorRuntime = keyof typeof PROGRAM;

/**
 * Runs a second of the bare floor: `bwrap --unshare-all` around a runtime that runs one file from disk, `parallel` at a
 * time, spawned from C. No service, no limits, no channel: what the operating system itself takes.
 */
export function measureFloor(directory: string, runtime: FloorRuntime, runs: number, parallel: number): number {
  const binary = join(directory, 'floor');
  execFileSync('cc', ['-O2', '-o', binary, fileURLToPath(new URL('./floor.c', import.meta.url))]);
  const program = join(directory, runtime === 'python' ? 'floor.py' : 'floor.ts');
  writeFileSync(program, PROGRAM[runtime]);
  const command = runtime === 'python' ? ['/usr/bin/python3', '-I', '-S', program] : [bunPath(), program];
  const bwrap = [
    'bwrap',
    '--unshare-all',
    '--die-with-parent',
    '--ro-bind',
    '/',
    '/',
    '--dev',
    '/dev',
    '--proc',
    '/proc',
    '--tmpfs',
    '/tmp',
    '--ro-bind',
    directory,
    directory,
  ];
  const seconds = Number(
    execFileSync(binary, [String(runs), String(parallel), ...bwrap, ...command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
      .trim()
      .split('\n')
      .at(-1),
  );
  return runs / seconds;
}

const bunPath = (): string =>
  fileURLToPath(import.meta.resolve(`@oven/bun-linux-${process.arch === 'arm64' ? 'aarch64' : 'x64'}/package.json`)).replace(
    /package\.json$/,
    'bin/bun',
  );
