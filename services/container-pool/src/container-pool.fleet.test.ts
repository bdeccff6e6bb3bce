import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createLogger } from '@code-executor/platform';
import {
  DEFAULT_LIMITS,
  IDENTITY_POSITIONS,
  openSandboxAdapter,
  runProgram,
  type Sandbox,
  type SandboxAdapter,
} from '@code-executor/sandbox';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ContainerPoolProcess, inspectContainer, startContainerPool } from '../../../test/support/container-pool.ts';
import { dockerAnswers } from '../../../test/support/containers.ts';

const answers = await dockerAnswers();
const run = promisify(execFile);
const NEVER = new AbortController().signal;

describe.skipIf(!answers)(`the service that makes containers${answers ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  const snapshotsDir = mkdtempSync(join(tmpdir(), 'container-snapshots-'));
  let service: ContainerPoolProcess;
  let adapter: SandboxAdapter;
  beforeAll(async () => {
    service = await startContainerPool({ EXECUTOR_CONTAINERS: '4' });
    adapter = await openAdapter();
    // That of the adapter's own trial is on its way out.
    while ((await containersOf(service)).length > 0) await sleep(50);
  }, 900_000);
  afterAll(async () => {
    await adapter?.close();
    await service?.stop();
    rmSync(snapshotsDir, { recursive: true, force: true });
  });

  const openAdapter = (): Promise<SandboxAdapter> =>
    openSandboxAdapter({
      adapter: 'container',
      dataDir: snapshotsDir,
      snapshotsDir,
      containers: { socketPath: service.socketPath, key: service.key },
      log: createLogger({ level: 'silent', service: 'test' }),
    });
  const boot = (snapshotDir: string | null = null): Promise<Sandbox> =>
    adapter.boot({ runtime: 'python', snapshotDir, limits: DEFAULT_LIMITS });
  const result = async (sandbox: Sandbox, code: string): Promise<unknown> => {
    const program = { code, args: {}, files: {}, promisesResult: true, positions: IDENTITY_POSITIONS, timeoutMs: 30_000 };
    const hooks = {
      onCall: async () => ({ ok: true as const, value: null }),
      onDiscover: async () => ({ ok: true as const, value: [] }),
    };
    const { resultJson, error } = await runProgram(sandbox, program, hooks, { signal: NEVER });
    expect(error).toBeNull();
    return JSON.parse(resultJson ?? 'null');
  };
  const order = (changes: object = {}): object => ({
    type: 'order',
    key: service.key,
    runtime: 'python',
    waits: false,
    snapshot: null,
    limits: DEFAULT_LIMITS,
    ...changes,
  });
  const untilNoContainers = () => expect.poll(() => containersOf(service), { timeout: 60_000, interval: 200 }).toEqual([]);

  test.each<[string, object]>([
    ['another image', { image: 'debian' }],
    ['privileges', { privileged: true }],
    ['a mount', { mounts: [{ source: '/', target: '/host' }] }],
    ['a variable', { env: ['A=b'] }],
    ['a command', { command: ['/bin/sh'] }],
    ['a network', { network: 'host' }],
    ['another user', { user: '0:0' }],
    ['another engine runtime', { engineRuntime: 'runc' }],
    ['a runtime that is none', { runtime: '/bin/sh' }],
    ['a snapshot by its path', { snapshot: '../../etc' }],
    ['a snapshot by a name that is no digest', { snapshot: 'A'.repeat(64) }],
    ['more memory than the operator allows', { limits: { ...DEFAULT_LIMITS, memoryMb: DEFAULT_LIMITS.memoryMb + 1 } }],
    ['more processes', { limits: { ...DEFAULT_LIMITS, processes: 1_000 } }],
    ['no limit at all', { limits: { ...DEFAULT_LIMITS, memoryMb: 0 } }],
    ['a limit that is none of them', { limits: { ...DEFAULT_LIMITS, cpus: 64 } }],
    ['options within a limit', { limits: { ...DEFAULT_LIMITS, tmpMb: '64,uid=0' } }],
    ['anything with another key', { key: 'x'.repeat(64) }],
  ])('whoever asks for %s is refused, and no container is made', async (_, changes) => {
    expect(await converse([order(changes)])).toEqual([{ type: 'refused', reason: expect.any(String) }]);
    expect(await containersOf(service)).toEqual([]);
  });

  test.each<[string, readonly object[]]>([
    ['a file outside of it', [{ type: 'file', path: '../../channels/x', content: '' }]],
    ['an absolute path', [{ type: 'link', path: '/etc/passwd', to: 'x' }]],
    ['a path through a dot', [{ type: 'file', path: 'a/./b', content: '' }]],
    [
      'the same file twice',
      [
        { type: 'file', path: 'a', content: '' },
        { type: 'file', path: 'a', content: '' },
      ],
    ],
    [
      'a file behind its own link',
      [{ type: 'link', path: 'a', to: '/tmp' }, { type: 'file', path: 'a/b', content: '' }, { type: 'stored' }],
    ],
    ['other files than it named', [{ type: 'file', path: 'a', content: 'aGk=' }, { type: 'stored' }]],
    ['a start in the middle', [{ type: 'start' }]],
  ])('wrapper files with %s are refused', async (_, requests) => {
    const said = await converse([order({ snapshot: '0'.repeat(64) }), ...requests]);
    expect(said).toEqual([{ type: 'missing' }, { type: 'refused', reason: expect.any(String) }]);
    expect(readdirSync(join(service.dataDir, 'snapshots'))).toEqual([]);
    expect(await containersOf(service)).toEqual([]);
  });

  test('what the engine made is what the template says', async () => {
    const sandbox = await boot();
    try {
      const { stdout } = await run('docker', ['inspect', `code-executor-sandbox-${sandbox.id}`]);
      const [{ Config, HostConfig, Mounts, AppArmorProfile: _ }] = JSON.parse(stdout);
      expect(Config).toMatchObject({
        Entrypoint: ['/opt/sandbox/init'],
        Env: expect.not.arrayContaining([expect.stringMatching(/KEY|EXECUTOR/)]),
      });
      expect(Config.User).toMatch(/^5\d{4}:5\d{4}$/);
      expect(HostConfig).toMatchObject({
        Privileged: false,
        ReadonlyRootfs: true,
        NetworkMode: 'none',
        CapAdd: null,
        CapDrop: ['ALL'],
        Binds: null,
      });
      expect(Mounts.map(({ Destination, RW }: { Destination: string; RW: boolean }) => [Destination, RW])).toEqual([
        ['/opt/sandbox/channel', false],
      ]);
    } finally {
      sandbox.kill();
      await sandbox.ended;
    }
    await untilNoContainers();
  });

  test('programs import their own wrappers, cannot change them, and find nothing left of the channel to connect to', async () => {
    const dir = join(snapshotsDir, 'one');
    mkdirSync(join(dir, 'py'), { recursive: true });
    writeFileSync(join(dir, 'py', 'mine.py'), 'name = "mine"');
    symlinkSync('py', join(dir, 'alias'));
    const look = `
import os, sys
sys.path.insert(0, "/workspace/servers/alias")
import mine
try: open("/workspace/servers/x", "w"); wrote = True
except OSError: wrote = False
[mine.name, wrote, os.listdir("/opt/sandbox/channel"), sorted(os.listdir("/workspace/servers"))]`;
    for (let round = 0; round < 2; round += 1) expect(await result(await boot(dir), look)).toEqual(['mine', false, [], ['alias', 'py']]);
    expect(readdirSync(join(service.dataDir, 'snapshots'))).toHaveLength(1);
  });

  test('no more containers live than the operator allows, and each has a user of its own', async () => {
    const sandboxes = await Promise.all([boot(), boot(), boot(), boot()]);
    await expect(boot()).rejects.toMatchObject({ code: 'SANDBOX_UNAVAILABLE', message: expect.stringContaining('EXECUTOR_CONTAINERS') });
    const users = await Promise.all(sandboxes.map((sandbox) => result(sandbox, 'import os\nos.getuid()')));
    expect(new Set(users).size).toBe(4);
    await Promise.all(sandboxes.map(({ ended }) => ended));
    await untilNoContainers();
  });

  test('a sandbox stands still while it is frozen and goes on when it is thawed', async () => {
    const sandbox = await boot();
    let printed = 0;
    sandbox.output.on('data', (chunk: Buffer) => {
      printed += chunk.length;
    });
    const running = result(sandbox, 'import os, time\nfor _ in range(400): os.write(1, b"."); time.sleep(0.005)\n7').catch(() => null);
    await expect.poll(() => printed, { timeout: 20_000 }).toBeGreaterThan(20);
    sandbox.freeze();
    // What was on its way arrives; then there is nothing more.
    let before = -1;
    await expect
      .poll(
        () => {
          const stands = printed === before;
          before = printed;
          return stands;
        },
        { timeout: 20_000, interval: 200 },
      )
      .toBe(true);
    sandbox.thaw();
    await expect.poll(() => printed, { timeout: 20_000 }).toBeGreaterThan(before);
    expect(await running).toBe(7);
    await sandbox.ended;
  });

  test('a worker that is gone takes its container with it', async () => {
    // A connection that ends without a word is what is left of a worker that was killed.
    const said = await converse([order(), { type: 'start' }], 1);
    expect(said[0]).toMatchObject({ type: 'place' });
    await untilNoContainers();
    expect(readdirSync(join(service.dataDir, 'channels'))).toEqual([]);
  });

  test('when the service is killed its sandboxes end, and its next start removes what it left', async () => {
    const sandbox = await boot();
    // Made and never started: nothing in it could end it.
    const orphan = await orderOnly(service, order());
    expect(await containersOf(service)).toHaveLength(2);
    await service.kill();
    expect(await sandbox.ended).toMatchObject({ exitCode: null, signal: 9 });
    await expect(boot()).rejects.toMatchObject({ code: 'SANDBOX_UNAVAILABLE' });
    await expect.poll(() => inspectContainer(sandbox.id), { timeout: 60_000 }).toBeNull();
    await service.start();
    orphan.destroy();
    expect(await containersOf(service)).toEqual([]);
    expect(await result(await boot(), '40 + 2')).toBe(42);
  });

  /** What the service says to these lines, until it ends the connection or `most` were said, when it is broken. */
  async function converse(lines: readonly object[], most = Number.POSITIVE_INFINITY): Promise<unknown[]> {
    const socket = createConnection(service.socketPath);
    const said: unknown[] = [];
    let text = '';
    const ended = new Promise<void>((resolve, reject) => socket.once('error', reject).once('close', () => resolve()));
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const parts = text.split('\n');
      text = parts.pop() ?? '';
      for (const part of parts) said.push(JSON.parse(part));
      if (said.length >= most) socket.destroy();
    });
    for (const line of lines) socket.write(`${JSON.stringify(line)}\n`);
    await ended;
    return said;
  }
});

/** Answers once the container is made. */
async function orderOnly(service: ContainerPoolProcess, line: object) {
  const socket = createConnection(service.socketPath);
  socket.on('error', () => socket.destroy());
  socket.write(`${JSON.stringify(line)}\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  return socket;
}

/** Names of containers that bear the service's label, whatever state they are in. */
async function containersOf(service: ContainerPoolProcess): Promise<string[]> {
  const { stdout } = await run('cat', [join(service.dataDir, 'id')]);
  const list = await run('docker', ['ps', '--all', '--quiet', `--filter=label=code-executor.container-pool=${stdout.trim()}`]);
  return list.stdout.split('\n').filter(Boolean);
}
