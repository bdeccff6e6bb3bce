import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '@code-executor/platform';
import { findPrebuilt, hashSources } from '../prebuilt.ts';

/** The launcher's source in this repository. */
const SOURCE_DIR = join(import.meta.dirname, '../../../../sandbox-image/launcher');
const BUILD_LIMIT_MS = 60_000;
const FLAGS = ['-std=gnu17', '-O2', '-Wall', '-Wextra'];

interface BuildOptions {
  readonly outDir: string;
  readonly sourceDir?: string | undefined;
  /** What the file's name begins with. */
  readonly name?: string | undefined;
}

/**
 * Compiles the launcher into `outDir` and gives its path; a program built before from the same source, by an image or here, is used.
 * Throws AppError SANDBOX_UNAVAILABLE where there is no C compiler or it fails.
 */
export async function buildLauncher(options: BuildOptions): Promise<string> {
  const sourceDir = options.sourceDir ?? SOURCE_DIR;
  const names = (await readdir(sourceDir)).filter((name) => /\.[ch]$/.test(name)).sort();
  const fileName = `${options.name ?? 'launcher'}-${await hashSources(sourceDir, (path) => names.includes(path))}`;
  const prebuilt = await findPrebuilt(fileName);
  if (prebuilt !== null) return prebuilt;
  const path = join(options.outDir, fileName);
  if (await exists(path)) return path;
  await mkdir(options.outDir, { recursive: true });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await compile(
      names.filter((name) => name.endsWith('.c')).map((name) => join(sourceDir, name)),
      draft,
    );
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
  return path;
}

async function compile(sources: readonly string[], outPath: string): Promise<void> {
  const failures: string[] = [];
  // Linked statically where libc allows it: a smaller process to fork, and no loader in the sandbox's first steps.
  for (const [compiler, ...extra] of [['cc', '-static'], ['cc'], ['gcc'], ['clang']] as const) {
    try {
      await promisify(execFile)(compiler, [...FLAGS, ...extra, '-o', outPath, ...sources], { timeout: BUILD_LIMIT_MS });
      return;
    } catch (error) {
      failures.push(`${compiler}: ${firstLine(error)}`);
    }
  }
  throw new AppError('SANDBOX_UNAVAILABLE', `No C compiler could build the launcher; install gcc and libc6-dev. ${failures.join('; ')}`);
}

function firstLine(error: unknown): string {
  const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
  const text = stderr || (error instanceof Error ? error.message : String(error));
  return text.split('\n').find((line) => line.includes('error')) ?? text.split('\n')[0] ?? '';
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
