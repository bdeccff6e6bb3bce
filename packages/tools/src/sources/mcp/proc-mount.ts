import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const PROBE_TIMEOUT_MS = 10_000;
const known = new Map<string, Promise<readonly string[]>>();

/**
 * How a stdio server gets its `/proc`: one of its own, or, in a container whose `/proc` the engine has masked (there the
 * kernel lets nobody mount another), the container's own, read-only. With that a server sees which other processes there
 * are, but still not their environment, memory or files: they belong to another user namespace. Tried once.
 */
export function procMount(bwrapPath: string): Promise<readonly string[]> {
  const tried = known.get(bwrapPath) ?? probe(bwrapPath);
  known.set(bwrapPath, tried);
  return tried;
}

async function probe(bwrapPath: string): Promise<readonly string[]> {
  const own = ['--proc', '/proc'];
  const bound = ['--ro-bind', '/proc', '/proc'];
  return !(await boots(bwrapPath, own)) && (await boots(bwrapPath, bound)) ? bound : own;
}

async function boots(bwrapPath: string, proc: readonly string[]): Promise<boolean> {
  const namespaces = ['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--die-with-parent'];
  try {
    await promisify(execFile)(bwrapPath, [...namespaces, '--ro-bind', '/', '/', ...proc, '--', 'true'], { timeout: PROBE_TIMEOUT_MS });
    return true;
  } catch (error) {
    // Starting the server itself will say why.
    if (error instanceof Error) return false;
    throw error;
  }
}
