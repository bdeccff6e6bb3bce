import type { Readable } from 'node:stream';
import { AppError } from '@code-executor/platform';
import { listWorkspaceFiles, openWorkspaceFile, writeWorkspaceFile } from '@code-executor/sandbox';
import { assertFilePath } from '../check-request.ts';
import type { SessionFile } from './sessions.ts';

export const SESSION_FILE_BYTES = 64 * 1024 * 1024;

export function listSessionFiles(workspaceFd: number): SessionFile[] {
  return listWorkspaceFiles(workspaceFd);
}

export function readSessionFile(workspaceFd: number, path: string): { readonly bytes: number; readonly content: Readable } {
  const found = openWorkspaceFile(workspaceFd, path);
  if (found === null) throw new AppError('FILE_NOT_FOUND', `There is no plain file ${JSON.stringify(path.slice(0, 200))} in this session.`);
  if (found.bytes <= SESSION_FILE_BYTES) return found;
  found.content.destroy();
  throw fileTooLarge(path);
}

export async function writeSessionFile(workspaceFd: number, path: string, content: Readable): Promise<SessionFile> {
  assertFilePath('The path', path);
  try {
    const bytes = await writeWorkspaceFile(workspaceFd, path, content, SESSION_FILE_BYTES);
    if (bytes === null) throw fileTooLarge(path);
    return { path, bytes };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC') throw new AppError('FILE_TOO_LARGE', `The workspace of this session has no room for ${path}.`, { cause: error });
    if (code !== undefined && REFUSED.includes(code))
      throw new AppError('INVALID_REQUEST', `${path} cannot be written: it is a folder, or something else lies on the way there.`, {
        cause: error,
      });
    throw error;
  }
}

const REFUSED = ['EISDIR', 'ENOTDIR', 'ELOOP', 'EEXIST', 'EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTEMPTY', 'EXDEV'];

export const fileTooLarge = (path: string): AppError =>
  new AppError('FILE_TOO_LARGE', `${path.slice(0, 200)} is larger than ${SESSION_FILE_BYTES / 1024 / 1024} MB.`);
