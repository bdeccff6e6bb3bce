import { randomBytes } from 'node:crypto';
import { closeSync, constants, createReadStream, createWriteStream, mkdirSync, renameSync, rmSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { listFiles } from './list-files.ts';
import { openDirectoryIn, openFileIn, openIn, pathIn, statIn } from './open-beneath.ts';

/** The service's own there, and the program itself. */
const NOT_LISTED = ['servers', 'main.ts', 'main.py'];

/** Every plain file of a workspace. */
export function listWorkspaceFiles(workspaceFd: number): { readonly path: string; readonly bytes: number }[] {
  return [...listFiles(workspaceFd, NOT_LISTED)].flatMap((found) => ('reason' in found ? [] : [{ path: found.path, bytes: found.bytes }]));
}

/** null: no plain file, or something on the way is no folder of the workspace itself. */
export function openWorkspaceFile(workspaceFd: number, path: string): { readonly bytes: number; readonly content: Readable } | null {
  try {
    return inFolder(workspaceFd, path, false, (folder, name) => {
      const found = openFileIn(folder, name);
      if (found === null) return null;
      if (found.bytes > 0) return { bytes: found.bytes, content: createReadStream('', { fd: found.fd, start: 0, end: found.bytes - 1 }) };
      // A range that ends before its start cannot be asked for.
      return { bytes: 0, content: createReadStream('', { fd: found.fd }) };
    });
  } catch {
    return null;
  }
}

/** Writes beside its place and moves it there when it is whole. Answers its bytes; null: more than `mostBytes` came. Throws what the kernel says. */
export async function writeWorkspaceFile(workspaceFd: number, path: string, content: Readable, mostBytes: number): Promise<number | null> {
  const { O_CREAT, O_EXCL, O_WRONLY } = constants;
  const temporary = `.upload-${randomBytes(12).toString('hex')}`;
  const target = openIn(workspaceFd, temporary, O_WRONLY | O_CREAT | O_EXCL, 0o644);
  let bytes = 0;
  let isWhole = true;
  try {
    const counted = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of content) {
        bytes += (chunk as Buffer).length;
        isWhole = bytes <= mostBytes;
        if (!isWhole) return;
        yield chunk as Buffer;
      }
    };
    await pipeline(counted, createWriteStream('', { fd: target }));
    if (!isWhole) return null;
    inFolder(workspaceFd, path, true, (folder, name) => {
      if (statIn(folder, name)?.isDirectory() === true) throw Object.assign(new Error(`${path} is a folder`), { code: 'EISDIR' });
      renameSync(pathIn(workspaceFd, temporary), pathIn(folder, name));
    });
    return bytes;
  } finally {
    rmSync(pathIn(workspaceFd, temporary), { force: true });
  }
}

/** Goes down one folder a time and closes them again. */
function inFolder<Answer>(workspaceFd: number, path: string, makes: boolean, act: (folder: number, name: string) => Answer): Answer {
  const names = path.split('/');
  const last = names.pop() ?? '';
  const opened: number[] = [];
  let folder = workspaceFd;
  try {
    for (const name of names) {
      if (makes && statIn(folder, name) === undefined) mkdirSync(pathIn(folder, name));
      folder = openDirectoryIn(folder, name);
      opened.push(folder);
    }
    return act(folder, last);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}
