import { execFile } from 'node:child_process';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { PGlite } from '@electric-sql/pglite';
import { Kysely, PGliteDialect } from 'kysely';
import { AppError, messageOf } from '../errors.ts';
import { holdDirectory } from './hold-directory.ts';
import { PGLITE_OPTIONS } from './pglite-options.ts';
import { preparing } from './prepared-pglite.ts';

const INITIALISE_TIMEOUT_MS = 60_000;

/** Opens the PGlite database in `directory`, which one process at a time may hold. */
export async function openPglite(directory: string): Promise<Kysely<unknown>> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const hold = await holdDirectory(directory);
  try {
    const data = `${directory}/data`;
    if (!(await exists(`${data}/PG_VERSION`))) await initialise(data);
    // The optimising compiler doubles PGlite's memory and gains nothing measurable on statements as small as ours.
    for (const flag of ['--liftoff-only', '--no-wasm-tier-up', '--no-wasm-dynamic-tiering']) setFlagsFromString(flag);
    const pglite = new PGlite(data, PGLITE_OPTIONS);
    await pglite.waitReady;
    const kysely = new Kysely<unknown>({ dialect: new PGliteDialect({ pglite: preparing(pglite) }) });
    const destroy = kysely.destroy.bind(kysely);
    kysely.destroy = async () => {
      await destroy();
      await hold.release();
    };
    return kysely;
  } catch (error) {
    await hold.release();
    throw new AppError('INTERNAL', `The database in ${directory} does not open: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Makes the database's files in a process of its own, because initdb leaves some 300 MB of WebAssembly memory behind,
 * and beside their place, so that one that is cut off half-way is never taken for a whole one.
 */
async function initialise(data: string): Promise<void> {
  const unfinished = `${data}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  const program = fileURLToPath(new URL('./initialise-pglite.ts', import.meta.url));
  await promisify(execFile)(process.execPath, [program, unfinished], { timeout: INITIALISE_TIMEOUT_MS, killSignal: 'SIGKILL' });
  await rename(unfinished, data);
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
