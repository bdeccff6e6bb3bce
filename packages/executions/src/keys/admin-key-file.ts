import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError, messageOf } from '@code-executor/platform';
import { isBareKey } from './bare-key.ts';

/** null: there is none, or what is there is no key. */
export async function readAdminKey(file: string): Promise<string | null> {
  try {
    const text = (await readFile(file, 'utf8')).trim();
    return isBareKey(text) ? text : null;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw cannot('read', file, error);
  }
}

/**
 * The bare key and a newline, readable by its owner alone, there as a whole or not at all. `register` makes the key
 * valid between the writing and the renaming, so that the file never shows one that is not.
 */
export async function writeAdminKey(file: string, bareKey: string, register: () => Promise<unknown>): Promise<void> {
  const unfinished = `${file}.${process.pid}.unfinished`;
  try {
    await writeWhole(unfinished, `${bareKey}\n`).catch((error: unknown) => {
      throw cannot('write', file, error);
    });
    await register();
    await rename(unfinished, file);
    await syncDirectory(dirname(file));
  } finally {
    await rm(unfinished, { force: true });
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  await rm(path, { force: true });
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const cannot = (act: string, file: string, error: unknown): AppError =>
  new AppError('INTERNAL', `Cannot ${act} the admin key file ${file}: ${messageOf(error)}`, { cause: error });
