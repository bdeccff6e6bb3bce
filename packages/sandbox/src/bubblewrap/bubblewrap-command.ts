import type { SandboxSpec } from '../port.ts';
import type { RootLayout } from '../rootfs/lay-out-root.ts';
import { CPU_LIMIT_SECONDS, dataLimitMb, runtimeCommand } from '../rootfs/runtime-command.ts';

/** Descriptors that bwrap gets besides stdio. */
export const CHANNEL_FD = 3;
const SECCOMP_FD = 4;
export const INFO_FD = 5;

/** Arguments of one `bwrap`: the same root as the launcher's, as far as bwrap can make it. */
export function bubblewrapArguments(spec: SandboxSpec, layout: RootLayout): string[] {
  const { limits } = spec;
  const { argv, environment } = runtimeCommand(spec.runtime, spec.waits);
  const megabytes = (count: number): string => String(count * 1024 * 1024);
  const tmpfs = (path: string, mb: number, mode: string): string[] => ['--perms', mode, '--size', megabytes(mb), '--tmpfs', path];
  return [
    ...['--unshare-user', '--unshare-pid', '--unshare-net', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...['--disable-userns', '--die-with-parent', '--new-session', '--hostname', 'sandbox', '--uid', '1000', '--gid', '1000'],
    ...['--cap-drop', 'ALL', '--clearenv'],
    ...Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value]),
    ...layout.binds.flatMap(({ source, path }) => ['--ro-bind', source, path]),
    ...layout.links.filter(({ path }) => !path.startsWith('/dev/')).flatMap(({ to, path }) => ['--symlink', to, path]),
    ...['--proc', '/proc'],
    ...tmpfs('/dev', 1, '0755'),
    ...layout.devices.flatMap((path) => ['--dev-bind', path, path]),
    ...layout.links.filter(({ path }) => path.startsWith('/dev/')).flatMap(({ to, path }) => ['--symlink', to, path]),
    ...['--dir', '/dev/shm', '--remount-ro', '/dev'],
    ...tmpfs('/dev/shm', limits.shmMb, '1777'),
    ...tmpfs('/tmp', limits.tmpMb, '1777'),
    ...tmpfs('/workspace', limits.workspaceMb, '0755'),
    ...(spec.snapshotDir === null ? ['--dir', '/workspace/servers'] : ['--ro-bind', spec.snapshotDir, '/workspace/servers']),
    ...['--remount-ro', '/proc', '--remount-ro', '/', '--chdir', '/workspace'],
    ...['--seccomp', String(SECCOMP_FD), '--json-status-fd', String(INFO_FD), '--'],
    ...[PRLIMIT, `--data=${megabytes(dataLimitMb(spec.runtime, limits))}`, `--nproc=${limits.processes}`, `--nofile=${limits.openFiles}`],
    ...[`--fsize=${megabytes(limits.fileSizeMb)}`, `--cpu=${CPU_LIMIT_SECONDS}`, '--core=0', '--msgqueue=0', '--memlock=65536'],
    ...['--sigpending=1024', '--', ...argv],
  ];
}

/** Of util-linux, which is inside as it is outside: limits on processes count only where they are set in the namespace. */
const PRLIMIT = '/usr/bin/prlimit';
