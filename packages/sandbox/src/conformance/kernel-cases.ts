import { readlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Arena } from './arena.ts';

/** Raw system calls, past whatever the language offers. */
const RAW_CALLS = `
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    ctypes.set_errno(0)
    done = libc.syscall(ctypes.c_long(number), *[a if isinstance(a, (bytes, ctypes.Array)) else ctypes.c_long(a) for a in args])
    return errno.errorcode.get(ctypes.get_errno(), str(done)) if done == -1 else "made"
`;

/** What a program can learn and do beside its own files: identity, other processes, system calls, what the kernel counts for all. */
export function kernelCases(arena: () => Arena): void {
  test('a program is nobody: no capability, no new privileges, a filter, an ordinary user', async () => {
    for (const language of ['python', 'typescript'] as const) {
      const { result } = await arena()[language](
        language === 'python'
          ? 'open("/proc/self/status").read()'
          : "return require('node:fs').readFileSync('/proc/self/status', 'utf8') + require('node:child_process').execSync('cat /proc/self/status')",
      );
      const status = String(result);
      for (const name of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
        expect(
          status.match(new RegExp(`^${name}:.*$`, 'gm'))?.every((line) => /\t0{16}$/.test(line)),
          name,
        ).toBe(true);
      }
      const id = arena().adapter.name === 'container' ? userOfContainer(status) : 1000;
      const ids = [id, id, id, id].join('\t');
      for (const line of ['NoNewPrivs:\t1', 'Seccomp:\t2', `Uid:\t${ids}`, `Gid:\t${ids}`]) {
        expect(status.split(line).length, line).toBe(language === 'python' ? 2 : 3);
      }
    }
  });

  test('the environment holds what the runtime needs and nothing of the service', async () => {
    const [python, typescript] = [
      await arena().python('import os\n[dict(os.environ), open("/proc/self/environ").read(), open("/proc/self/cmdline").read()]'),
      await arena().typescript(
        "const fs = require('node:fs'); return [process.env, Bun.env, fs.readFileSync('/proc/self/environ', 'latin1'), fs.readFileSync('/proc/self/cmdline', 'latin1')]",
      ),
    ];
    const seen = JSON.stringify([python.result, typescript.result]);
    for (const value of [arena().dataDir, 'EXECUTOR', 'VITEST', 'npm_', process.env.HOME ?? 'no home', process.cwd()]) {
      expect(seen).not.toContain(value);
    }
  });

  test('every namespace is its own, and none can be made or entered', async () => {
    const { result } = await arena().python(`${RAW_CALLS}
import signal
flags = {"ns": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000, "time": 0x80}
answers = {f"clone {k}": call(56, v | signal.SIGCHLD, 0, 0, 0, 0) for k, v in flags.items() if k != "time"}
answers |= {f"unshare {k}": call(272, v) for k, v in flags.items()}
for k in ("mnt", "pid", "net", "ipc", "uts", "user"):
    fd = os.open(f"/proc/self/ns/{k}", os.O_RDONLY); answers[f"setns {k}"] = call(308, fd, 0); os.close(fd)
    answers[f"link {k}"] = os.readlink(f"/proc/self/ns/{k}")
pid = os.pidfd_open(os.getppid()) if os.getppid() else os.pidfd_open(1)
answers["setns pidfd"] = call(308, pid, 0x20000000)
answers["clone3"] = call(435, 0, 88)
answers`);
    for (const [name, answer] of Object.entries(result as Record<string, string>)) {
      if (name === 'link user' && arena().adapter.name === 'container') {
        // A stated degradation: what keeps it apart there is a user of its own.
        expect(arena().adapter.degradations.join()).toContain('not as user 1000 of a user namespace');
        expect(answer).toBe(readlinkSync('/proc/self/ns/user'));
      } else if (name.startsWith('link ')) expect(answer).not.toBe(readlinkSync(`/proc/self/ns/${name.slice(5)}`));
      else expect(answer, name).toBe(name === 'clone3' ? 'ENOSYS' : 'EPERM');
    }
  });

  test('calls that reach other processes, mounts, devices or the machine are refused', async () => {
    const { result } = await arena().python(`${RAW_CALLS}
buffer = ctypes.create_string_buffer(4096)
calls = {
  "ptrace traceme": (101, 0), "ptrace attach": (101, 16, 1), "process_vm_readv": (310, 1, buffer, 1, buffer, 1, 0), "process_vm_writev": (311, 1, buffer, 1, buffer, 1, 0),
  "kcmp": (312, 1, os.getpid(), 0, 0, 0), "pidfd_getfd": (438, 0, 0, 0), "mount": (165, b"none", b"/tmp", b"tmpfs", 0, 0), "umount": (166, b"/proc", 2), "pivot_root": (155, b"/tmp", b"/tmp"),
  "chroot": (161, b"/tmp"), "fsopen": (430, b"tmpfs", 0), "open_tree": (428, -100, b"/usr", 1), "move_mount": (429, 0, b"", 0, b"", 0), "mount_setattr": (442, -100, b"/usr", 0, buffer, 32),
  "bpf": (321, 0, buffer, 48), "perf_event_open": (298, buffer, 0, -1, -1, 0), "io_uring_setup": (425, 8, buffer), "io_setup": (206, 128, buffer), "userfaultfd": (323, 0),
  "add_key": (248, b"user", b"x", b"y", 1, -3), "request_key": (249, b"user", b"x", 0, -3), "keyctl": (250, 0, -3, 0), "memfd_create": (319, b"x", 0), "memfd_secret": (447, 0), "execveat": (322, 3, b"", 0, 0, 0x1000),
  "shmget": (29, 0, 4096, 0o1600), "semget": (64, 0, 1, 0o1600), "msgget": (68, 0, 0o1600), "mq_open": (240, b"x", 0o102, 0o600, 0),
  "open_by_handle_at": (304, -100, buffer, 0), "name_to_handle_at": (303, -100, b"/usr", buffer, buffer, 0), "fanotify_init": (300, 0, 0), "personality": (135, 0x40000), "modify_ldt": (154, 1, buffer, 16),
  "reboot": (169, 0xfee1dead, 672274793, 0x1234567, 0), "swapon": (167, b"/tmp/x", 0), "kexec_load": (246, 0, 0, 0, 0), "init_module": (175, buffer, 1, b""), "settimeofday": (164, buffer, 0), "clock_settime": (227, 0, buffer),
  "syslog": (103, 3, buffer, 4096), "iopl": (172, 3), "ioperm": (173, 0, 1, 1), "quotactl": (179, 0, 0, 0, 0), "acct": (163, 0), "vhangup": (153,), "TIOCSTI": (16, 0, 0x5412, buffer), "TIOCLINUX": (16, 0, 0x541c, buffer),
  "shared anonymous mapping": (9, 0, 4096, 3, 0x21, -1, 0), "pipe of a megabyte": (72, 1, 1031, 1 << 20), "subreaper": (157, 36, 1, 0, 0, 0),
}
{name: call(*arguments) for name, arguments in calls.items()}`);
    const wrong = Object.entries(result as Record<string, string>).filter(([, answer]) => answer !== 'EPERM');
    expect(wrong).toEqual([]);
  });

  test('calls of other tables reach nothing either: x32 numbers, and the 32-bit entry', async () => {
    const { result } = await arena().python(`${RAW_CALLS}
[call(0x40000000 | n, 0, 0, 0, 0, 0) for n in (39, 101, 165, 272, 319, 521, 545)]`);
    expect(new Set(result as string[])).toEqual(new Set(['ENOSYS']));
    const entry = await arena().python(`
import ctypes, mmap, os
# int 0x80 with eax = 20 (getpid of i386), in a page that is made executable.
code = b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3"
page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
page.write(code)
run = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
pid = os.fork()
if pid == 0: os._exit(0 if run() == os.getpid() else 7)
os.waitpid(pid, 0)[1]`);
    // Exit code 7, or ended by a signal where the kernel has no such entry: never the pid.
    expect(entry.result).not.toBe(0);
  });

  test('sockets of no family but unix and plain internet can be made', async () => {
    const { result } = await arena().python(
      'import socket\nmade = []\nfor family in range(0, 46):\n    for kind in (1, 2, 3, 4, 5, 6, 10):\n        for protocol in (0, 1, 6, 17, 132, 255, 262):\n            try: socket.socket(family, kind, protocol).close(); made.append([family, kind, protocol])\n            except OSError: pass\nmade',
    );
    for (const [family, kind, protocol] of result as [number, number, number][]) {
      expect([1, 2, 10]).toContain(family);
      if (family !== 1) expect([1, 2]).toContain(kind);
      if (family !== 1) expect([0, 6, 17]).toContain(protocol);
    }
    expect(result).not.toEqual([]);
  });

  test('what the kernel counts for the service as well cannot be used up', async () => {
    const { result } = await arena().python(`${RAW_CALLS}
instances = 0
while instances < 200 and libc.inotify_init() >= 0: instances += 1
aio = call(206, 65000, ctypes.create_string_buffer(8))
[instances, aio]`);
    const [instances, asynchronous] = result as [number, string];
    expect(asynchronous).toBe('EPERM');
    if (arena().adapter.degradations.some((each) => each.includes('inotify'))) expect(instances).toBe(0);
    else if (arena().adapter.name === 'launcher') expect(instances).toBeLessThanOrEqual(8);
    // Of a user that nobody else is.
    else if (arena().adapter.name === 'container') expect(instances).toBeLessThanOrEqual(128);
  });

  test('what another process of the program could wake, trace or look into is its own', async () => {
    const { result } = await arena().python(`${RAW_CALLS}
import resource
answers = []
child = os.fork()
if child == 0:
    import time; time.sleep(5); os._exit(0)
answers.append(call(101, 16, child))
try: open(f"/proc/{child}/mem", "rb").close(); answers.append("own child")
except OSError as error: answers.append(type(error).__name__)
os.kill(child, 9)
answers`);
    expect((result as string[])[0]).toBe('EPERM');
  });

  test('TypeScript reaches the kernel through bun:ffi no further', async () => {
    const { result } = await arena().typescript(`
      const { dlopen, FFIType } = require('bun:ffi');
      const { symbols } = dlopen('libc.so.6', { syscall: { args: Array(7).fill(FFIType.i64), returns: FFIType.i64 } });
      const call = (...given) => Number(symbols.syscall(...[...given, 0, 0, 0, 0, 0, 0, 0].slice(0, 7).map(BigInt)));
      return [call(272, 0x10000000), call(165), call(101, 0), call(321), call(0x40000000 + 39), call(319), call(425, 8), call(41, 16, 3, 0)]`);
    expect(new Set(result as number[])).toEqual(new Set([-1]));
  });
}

/** Of the range that is set aside for containers: neither root nor somebody's account. */
function userOfContainer(status: string): number {
  const id = Number(/^Uid:\t(\d+)/m.exec(status)?.[1]);
  expect(id).toBeGreaterThanOrEqual(50_000);
  expect(id).toBeLessThan(60_000);
  return id;
}
