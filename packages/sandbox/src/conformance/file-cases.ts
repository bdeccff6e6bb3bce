import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Arena } from './arena.ts';
import { endingCases, succeeds } from './ending-case.ts';

/** Answers, for each attempt, what the kernel said. */
const ATTEMPTS = `
import errno, os
answers = {}
def attempt(name, act):
    try: answers[name] = act() or 'done'
    except OSError as error: answers[name] = errno.errorcode.get(error.errno, str(error))
`;

/** Programs that write where they must not, or look for what another run has left. */
export function fileCases(arena: () => Arena): void {
  test('nothing outside /workspace, /tmp and /dev/shm can be made, changed, linked or removed', async () => {
    const snapshotDir = join(arena().dataDir, 'snapshots', 'empty');
    mkdirSync(snapshotDir, { recursive: true });
    const program = `${ATTEMPTS}
for path in ["/", "/usr", "/usr/bin", "/etc", "/opt", "/opt/runners", "/opt/runtimes", "/dev", "/proc", "/proc/sys/kernel", "/workspace/servers", "/lib", "/var/tmp", "/run", "/root", "/home", "/sys"]:
    attempt(f"make {path}", lambda: open(f"{path}/evil", "w").close())
for path in ["/etc/passwd", "/usr/bin/env", "/opt/runtimes/bun", "/opt/runners/python/runner.py", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/self/oom_score_adj", "/proc/self/autogroup", "/proc/1/oom_score_adj", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/user/max_inotify_instances"]:
    attempt(f"change {path}", lambda: os.close(os.open(path, os.O_WRONLY)))
    attempt(f"remove {path}", lambda: os.unlink(path))
    attempt(f"mode {path}", lambda: os.chmod(path, 0o777))
os.symlink("/etc/passwd", "/workspace/link")
os.symlink("/", "/workspace/root")
attempt("change through a symbolic link", lambda: open("/workspace/link", "a").close())
attempt("make through a symbolic link", lambda: open("/workspace/root/evil", "w").close())
attempt("hard link from outside", lambda: os.link("/etc/passwd", "/tmp/passwd"))
attempt("hard link across", lambda: os.link("/workspace/link", "/tmp/hard", follow_symlinks=False))
attempt("move over", lambda: os.rename("/workspace/link", "/etc/passwd"))
attempt("move the wrappers away", lambda: os.rename("/workspace/servers", "/workspace/gone"))
attempt("remove the wrappers", lambda: os.rmdir("/workspace/servers"))
for kind in (0o020666, 0o060666):
    attempt(f"device {kind:o}", lambda: os.mknod(f"/tmp/d{kind}", kind, os.makedev(1, 1)))
attempt("owner", lambda: os.chown("/tmp", 0, 0))
os.mkdir("/tmp/x"); open("/tmp/x/s", "w").close(); os.chmod("/tmp/x/s", 0o6755)
attempt("set-uid stays without effect", lambda: os.stat("/tmp/x/s").st_uid and None)
answers`;
    const { result } = await arena().python(program, { snapshotDir });
    const made = Object.entries(result as Record<string, string>).filter(([, answer]) => answer === 'done');
    expect(made).toEqual([['set-uid stays without effect', 'done']]);
  });

  endingCases(arena, {
    'a FIFO that nobody reads blocks its own program alone': {
      language: 'python',
      code: 'import os\nos.mkfifo("/tmp/fifo")\nopen("/tmp/fifo", "w")',
      status: 'timed_out',
      error: 'TIMEOUT',
      timeoutMs: 500,
    },
    'a file ends at 64 MB, catchably': succeeds(
      'python',
      'import errno, signal\nwritten = 0\ntry:\n    with open("/workspace/big", "wb", buffering=0) as file:\n        while True: written += file.write(bytes(1 << 20))\nexcept OSError as error: name = errno.errorcode[error.errno]\n[written >> 20, name]',
      [64, 'EFBIG'],
    ),
    'a sparse file of a terabyte is refused': succeeds(
      'python',
      'import errno, os\ntry: os.truncate(os.open("/workspace/s", os.O_CREAT | os.O_RDWR), 1 << 40)\nexcept OSError as error: name = errno.errorcode[error.errno]\nname',
      'EFBIG',
    ),
  });

  test('an inode bomb runs out of inodes, directories and symbolic links included', async () => {
    const bout = await arena().python(`${ATTEMPTS}
count = {}
for path, act in {"/workspace": lambda p: open(p, "w").close(), "/tmp": os.mkdir, "/dev/shm": lambda p: os.symlink("x" * 200, p)}.items():
    count[path] = 0
    try:
        while count[path] < 50000: act(f"{path}/{count[path]}"); count[path] += 1
    except OSError as error: answers[path] = errno.errorcode[error.errno]
[answers, max(count.values()) <= 4096]`);
    if (arena().adapter.name !== 'bubblewrap') {
      expect(bout.result).toEqual([{ '/workspace': 'ENOSPC', '/tmp': 'ENOSPC', '/dev/shm': 'ENOSPC' }, true]);
    } else {
      // Bubblewrap has no option for inodes: its degradations say so.
      expect(arena().adapter.degradations.join()).toContain('inodes');
      expect(bout.status).toMatch(/succeeded|failed/);
    }
  });

  test('the next run finds nothing of the one before', async () => {
    const look = `${ATTEMPTS}
found = {path: sorted(os.listdir(path)) for path in ["/tmp", "/dev/shm", "/workspace"]}
for path in ["/var/tmp", "/run", "/home", "/root"]: attempt(path, lambda: str(os.listdir(path)))
found["sysv"] = [open(f"/proc/sysvipc/{kind}").read().count("\\n") for kind in ("shm", "sem", "msg") if os.path.exists(f"/proc/sysvipc/{kind}")]
[found, answers]`;
    const before = await arena().python(look);
    await arena().python(`
import os, socket
for path in ["/tmp/left", "/dev/shm/left", "/workspace/left", "/var/tmp/left"]:
    try: open(path, "w").write("left")
    except OSError: pass
listener = socket.socket(socket.AF_UNIX); listener.bind("\\0left-behind"); listener.listen()
1`);
    const after = await arena().python(look);
    expect(after.result).toEqual(before.result);
    expect(JSON.stringify(after.result)).not.toContain('left');
    const abstract = await arena().python(
      'import socket\ns = socket.socket(socket.AF_UNIX)\ntry: s.connect("\\0left-behind"); r = "reached"\nexcept OSError as e: r = type(e).__name__\nr',
    );
    expect(abstract.result).toBe('ConnectionRefusedError');
  });

  test('a run leaves nothing in the data directory', async () => {
    const list = (): string[] => readdirSync(arena().dataDir, { recursive: true }).map(String).sort();
    await arena().python('1');
    const before = list();
    await Promise.all([arena().python('open("/workspace/x", "w").write("y")\n1'), arena().typescript('for (;;) {}', { timeoutMs: 200 })]);
    expect(list()).toEqual(before);
  });
}
