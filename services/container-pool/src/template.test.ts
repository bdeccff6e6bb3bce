import { DEFAULT_LIMITS } from '@code-executor/sandbox';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { containerSeccompProfile } from './seccomp-profile.ts';
import { containerTemplate, type OneContainer, type PinnedTemplate } from './template.ts';

const pinned: PinnedTemplate = {
  imageId: 'sha256:pinned',
  runtime: null,
  cpus: 1,
  seccompProfile: '{}',
  labels: { 'code-executor.container-pool': 'one' },
};
const one = (order: Partial<OneContainer['order']> = {}): OneContainer => ({
  order: { runtime: 'python', waits: true, limits: DEFAULT_LIMITS, ...order },
  name: 'code-executor-sandbox-x',
  uid: 50_007,
  channelDir: '/host/channels/x',
  snapshotDir: '/host/snapshots/y',
});

test('a container is nobody: no capability, no new privileges, no network, a root that cannot be written, no way to more memory', () => {
  const template = containerTemplate(pinned, one());
  expect(template).toMatchObject({ Image: 'sha256:pinned', User: '50007:50007', Env: [], NetworkDisabled: true, Tty: false });
  expect(template.HostConfig).toMatchObject({
    Privileged: false,
    ReadonlyRootfs: true,
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges', 'seccomp={}'],
    NetworkMode: 'none',
    PidMode: '',
    UTSMode: '',
    IpcMode: 'private',
    CgroupnsMode: 'private',
    AutoRemove: true,
    Memory: 256 * 1024 * 1024,
    MemorySwap: 256 * 1024 * 1024,
    PidsLimit: 65,
    NanoCpus: 1e9,
    OomScoreAdj: 1000,
    ReadonlyPaths: ['/proc'],
  });
  for (const name of ['Binds', 'CapAdd', 'Devices', 'GroupAdd', 'Links', 'VolumesFrom', 'DeviceRequests', 'CgroupParent'])
    expect(template.HostConfig, name).not.toHaveProperty(name);
  for (const [path, options] of Object.entries(template.HostConfig?.Tmpfs as Record<string, string>)) {
    for (const flag of ['nosuid', 'nodev', 'noexec', 'size=', 'nr_inodes=']) expect(options, path).toContain(flag);
  }
});

test('whatever is ordered, a container sees its channel and its wrappers of the host, read-only, and keeps every pinned word', () => {
  const numbers = fc.integer({ min: 1, max: 1_000_000 });
  const limits = fc.record({
    memoryMb: numbers,
    processes: numbers,
    openFiles: numbers,
    fileSizeMb: numbers,
    workspaceMb: numbers,
    tmpMb: numbers,
    shmMb: numbers,
    inodes: numbers,
  });
  const plain = containerTemplate(pinned, one());
  fc.assert(
    fc.property(fc.constantFrom('python', 'typescript', 'node'), fc.boolean(), limits, (runtime, waits, asked) => {
      const template = containerTemplate(pinned, one({ runtime, waits, limits: asked }));
      expect({ ...template, Cmd: [], HostConfig: null }).toEqual({ ...plain, Cmd: [], HostConfig: null });
      const { Memory, MemorySwap, PidsLimit, Tmpfs, Ulimits, ...rest } = template.HostConfig ?? {};
      const { Memory: m, MemorySwap: s, PidsLimit: p, Tmpfs: t, Ulimits: u, ...plainRest } = plain.HostConfig ?? {};
      expect(rest).toEqual(plainRest);
      expect(Object.keys(Tmpfs ?? {})).toEqual(Object.keys(t ?? {}));
      expect(MemorySwap).toBe(Memory);
    }),
  );
  expect(plain.HostConfig?.Mounts).toMatchObject([
    { Type: 'bind', Source: '/host/channels/x', Target: '/opt/sandbox/channel', ReadOnly: true },
    { Type: 'bind', Source: '/host/snapshots/y', Target: '/workspace/servers', ReadOnly: true },
  ]);
});

test('the engine’s runtime is the operator’s word', () => {
  expect(containerTemplate(pinned, one()).HostConfig).not.toHaveProperty('Runtime');
  expect(containerTemplate({ ...pinned, runtime: 'runsc' }, one()).HostConfig).toMatchObject({ Runtime: 'runsc' });
});

test('the seccomp profile of containers has nothing that makes or enters namespaces', async () => {
  const { defaultAction, syscalls } = JSON.parse(await containerSeccompProfile()) as {
    defaultAction: string;
    syscalls: { names: string[]; action: string; args?: object[] }[];
  };
  expect(defaultAction).toBe('SCMP_ACT_ERRNO');
  const allowed = syscalls.filter(({ action }) => action === 'SCMP_ACT_ALLOW').flatMap(({ names }) => names);
  for (const name of ['unshare', 'setns', 'mount', 'umount2', 'pivot_root', 'fsopen', 'open_tree', 'move_mount', 'bpf', 'ptrace', 'keyctl'])
    expect(allowed).not.toContain(name);
  expect(syscalls.filter(({ names }) => names.includes('clone'))).toEqual([
    { names: ['clone'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }] },
  ]);
});
