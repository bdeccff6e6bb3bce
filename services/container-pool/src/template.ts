import { type ContainerOrder, CPU_LIMIT_SECONDS, dataLimitMb, runtimeCommand } from '@code-executor/sandbox';
import type { ContainerCreateOptions } from 'dockerode';

/** What the operator has settled for every container. Nothing of it can be asked for. */
export interface PinnedTemplate {
  /** By its id: what a tag means may change. */
  readonly imageId: string;
  /** Of the engine: `runsc` (gVisor), Kata's; null: its default. */
  readonly runtime: string | null;
  readonly cpus: number;
  /** JSON text of the container's seccomp profile; programs are under a narrower filter besides. */
  readonly seccompProfile: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What differs from container to container; all of it is this service's own but for what the order says. */
export interface OneContainer {
  readonly order: Pick<ContainerOrder, 'runtime' | 'waits' | 'limits'>;
  readonly name: string;
  /** Of this host, and of no other living container. */
  readonly uid: number;
  /** Directories as the engine sees them. */
  readonly channelDir: string;
  readonly snapshotDir: string | null;
}

const MEGABYTE = 1024 * 1024;
/** Init itself. */
const OWN_PROCESSES = 1;

/** The one container that is ever asked for. */
export function containerTemplate(pinned: PinnedTemplate, one: OneContainer): ContainerCreateOptions {
  const { limits } = one.order;
  const tmpfs = (mb: number, mode: string, owner: number): string =>
    `rw,nosuid,nodev,noexec,size=${mb}m,nr_inodes=${limits.inodes},mode=${mode},uid=${owner},gid=${owner}`;
  return {
    name: one.name,
    Image: pinned.imageId,
    User: `${one.uid}:${one.uid}`,
    Hostname: 'sandbox',
    Domainname: '',
    WorkingDir: '/',
    Entrypoint: ['/opt/sandbox/init'],
    Cmd: command(one.order),
    // The engine adds PATH and HOSTNAME for init, which hides them; the runtime gets its own environment.
    Env: [],
    Labels: { ...pinned.labels },
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    OpenStdin: false,
    Tty: false,
    NetworkDisabled: true,
    HostConfig: {
      AutoRemove: true,
      RestartPolicy: { Name: '' },
      ...(pinned.runtime === null ? {} : { Runtime: pinned.runtime }),
      NetworkMode: 'none',
      IpcMode: 'private',
      ...OWN_CONTROL_GROUP,
      PidMode: '',
      UTSMode: '',
      Privileged: false,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges', `seccomp=${pinned.seccompProfile}`],
      Init: false,
      LogConfig: { Type: 'none', Config: {} },
      Memory: limits.memoryMb * MEGABYTE,
      // No swap: memory and swap together are no more than memory.
      MemorySwap: limits.memoryMb * MEGABYTE,
      PidsLimit: limits.processes + OWN_PROCESSES,
      NanoCpus: Math.round(pinned.cpus * 1e9),
      CpuShares: 512,
      OomScoreAdj: 1000,
      Ulimits: [
        { Name: 'core', Soft: 0, Hard: 0 },
        { Name: 'nofile', Soft: Math.max(1024, limits.openFiles), Hard: Math.max(1024, limits.openFiles) },
      ],
      Sysctls: SOCKET_BUFFERS,
      Dns: ['127.0.0.1'],
      DnsSearch: ['.'],
      ExtraHosts: [],
      Tmpfs: {
        '/workspace': tmpfs(limits.workspaceMb, '0755', one.uid),
        '/tmp': tmpfs(limits.tmpMb, '1777', one.uid),
        '/dev/shm': tmpfs(limits.shmMb, '1777', one.uid),
        // The engine mounts these for everyone; here they are nobody's.
        ...Object.fromEntries(HIDDEN.map((path) => [path, 'ro,nosuid,nodev,noexec,size=16k,nr_inodes=8,mode=0000'])),
      },
      Mounts: [
        readOnly(one.channelDir, '/opt/sandbox/channel'),
        ...(one.snapshotDir === null ? [] : [readOnly(one.snapshotDir, '/workspace/servers')]),
      ],
      MaskedPaths: [...MASKED],
      // Programs could raise or lower what is theirs there, and everything else is the host's.
      ReadonlyPaths: ['/proc'],
    },
  };
}

/** Of the Docker API since 1.41; the types do not know it yet. */
const OWN_CONTROL_GROUP: object = { CgroupnsMode: 'private' };
/** The largest that TCP grows a socket's buffers to: what lies unread in them belongs to no process. */
const SOCKET_BUFFERS = { 'net.ipv4.tcp_wmem': '4096 16384 131072', 'net.ipv4.tcp_rmem': '4096 131072 131072' };
const HIDDEN = ['/sys', '/sys/fs/cgroup', '/dev/mqueue'];
const MASKED = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/firmware',
];

function command({ runtime, waits, limits }: OneContainer['order']): string[] {
  const { argv, environment } = runtimeCommand(runtime, waits);
  const numbers = [dataLimitMb(runtime, limits), limits.processes, limits.openFiles, limits.fileSizeMb, CPU_LIMIT_SECONDS];
  return [...numbers.map(String), ...Object.entries(environment).map(([name, value]) => `${name}=${value}`), '--', ...argv];
}

/** Without a word on propagation the engine takes the one that fits: private, or that of its own directory. */
const readOnly = (source: string, target: string) => ({
  Type: 'bind' as const,
  Source: source,
  Target: target,
  ReadOnly: true,
});
