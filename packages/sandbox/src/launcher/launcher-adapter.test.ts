import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { describeIsolation } from '../boot/testing/isolation-cases.ts';
import { type OpenAdapter, openAdapter, runIn, spec, startIn } from '../boot/testing/open-adapter.ts';
import { FRAME } from '../channel/frame-channel.ts';
import { DEFAULT_LIMITS } from '../port.ts';
import { buildLauncher } from './build-launcher.ts';
import type { LauncherAdapterOptions } from './launcher-adapter.ts';

describeIsolation('launcher');

it('refuses to make a sandbox where its own user id is 0', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'launcher-as-root-'));
  try {
    const launcherPath = join(directory, 'launcher');
    const launcher = await buildLauncher({ outDir: directory });
    // In a user namespace that maps it to 0, an ordinary user's process sees itself as root.
    await writeFile(launcherPath, `#!/bin/sh\nexec unshare --user --map-root-user ${launcher}\n`, { mode: 0o700 });
    await using(
      async ({ adapter }) => {
        await expect(adapter.boot(spec('python'))).rejects.toMatchObject({
          code: 'SANDBOX_UNAVAILABLE',
          message: expect.stringContaining('the outer uid must not be 0'),
        });
      },
      { launcherPath },
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

describe.skipIf(process.getuid?.() === 0)('the launcher (not as root)', () => {
  it('bounds inodes, and executes nothing from what a program can write', async () => {
    await using(async ({ adapter }) => {
      const { result } = await runIn(
        await adapter.boot(spec('python', null, { ...DEFAULT_LIMITS, inodes: 100 })),
        `
import errno, os, shutil, subprocess
result = {}
for path in ["/workspace", "/tmp", "/dev/shm"]:
    shutil.copy("/usr/bin/true", f"{path}/true")
    try: subprocess.run([f"{path}/true"]); ran = "ran"
    except OSError as error: ran = errno.errorcode[error.errno]
    count = 0
    try:
        while count < 1000: open(f"{path}/{count}", "w").close(); count += 1
    except OSError as error: result[path] = [ran, 90 < count < 100, errno.errorcode[error.errno]]`,
      );
      for (const path of ['/workspace', '/tmp', '/dev/shm']) expect(result).toHaveProperty([path], ['EACCES', true, 'ENOSPC']);
    });
  });

  it('gives one that yields the lowest priority and the scheduling group of the others that do', async () => {
    await using(async ({ adapter }) => {
      const many = { ...spec('python'), yields: true };
      const [ordinary, first, second] = [await adapter.boot(spec('python')), await adapter.boot(many), await adapter.boot(many)];
      const [alone, one, other] = await Promise.all([ordinary, first, second].map(({ initPid }) => schedulingOf(initPid)));
      expect([alone?.priorities, one?.priorities, other?.priorities]).toEqual([
        [0, 0],
        [19, 19],
        [19, 19],
      ]);
      // A session of one's own is a scheduling group of one's own, where the kernel makes such groups.
      expect(one?.session).toBe(other?.session);
      expect(alone?.session).not.toBe(one?.session);
      expect(new Set([alone?.group, one?.group, other?.group]).size).toBe(3);
      for (const sandbox of [ordinary, first, second]) await runIn(sandbox, 'result = 1');
    });
  });

  it('shows programs nothing of itself: no environment, no memory, no descriptors, a plain command line', async () => {
    await using(async ({ adapter }) => {
      const { result } = await runIn(
        await adapter.boot(spec('python')),
        `
import os
def attempt(act):
    try: return act()
    except OSError as error: return type(error).__name__
result = [open("/proc/1/cmdline").read().strip("\\0"), open("/proc/1/comm").read().strip(),
  *[attempt(lambda: open(f"/proc/1/{name}", "rb").read(1)) for name in ["environ", "mem", "maps", "stack"]],
  *[attempt(lambda: os.listdir(f"/proc/1/{name}")) for name in ["fd", "root", "cwd"]],
  attempt(lambda: os.kill(1, 9)), sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:4], os.environ.get("PATH"), sorted(os.environ)]`,
      );
      const denied = 'PermissionError';
      expect(result).toEqual([
        'init',
        'init',
        ...[denied, denied, denied, denied, denied, denied, denied],
        null,
        [0, 1, 2, 3],
        '/opt/runtimes:/usr/local/bin:/usr/bin:/bin',
        expect.arrayContaining(['HOME', 'LANG', 'PATH', 'TMPDIR']),
      ]);
      expect(JSON.stringify(result)).not.toContain('EXECUTOR');
    });
  });

  it('takes the processor from a program that runs for long, and not from a short one', async () => {
    await using(async ({ adapter }) => {
      const sandbox = await adapter.boot(spec('python'));
      const runtime = (await readFile(`/proc/${sandbox.initPid}/task/${sandbox.initPid}/children`, 'utf8')).trim();
      const share = async (): Promise<string> => (await readFile(`/proc/${runtime}/autogroup`, 'utf8')).trim();
      try {
        expect(await share()).toMatch(/nice 0$/);
        startIn(sandbox, 'while True: pass');
        const end = performance.now() + 25_000;
        while (!/nice 19$/.test(await share()) && performance.now() < end) await sleep(50);
        expect(await share()).toMatch(/nice 19$/);
      } finally {
        sandbox.kill();
        await sandbox.ended;
      }
    });
  });

  it('keeps a program frozen that has arranged to be woken', async () => {
    await using(async ({ adapter }) => {
      const sandbox = await adapter.boot(spec('python'));
      try {
        // If the parent died of its timer, the kernel would continue the child's group, which would then be an orphaned one.
        const program = startIn(
          sandbox,
          `
import os, signal, time
for _ in range(8):
    if os.fork() == 0:
        if os.fork() == 0:
            os.setpgid(0, 0); signal.signal(signal.SIGHUP, signal.SIG_IGN)
            while True: os.write(1, b"."); time.sleep(0.001)
        signal.setitimer(signal.ITIMER_REAL, 0.8); signal.pause()
time.sleep(100)`,
        );
        await expect.poll(() => program.output().length).toBeGreaterThan(100);
        sandbox.freeze();
        // What was printed before may still be on its way.
        await sleep(300);
        const frozen = program.output().length;
        await sleep(1500);
        expect(program.output().length).toBe(frozen);
        sandbox.thaw();
        await expect.poll(() => program.output().length - frozen).toBeGreaterThan(100);
      } finally {
        sandbox.kill();
        await sandbox.ended;
      }
    });
  });

  it('refuses a snapshot that lies elsewhere', async () => {
    await using(async ({ adapter, runDir, snapshotsDir }) => {
      for (const dir of [runDir, snapshotsDir, '/etc', join(snapshotsDir, '../etc')]) {
        await expect(adapter.boot(spec('python', dir)), dir).rejects.toMatchObject({ code: 'SANDBOX_UNAVAILABLE' });
      }
    });
  });

  it('is started again when it dies, and its sandboxes end with it', async () => {
    await using(async ({ adapter, logged }) => {
      const sandboxes = await Promise.all([adapter.boot(spec('python')), adapter.boot(spec('typescript'))]);
      process.kill(launcherPid(logged), 'SIGKILL');
      for (const sandbox of sandboxes) {
        expect(await sandbox.ended).toEqual({ exitCode: null, signal: 9 });
        await expect(
          readFile(`/proc/${sandbox.initPid}/status`, 'utf8').then(
            (text) => /State:\s+(\S)/.exec(text)?.[1] ?? 'gone',
            () => 'gone',
          ),
        ).resolves.toMatch(/Z|gone/);
      }
      await expect(adapter.boot(spec('python'))).rejects.toMatchObject({ code: 'SANDBOX_UNAVAILABLE' });
      await sleep(500);
      expect((await runIn(await adapter.boot(spec('python')), 'result = 4')).result).toBe(4);
    });
  });

  it('leaves no process and no mount when the service is killed', async () => {
    const service = spawn(process.execPath, [join(import.meta.dirname, 'testing/service-to-kill.ts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(service.stdout, 'data');
    const { pids, runDir } = JSON.parse(String(line)) as { pids: number[]; runDir: string };
    expect(pids.length).toBeGreaterThanOrEqual(5);
    service.kill('SIGKILL');
    await once(service, 'exit');
    const end = performance.now() + 20_000;
    let left = pids;
    while (left.length > 0 && performance.now() < end) {
      await sleep(20);
      const living = await Promise.all(left.map(async (pid) => ((await isLiving(pid)) ? [pid] : [])));
      left = living.flat();
    }
    expect(left).toEqual([]);
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(runDir);
    // Nothing is mounted there: what is left are the few files that the next start makes anew.
    await rm(runDir, { recursive: true });
  });

  it('leaks no descriptor, here or in the launcher, over many sandboxes', async () => {
    await using(async ({ adapter, logged }) => {
      const open = (): Promise<number[]> =>
        Promise.all(['self', launcherPid(logged)].map(async (pid) => (await readdir(`/proc/${pid}/fd`)).length));
      const bootAndEnd = async (index: number): Promise<void> => {
        const sandbox = await adapter.boot(spec('python'));
        if (index % 3 === 0) await runIn(sandbox, 'print("x")');
        else if (index % 3 === 1) sandbox.kill();
        else startIn(sandbox, 'import os; os._exit(1)');
        await sandbox.ended;
      };
      await bootAndEnd(0);
      await sleep(200);
      const before = await open();
      for (let round = 0; round < 5; round += 1) await Promise.all([0, 1, 2, 3, 4, 5].map(bootAndEnd));
      await expect.poll(async () => (await open()).every((count, index) => count <= (before[index] ?? 0) + 2)).toBe(true);
    });
  });

  it('ends a sandbox that sends a broken frame before it is ready, and passes on one that comes later', async () => {
    await using(async ({ adapter }) => {
      const sandbox = await adapter.boot(spec('python'));
      const { error } = await runIn(sandbox, 'import os; os.write(3, b"\\x40\\0\\0\\0\\x05")');
      expect(error).toBe('frame_too_large');
    });
  });

  it('delivers what a program sent before it was gone, and what it sends faster than it is read', async () => {
    await using(async ({ adapter }) => {
      const sandbox = await adapter.boot(spec('python'));
      let calls = 0;
      const closed = new Promise<void>((resolve) => {
        sandbox.channel.listen({
          onFrame(frame) {
            if (frame.type === FRAME.CALL) calls += 1;
          },
          onViolation: () => undefined,
          onClose: resolve,
        });
      });
      sandbox.channel.send(
        FRAME.RUN,
        JSON.stringify({ code: 'import os\nfor _ in range(2000): os.write(3, b"\\0\\0\\0\\2\\3{}")\nos._exit(0)', args: {} }),
      );
      await closed;
      expect(calls).toBe(2000);
    });
  });
});

async function using(act: (open: OpenAdapter) => Promise<void>, changes: Partial<LauncherAdapterOptions> = {}): Promise<void> {
  const open = await openAdapter('launcher', changes);
  try {
    await act(open);
  } finally {
    await open.close();
  }
}

const launcherPid = (logged: OpenAdapter['logged']): number =>
  Number(logged.find(({ message }) => message === 'sandbox launcher is ready')?.fields.pid);

const isLiving = (pid: number): Promise<boolean> =>
  readFile(`/proc/${pid}/status`, 'utf8').then(
    (text) => !/^State:\s+Z/m.test(text),
    () => false,
  );

/** Of a sandbox's init and its runtime: the priorities of both, and the runtime's process group and session. */
async function schedulingOf(initPid: number | null) {
  const runtimePid = Number((await readFile(`/proc/${initPid}/task/${initPid}/children`, 'utf8')).trim().split(' ')[0]);
  const [init = [], runtime = []] = await Promise.all(
    [initPid, runtimePid].map(async (pid) => (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ')),
  );
  return { priorities: [Number(init[16]), Number(runtime[16])], group: runtime[2], session: runtime[3] };
}
