import { mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, type Sandbox, type SandboxAdapter } from '../../port.ts';
import { type OpenAdapter, openAdapter, type ProgramEnd, runIn, spec, startIn } from './open-adapter.ts';

/** What both adapters promise of a sandbox's outside. Programs are Python: it says precisely what the kernel answered. */
export function describeIsolation(name: SandboxAdapter['name']): void {
  describe.skipIf(process.getuid?.() === 0)(`a sandbox of the ${name} adapter (not as root)`, () => {
    let open: OpenAdapter;
    beforeAll(async () => {
      open = await openAdapter(name);
    });
    afterAll(() => open.close());
    const python = async (code: string, limits = DEFAULT_LIMITS): Promise<ProgramEnd> =>
      runIn(await open.adapter.boot(spec('python', null, limits)), code);

    it('has its own user inside and an ordinary one outside, no capability and no way to get one', async () => {
      const sandbox = await open.adapter.boot(spec('python'));
      const outside = await readFile(`/proc/${sandbox.initPid}/status`, 'utf8');
      const { result } = await runIn(
        sandbox,
        'result = dict(l.rstrip().split(":\\t", 1) for l in open("/proc/self/status") if ":\\t" in l) | {"groups": __import__("os").getuid()}',
      );
      expect(outside).toMatch(new RegExp(`^Uid:\\t${process.getuid?.()}\\t`, 'm'));
      expect(result).toMatchObject({
        Uid: '1000\t1000\t1000\t1000',
        Gid: '1000\t1000\t1000\t1000',
        CapInh: '0000000000000000',
        CapPrm: '0000000000000000',
        CapEff: '0000000000000000',
        CapBnd: '0000000000000000',
        CapAmb: '0000000000000000',
        NoNewPrivs: '1',
        Seccomp: '2',
      });
    });

    it('has namespaces that are neither ours nor a sibling’s', async () => {
      const code = 'import os; result = {n: os.readlink(f"/proc/self/ns/{n}") for n in ["mnt", "pid", "net", "ipc", "uts", "user"]}';
      const [one, other] = await Promise.all([python(code), python(code)]);
      for (const [kind, link] of Object.entries(one.result as Record<string, string>)) {
        expect(link, kind).not.toBe(await readlink(`/proc/self/ns/${kind}`));
        expect(link, kind).not.toBe((other.result as Record<string, string>)[kind]);
      }
    });

    it('has a root, a /dev and a /proc that cannot be written', async () => {
      const { result } = await python(`
import errno
result = {}
for path in ["/x", "/usr/x", "/etc/passwd", "/dev/x", "/opt/x", "/opt/runners/x", "/proc/self/oom_score_adj", "/proc/sys/kernel/hostname"]:
    try:
        open(path, "w").write("0"); result[path] = "written"
    except OSError as error: result[path] = errno.errorcode[error.errno]`);
      for (const [path, outcome] of Object.entries(result as object)) expect(['EROFS', 'EACCES', 'EPERM'], path).toContain(outcome);
    });

    it('bounds the size of /workspace, /tmp and /dev/shm', async () => {
      const { result } = await python(`
import errno
result = {}
for path in ["/workspace", "/tmp", "/dev/shm"]:
    written = 0
    for index in range(9):
        try:
            with open(f"{path}/f{index}", "wb", buffering=0) as file:
                for _ in range(32):
                    part = file.write(bytes(1 << 20)); written += part
                    if part < 1 << 20: raise OSError(errno.ENOSPC, "short")
        except OSError as error:
            result[path] = [written >> 20, errno.errorcode[error.errno]]; break
    for index in range(9):
        __import__("pathlib").Path(f"{path}/f{index}").unlink(missing_ok=True)`);
      expect(result).toEqual({ '/workspace': [128, 'ENOSPC'], '/tmp': [64, 'ENOSPC'], '/dev/shm': [16, 'ENOSPC'] });
    });

    it('sees no process but its own', async () => {
      const neighbour = await open.adapter.boot(spec('python'));
      try {
        const { result } = await python(`
import os
def attempt(path):
    try: return open(path, "rb").read().decode(errors="replace")
    except OSError as error: return type(error).__name__
result = {"pids": sorted(int(p) for p in os.listdir("/proc") if p.isdigit()), "self": os.getpid(),
  "names": [open(f"/proc/{p}/comm").read().strip() for p in os.listdir("/proc") if p.isdigit()],
  "environ": attempt("/proc/1/environ"), "host": os.uname().nodename}`);
        const seen = result as { pids: number[]; self: number; names: string[]; environ: string; host: string };
        expect(seen.pids.length).toBeLessThanOrEqual(3);
        expect(seen.pids).toContain(seen.self);
        expect(seen.environ).not.toContain('HOME=/var');
        expect(seen.host).toBe('sandbox');
      } finally {
        neighbour.kill();
        await neighbour.ended;
      }
    });

    it('sees its own snapshot, read-only, and no other', async () => {
      for (const snapshot of ['one', 'other']) {
        await mkdir(join(open.snapshotsDir, snapshot));
        await writeFile(join(open.snapshotsDir, snapshot, `${snapshot}.py`), `name = "${snapshot}"`);
      }
      const sandbox = await open.adapter.boot(spec('python', join(open.snapshotsDir, 'one')));
      const { result } = await runIn(
        sandbox,
        `
import os, sys
sys.path.insert(0, "/workspace/servers")
import one
found = []
for base, dirs, names in os.walk("/"):
    if base == "/": dirs[:] = [name for name in dirs if name not in ("proc", "usr")]
    found += [os.path.join(base, name) for name in names + dirs if name in ("other", "other.py")]
try: open("/workspace/servers/x", "w"); wrote = True
except OSError: wrote = False
result = [one.name, found, wrote, sorted(os.listdir("/workspace/servers/..")), os.path.exists("/.snapshots/other")]`,
      );
      expect(result).toEqual(['one', [], false, ['servers'], false]);
    });

    it('reaches itself over loopback and nothing else', async () => {
      const server = createServer((socket) => socket.end('host'));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      try {
        const address = server.address();
        const port = typeof address === 'object' ? address?.port : 0;
        const { result } = await python(`
import errno, socket, threading
own = socket.create_server(("127.0.0.1", 0))
socket.create_connection(own.getsockname(), 2).close()
def attempt(*address):
    try: socket.create_connection(address, 2); return "connected"
    except OSError as error: return errno.errorcode.get(error.errno, str(error))
result = [sorted(l.split(":")[0].strip() for l in open("/proc/net/dev") if ":" in l),
  attempt("127.0.0.1", ${port}), attempt("169.254.169.254", 80), attempt("::1", ${port})]`);
        expect(result).toEqual([['lo'], 'ECONNREFUSED', 'ENETUNREACH', 'ECONNREFUSED']);
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    });

    it('bounds processes for itself alone', async () => {
      const neighbour = await open.adapter.boot(spec('python'));
      const { result } = await python(`
import os, time
count = 0
try:
    while count < 200:
        if os.fork() == 0: time.sleep(60); os._exit(0)
        count += 1
except BlockingIOError: pass
result = count`);
      expect(result).toBeGreaterThan(40);
      expect(result).toBeLessThanOrEqual(64);
      expect(
        (await runIn(neighbour, 'import os; pid = os.fork(); (pid == 0 and os._exit(3)); result = os.waitpid(pid, 0)[1] >> 8')).result,
      ).toBe(3);
    });

    it('lets a program open /dev/stdout again, and keeps the order of both streams', async () => {
      const { output } = await python(`
import os, time
os.write(1, b"one "); os.write(2, b"two "); open("/dev/stdout", "w").write("three ")
os.system("echo four > /dev/stderr")`);
      expect(output).toBe('one two three four\n');
    });

    it('says how its runtime ended, and takes what it left behind with it', async () => {
      const left = 'import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: time.sleep(1000)\n  os._exit(0)\n';
      const exited = await open.adapter.boot(spec('python'));
      const killed = await open.adapter.boot(spec('python'));
      startIn(exited, `${left}os._exit(7)`);
      startIn(killed, `${left}os.kill(os.getpid(), 11)`);
      expect(await exited.ended).toEqual({ exitCode: 7, signal: null });
      expect(await killed.ended).toEqual({ exitCode: null, signal: 11 });
      for (const pid of [exited.initPid, killed.initPid]) expect(await isThere(pid ?? 0)).toBe(false);
    });

    it('stands still while it is frozen, children included, and goes on when it is thawed', async () => {
      const sandbox = await open.adapter.boot(spec('python'));
      try {
        const program = startIn(
          sandbox,
          'import os, time\nfor _ in range(3):\n  if os.fork() == 0: break\nfor n in range(10000):\n  os.write(1, b"."); time.sleep(0.005)',
        );
        await until(() => program.output().length > 20);
        sandbox.freeze();
        const frozen = await settled(() => program.output().length);
        await sleep(300);
        expect(program.output().length).toBe(frozen);
        sandbox.thaw();
        await until(() => program.output().length > frozen + 20);
      } finally {
        sandbox.kill();
        await sandbox.ended;
      }
    });

    it('is gone at once when it is killed, whatever it does', async () => {
      const sandbox = await open.adapter.boot(spec('python'));
      startIn(
        sandbox,
        'import os, signal\nfor s in range(1, 65):\n  try: signal.signal(s, signal.SIG_IGN)\n  except (OSError, ValueError): pass\nwhile True:\n  try: os.fork()\n  except OSError: pass',
      );
      await sleep(200);
      const before = performance.now();
      sandbox.kill();
      expect(await sandbox.ended).toEqual({ exitCode: null, signal: 9 });
      expect(performance.now() - before).toBeLessThan(10_000);
      expect(await isThere(sandbox.initPid ?? 0)).toBe(false);
    });

    it('leaves nothing behind when its boot is aborted or takes too long', async () => {
      const before = await livingProcesses(open.runDir);
      for (let delayMs = 0; delayMs < 16; delayMs += 1) {
        const abort = new AbortController();
        const booting = open.adapter.boot(spec('typescript'), abort.signal);
        setTimeout(() => abort.abort(new Error('changed my mind')), delayMs);
        const outcome = await booting.catch((error: unknown) => error);
        if (outcome instanceof Error) {
          expect(outcome).toMatchObject({ code: 'SANDBOX_UNAVAILABLE', message: expect.stringContaining('changed my mind') });
        } else {
          const sandbox = outcome as Sandbox;
          sandbox.kill();
          await sandbox.ended;
        }
      }
      const hasty = await openAdapter(name, { bootLimitMs: 1 });
      try {
        await expect(hasty.adapter.boot(spec('node'))).rejects.toMatchObject({ message: expect.stringContaining('was not ready in 1 ms') });
      } finally {
        await hasty.close();
      }
      await until(async () => (await livingProcesses(open.runDir)) <= before);
    });

    it('says why it cannot be booted', async () => {
      const broken = await openAdapter(name, { runtimes: { typescript: '/usr/bin/false' } });
      try {
        await expect(broken.adapter.boot(spec('typescript'))).rejects.toMatchObject({
          code: 'SANDBOX_UNAVAILABLE',
          message: expect.stringContaining('ended with code 1'),
        });
        await expect(broken.adapter.boot(spec('node'))).rejects.toMatchObject({
          code: 'SANDBOX_UNAVAILABLE',
          message: expect.stringContaining('No such file or directory'),
        });
      } finally {
        await broken.close();
      }
    });

    it('runs JavaScript with its optimising compiler on, in spite of the memory limit', async () => {
      const { result } = await runIn(
        await open.adapter.boot(spec('typescript')),
        `const { numberOfDFGCompiles } = await import('bun:jsc');
         const hot = (count) => { let sum = 0; for (let i = 0; i < count; i++) sum = (sum + i * 7) % 1000003; return sum; };
         for (let round = 0; round < 300; round++) hot(10000);
         return numberOfDFGCompiles(hot);`,
      );
      // Bun answers a million where it has no such compiler.
      expect(result).toBeGreaterThan(0);
      expect(result).toBeLessThan(1000);
    });

    it('boots Node too', async () => {
      expect((await runIn(await open.adapter.boot(spec('node')), 'return process.versions.node.split(".")[0]')).result).toBe(
        process.versions.node.split('.')[0],
      );
    });
  });
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 25_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('It did not happen within 25 seconds');
    await sleep(10);
  }
}

/** The value once it has stood still for a while: what was printed before may still be on its way. */
async function settled(look: () => number): Promise<number> {
  let seen = look();
  let steady = 0;
  await until(async () => {
    await sleep(50);
    steady = look() === seen ? steady + 1 : 0;
    seen = look();
    return steady === 5;
  });
  return seen;
}

async function isThere(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tZ');
  return !/^State:\s+Z/m.test(status);
}

/** Processes below this one, and orphans that name the run directory: a sandbox that was left behind is one of them. */
async function livingProcesses(runDir: string): Promise<number> {
  const parents = new Map<number, number>();
  const orphans = new Set<number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const [, state, parent] = /\) (\S) (\d+)/.exec(stat) ?? [];
    if (state === undefined || state === 'Z') continue;
    parents.set(Number(name), Number(parent));
    if ((await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).includes(runDir)) orphans.add(Number(name));
  }
  const isBelow = (pid: number): boolean => pid === process.pid || (pid > 1 && parents.has(pid) && isBelow(parents.get(pid) ?? 0));
  return [...parents.keys()].filter((pid) => pid !== process.pid && (orphans.has(pid) || isBelow(pid))).length;
}
