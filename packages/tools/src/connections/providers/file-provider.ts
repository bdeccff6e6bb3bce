import { constants } from 'node:fs';
import { type FileHandle, open, readlink, realpath } from 'node:fs/promises';
import { isAbsolute, join, sep } from 'node:path';
import { AppError } from '@code-executor/platform';
import { printable } from '../../sources/mcp/stderr-log.ts';
import type { ValueProvider } from './value-providers.ts';

const SIZE_LIMIT_BYTES = 64 * 1024;

/**
 * Secret files as Docker and Kubernetes mount them, beneath the directories that the operator lists. Links are followed as
 * long as what they lead to lies beneath the same directory (Kubernetes makes two of them a file).
 */
export function createFileProvider(directories: readonly string[]): ValueProvider {
  return {
    kind: 'file',
    configured: directories.length > 0,
    description:
      directories.length > 0
        ? `Files beneath ${directories.join(', ')}; the key is the path below, such as github-token or github/token.`
        : 'Secret files of Docker or Kubernetes: name their directories in EXECUTOR_SECRET_FILES_DIR.',
    async read(key) {
      const shown = printable(key, 200);
      if (isAbsolute(key) || key.includes('\0') || key.split('/').some((part) => part === '' || part === '.' || part === '..'))
        throw new AppError('CONNECTION_BROKEN', `${JSON.stringify(shown)} is no path below a directory of EXECUTOR_SECRET_FILES_DIR`);
      for (const directory of directories) {
        const value = await readBeneath(directory, key, shown);
        if (value !== null) return { value };
      }
      throw new AppError('CONNECTION_BROKEN', `There is no file ${shown} beneath ${directories.join(', ')}`);
    },
  };
}

/** Null: there is no such file. What is judged is what was opened, so that nothing can be exchanged in between. */
async function readBeneath(directory: string, key: string, shown: string): Promise<string | null> {
  let handle: FileHandle | null = null;
  try {
    const root = await realpath(directory);
    // Without O_NONBLOCK a FIFO would be waited for.
    handle = await open(join(root, key), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const opened = await readlink(`/proc/self/fd/${handle.fd}`);
    if (!opened.startsWith(root.endsWith(sep) ? root : `${root}${sep}`))
      throw new AppError('CONNECTION_BROKEN', `The file ${shown} leads out of ${directory} and is not read`);
    const stat = await handle.stat();
    if (!stat.isFile()) throw new AppError('CONNECTION_BROKEN', `${shown} beneath ${directory} is not a plain file`);
    if (stat.size > SIZE_LIMIT_BYTES) throw new AppError('CONNECTION_BROKEN', `The file ${shown} is larger than ${SIZE_LIMIT_BYTES} bytes`);
    const value = (await readAll(handle)).replace(/\r?\n$/, '');
    if (value === '') throw new AppError('CONNECTION_BROKEN', `The file ${shown} beneath ${directory} is empty`);
    return value;
  } catch (error) {
    if (error instanceof AppError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new AppError(
      'CONNECTION_BROKEN',
      `The file ${shown} beneath ${directory} cannot be read (${code}); the service's user has to be able to`,
      {
        cause: error,
      },
    );
  } finally {
    await handle?.close();
  }
}

/** At most the limit, whatever the file grows to. */
async function readAll(handle: FileHandle): Promise<string> {
  const buffer = Buffer.alloc(SIZE_LIMIT_BYTES);
  let length = 0;
  while (length < SIZE_LIMIT_BYTES) {
    const { bytesRead } = await handle.read(buffer, length, SIZE_LIMIT_BYTES - length, null);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.toString('utf8', 0, length);
}
