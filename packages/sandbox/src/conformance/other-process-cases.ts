import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../port.ts';
import type { Arena } from './arena.ts';

/**
 * Everything of every other process that a program's /proc lets it read: { pid: { file: text } }. `others` are the processes that
 * are not its own; its init is the parent of the runtime, as /proc counts.
 */
const READ_OTHERS = `
import os
own = os.readlink("/proc/self")
init = [line.split()[1] for line in open("/proc/self/status") if line.startswith("PPid:")][0]
others = [pid for pid in os.listdir("/proc") if pid.isdigit() and pid != own]
PRIVATE = ["environ", "mem", "maps", "smaps", "smaps_rollup", "numa_maps", "stack", "auxv", "pagemap", "syscall", "io", "exe", "cwd", "root", "personality",
  "fd", "fdinfo", "map_files", "ns/mnt", "ns/net", "ns/user", "ns/pid", "root/etc/passwd", "cwd/x", "timerslack_ns", "seccomp_cache"]
def read(path):
    try:
        if os.path.islink(path): return os.readlink(path)
        if os.path.isdir(path): return str([os.readlink(f"{path}/{each}") for each in os.listdir(path)])
        return open(path, "rb").read(65536).decode(errors="replace")
    except OSError: return ""
`;

/** What a program learns of processes that are not its own, and what it can do to them. */
export function otherProcessCases(arena: () => Arena): void {
  /** The container's own /proc is what sandboxes see; then, and only then, other sandboxes' processes have names there. */
  const sharesProc = (): boolean => arena().adapter.degradations.some((each) => each.includes('masks its /proc, so sandboxes see it'));
  const besideNeighbour = async <T>(act: () => Promise<T>): Promise<T> => {
    const neighbour = await arena().adapter.boot({ runtime: 'python', snapshotDir: null, limits: DEFAULT_LIMITS });
    try {
      return await act();
    } finally {
      neighbour.kill();
      await neighbour.ended;
    }
  };

  test('init and siblings show nothing of themselves', async () => {
    const { result, error } = await besideNeighbour(() =>
      arena().python(`${READ_OTHERS}
seen = {f"{pid}/{kind}{name}": read(f"/proc/{pid}/{kind}{name}") for pid in others for kind in ("", f"task/{pid}/") for name in PRIVATE}
[{name: text for name, text in seen.items() if text}, len(others), read(f"/proc/{init}/cmdline"), init in others]`),
    );
    const [seen, count, commandLine, hasInit] = result as [Record<string, string>, number, string, boolean];
    expect(error).toBeNull();
    expect(hasInit).toBe(true);
    if (sharesProc()) expect(count).toBeGreaterThan(3);
    else expect(count).toBeLessThanOrEqual(3);
    if (arena().adapter.name !== 'bubblewrap') {
      expect(seen).toEqual({});
      expect(commandLine.replaceAll('\0', '')).toBe('init');
    } else {
      // Bubblewrap's init stays readable; its environment is empty but for PATH, and its command line is a stated degradation.
      expect(arena().adapter.degradations.join()).toContain('command line');
      expect(JSON.stringify(seen)).not.toMatch(/EXECUTOR|VITEST|HOME=/);
    }
  });

  test('nothing that can be read names the service, its directories or its connections', async () => {
    const { result } = await besideNeighbour(() =>
      arena().python(`${READ_OTHERS}
FILES = ["cmdline", "comm", "status", "stat", "cgroup", "mountinfo", "mounts", "mountstats", "net/tcp", "net/tcp6", "net/unix", "net/dev", "net/route", "net/arp", "limits", "sched", "wchan"]
"\\n".join(read(f"/proc/{pid}/{name}") for pid in [*others, own] for name in FILES)`),
    );
    const seen = String(result);
    expect(seen).toContain('Name:');
    if (arena().adapter.name === 'launcher') {
      expect(seen).not.toMatch(/vitest|EXECUTOR|\/snapshots\b|channel\.sock|postgres|admin\.key|eth0|main\.ts|tini/);
      expect(seen).not.toContain(readFileSync('/proc/self/mountinfo', 'utf8').match(/\/etc\/hostname\b.*/)?.[0] ?? 'no such mount');
      // Loopback is all the network there is, in the view of every process that can be seen.
      expect(interfacesIn(seen)).toEqual(new Set(['lo']));
    } else if (arena().adapter.name === 'container') {
      // Mounts name directories of the engine, which is a stated degradation; nothing else of the host has a name here.
      expect(arena().adapter.degradations.join()).toContain('mountinfo names directories');
      expect(seen).not.toMatch(/vitest|EXECUTOR|postgres|admin\.key|eth0|main\.ts|tini/);
      expect(interfacesIn(seen)).toEqual(new Set(['lo']));
    }
  });

  test('no other process can be signalled, slowed, limited, moved or taken over by what /proc says of it', async () => {
    const { result } = await besideNeighbour(() =>
      arena().python(`${READ_OTHERS}
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
done = []
def call(name, number, *arguments):
    ctypes.set_errno(0)
    if libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in arguments]) != -1: done.append(name)
limits = ctypes.create_string_buffer(16)
# The first numbers are those of the program's own pid namespace, so they say nothing of strangers.
strangers = [pid for pid in others if pid != init and int(pid) > 9]
for pid in strangers:
    try: directory = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY)
    except OSError: continue
    call(f"pidfd_send_signal {pid}", 424, directory, 9, 0, 0)
    call(f"process_mrelease {pid}", 448, directory, 0)
    call(f"kill {pid}", 62, int(pid), 19)
    call(f"tgkill {pid}", 234, int(pid), int(pid), 19)
    call(f"setpriority {pid}", 141, 0, int(pid), 19)
    call(f"pidfd_open {pid}", 434, int(pid), 0)
    call(f"sched_setaffinity {pid}", 203, int(pid), 8, ctypes.addressof(limits))
    call(f"prlimit {pid}", 302, int(pid), 7, 0, ctypes.addressof(limits))
    for name in ("oom_score_adj", "autogroup", "timerslack_ns", "clear_refs", "coredump_filter", "comm", "uid_map", "setgroups", "attr/current", "mem"):
        try: open(f"/proc/{pid}/{name}", "r+b").close(); done.append(f"open {name} {pid}")
        except OSError: pass
    os.close(directory)
[done, len(strangers)]`),
    );
    const [done, strangers] = result as [string[], number];
    expect(done).toEqual([]);
    if (sharesProc()) expect(strangers).toBeGreaterThan(1);
  });

  test('the processor, the input and output, and signals that are meant for a whole user stay within its sandbox', async () => {
    const neighbour = await arena().adapter.boot({ runtime: 'python', snapshotDir: null, limits: DEFAULT_LIMITS });
    try {
      const initPid = await arena().initPidOf(neighbour);
      const priorities = (): string[] => [process.pid, initPid].map((pid) => niceness(pid));
      const before = priorities();
      await arena().python(
        'import os, signal\nos.setpriority(os.PRIO_USER, 0, 17)\nos.setpriority(os.PRIO_PGRP, 0, 17)\ntry: os.kill(-1, signal.SIGSTOP)\nexcept OSError: pass\n1',
        { timeoutMs: 1_000 },
      );
      expect(priorities()).toEqual(before);
      expect(readFileSync(`/proc/${initPid}/status`, 'utf8')).not.toMatch(/^State:\s+T/m);
    } finally {
      neighbour.kill();
      await neighbour.ended;
    }
  });

  test('there is no control group, no sysfs and no device of the machine to be found', async () => {
    const { result } = await arena().python(`
import os
[[path for path in ("/sys", "/sys/fs/cgroup", "/proc/kcore/x", "/dev/mqueue", "/dev/pts", "/dev/ptmx", "/dev/tty", "/dev/fuse", "/dev/net/tun", "/run", "/var", "/app", "/home", "/root", "/.dockerenv", "/run/secrets") if os.path.exists(path)],
 sorted(set(line.split(":", 2)[2].strip() for line in open("/proc/self/cgroup"))), sorted(os.listdir("/"))]`);
    const [found, groups] = result as [string[], string[]];
    const ofEngine = arena().adapter.name === 'container' ? ['/sys', '/.dockerenv'] : [];
    expect(found.filter((path) => !OWN_DEVICES.has(path))).toEqual(ofEngine);
    // Where the service is in its container's tree of control groups is not told.
    expect(groups.filter((group) => group !== '/')).toEqual([]);
  });
}

const interfacesIn = (text: string): Set<string> =>
  // Lines of net/unix begin with an address.
  new Set((text.match(/^ *(?![0-9a-f]{16}:)[a-z0-9]+(?=:\s+\d+ +\d+ +\d+ +\d+ +\d+)/gm) ?? []).map((name) => name.trim()));

/** Bubblewrap and engines make a /dev of their own, with terminals that lead nowhere. */
const OWN_DEVICES = new Set(['/dev/mqueue', '/dev/pts', '/dev/ptmx', '/dev/tty']);

/** The nice value of a process: the nineteenth field. */
const niceness = (pid: number): string => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[16] ?? '';
