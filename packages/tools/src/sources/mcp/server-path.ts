import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const OLDEST_NODE_MAJOR = 20;

/**
 * The PATH that stdio servers get: the service's own, with a Node ≥ 20 in front. The host's Node comes before the one
 * that this service runs on, because a server's native modules were built for the Node that installed it.
 */
export async function serverPath(servicePath: string, ownNodeDir: string = dirname(process.execPath)): Promise<string> {
  const folders = [...new Set(servicePath.split(delimiter).filter((folder) => isAbsolute(folder)))];
  const hostFolders = folders.filter((folder) => folder !== ownNodeDir);
  for (const folder of hostFolders) {
    const major = await nodeMajor(join(folder, 'node'));
    // Only the first counts: a server started by hand would have found that one.
    if (major !== null) return (major >= OLDEST_NODE_MAJOR ? [...hostFolders, ownNodeDir] : [ownNodeDir, ...hostFolders]).join(delimiter);
  }
  return [ownNodeDir, ...hostFolders].join(delimiter);
}

/** Where a command lies, as `execvp` would find it; null: nowhere. */
export async function findCommand(command: string, path: string, cwd: string): Promise<string | null> {
  if (command.includes('/')) return (await isExecutable(resolve(cwd, command))) ? resolve(cwd, command) : null;
  for (const folder of path.split(delimiter)) {
    const candidate = join(folder, command);
    if (await isExecutable(candidate)) return candidate;
  }
  return null;
}

async function nodeMajor(file: string): Promise<number | null> {
  if (!(await isExecutable(file))) return null;
  try {
    const { stdout } = await promisify(execFile)(file, ['--version'], { timeout: 5_000 });
    const major = /^v(\d+)\./.exec(stdout)?.[1];
    return major === undefined ? null : Number(major);
  } catch (error) {
    // A `node` that does not run is as good as none.
    if (error instanceof Error) return null;
    throw error;
  }
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}
