import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { AppError } from '@code-executor/platform';
import type { RootSources } from './lay-out-root.ts';

/** Host paths of the runtimes that come with this repository: Bun from its npm package, and the Node that runs this. */
export function findRuntimes(): RootSources['runtimes'] {
  return { typescript: findBun(), node: process.execPath };
}

function findBun(): string {
  const name = bunPackage();
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'bin/bun');
  } catch (error) {
    throw new AppError('SANDBOX_UNAVAILABLE', `Bun is not installed: npm package ${name} is missing; run npm ci`, { cause: error });
  }
}

function bunPackage(): string {
  if (process.arch === 'arm64') return '@oven/bun-linux-aarch64';
  // Without AVX2 the ordinary build dies of an illegal instruction.
  return /\bavx2\b/.test(readFileSync('/proc/cpuinfo', 'utf8')) ? '@oven/bun-linux-x64' : '@oven/bun-linux-x64-baseline';
}
