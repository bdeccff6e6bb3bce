import { lstat, readlink, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { StdioTransportEntry } from './server-entry.ts';

const MASK_BYTES = 64 * 1024 * 1024;
const SYSTEM_FOLDERS = ['/usr', '/etc', '/opt', '/bin', '/sbin', '/lib', '/lib32', '/lib64'];

/**
 * Arguments of bubblewrap for one stdio server: its own user, pid, ipc, uts and mount namespaces, no other environment
 * than `env`, and the host's files without `maskedPaths` (data directory, keys, the servers file).
 * They go through a file descriptor (`--args`), so that no value shows in a command line.
 */
export async function bubblewrapArguments(
  transport: StdioTransportEntry,
  place: {
    readonly env: Readonly<Record<string, string>>;
    readonly cwd: string;
    readonly home: string;
    readonly maskedPaths: readonly string[];
    /** The arguments that give it its `/proc`. */
    readonly proc: readonly string[];
  },
): Promise<string[]> {
  return [
    ...['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...(transport.network ? [] : ['--unshare-net']),
    ...['--die-with-parent', '--new-session', '--hostname', 'mcp-server'],
    ...(transport.mounts === null ? ['--bind', '/', '/'] : await narrowRoot(transport.mounts, place.home)),
    ...place.proc,
    ...['--dev', '/dev'],
    ...(await masks(place.maskedPaths)),
    ...['--clearenv', ...Object.entries(place.env).flatMap(([name, value]) => ['--setenv', name, value])],
    ...['--chdir', place.cwd],
  ];
}

async function narrowRoot(mounts: NonNullable<StdioTransportEntry['mounts']>, home: string): Promise<string[]> {
  const root: string[] = [];
  for (const folder of SYSTEM_FOLDERS) {
    const entry = await lstat(folder).catch(() => null);
    if (entry?.isSymbolicLink()) root.push('--symlink', await readlink(folder), folder);
    else if (entry !== null) root.push('--ro-bind', folder, folder);
  }
  // The Node that `node` stands for may lie outside the system's folders, and name resolution goes through a link into /run.
  for (const path of [dirname(dirname(process.execPath)), await realpath('/etc/resolv.conf').catch(() => null)]) {
    if (path !== null && path !== '/' && !SYSTEM_FOLDERS.some((folder) => path === folder || path.startsWith(`${folder}/`)))
      root.push('--ro-bind', path, path);
  }
  root.push('--size', String(MASK_BYTES), '--tmpfs', '/tmp', '--size', String(MASK_BYTES), '--tmpfs', home);
  for (const mount of mounts) root.push(mount.readOnly ? '--ro-bind' : '--bind', mount.path, mount.path);
  return root;
}

async function masks(paths: readonly string[]): Promise<string[]> {
  const hidden: string[] = [];
  const folders: string[] = [];
  for (const path of paths) {
    const real = await realpath(path).catch(() => null);
    if (real === null) continue;
    if ((await stat(real)).isDirectory()) folders.push(real);
    else hidden.push('--ro-bind', '/dev/null', real);
  }
  // Files first: one that lies in a masked folder has nothing left to be bound over afterwards.
  return [...hidden, ...folders.flatMap((folder) => ['--perms', '0700', '--size', String(MASK_BYTES), '--tmpfs', folder])];
}
