import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError, messageOf } from '@code-executor/platform';

/** Host paths of the runtimes that this installation brought: Bun from its npm package, and the Node that runs this. */
export function findRuntimes(): { readonly typescript: string; readonly node: string } {
  return { typescript: findBun(), node: process.execPath };
}

function findBun(): string {
  const failures: string[] = [];
  for (const name of bunPackages()) {
    try {
      const path = join(dirname(fileURLToPath(import.meta.resolve(`${name}/package.json`))), 'bin/bun');
      if (existsSync(path)) return path;
      failures.push(`${path} is missing`);
    } catch (error) {
      failures.push(messageOf(error));
    }
  }
  throw new AppError('SANDBOX_UNAVAILABLE', `Bun is not installed; run npm ci. ${failures.join('; ')}`);
}

/** Bun's default build for x64 needs AVX2 and dies of an illegal instruction without. */
function bunPackages(): readonly string[] {
  if (process.arch === 'arm64') return ['@oven/bun-linux-aarch64'];
  const baseline = '@oven/bun-linux-x64-baseline';
  return /\bavx2\b/.test(readFileSync('/proc/cpuinfo', 'utf8')) ? ['@oven/bun-linux-x64', baseline] : [baseline];
}
