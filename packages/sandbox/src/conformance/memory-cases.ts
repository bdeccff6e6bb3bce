import { expect, test } from 'vitest';
import type { Arena } from './arena.ts';
import { expectGone, MOST_MB } from './ending-case.ts';

interface MemoryCase {
  readonly language: 'typescript' | 'python';
  readonly code: string;
  /** Codes that are the truth here: the limit of the whole sandbox, or the language's own out-of-memory error. */
  readonly codes: readonly string[];
  readonly message: RegExp;
  readonly mostMb?: number;
  /** Long where the end comes of memory: a busy machine gives a hostile program little time. */
  readonly timeoutMs?: number;
}

const LIMIT = { codes: ['MEMORY_LIMIT'], message: /256 MB/ };
/** A single allocation that is too big is refused before it is made; which of the two comes first hangs on the engine's growth. */
const LIMIT_OR_OWN = { codes: ['MEMORY_LIMIT', 'UNCAUGHT'], message: /256 MB|[Oo]ut of memory|MemoryError|Cannot allocate memory/ };
const typescript = (code: string, end: Pick<MemoryCase, 'codes' | 'message'> = LIMIT): MemoryCase => ({
  language: 'typescript',
  code,
  ...end,
});
const python = (code: string, end: Pick<MemoryCase, 'codes' | 'message'> = LIMIT): MemoryCase => ({ language: 'python', code, ...end });

const FILL_TMPFS = `
import os
held = 0
for path in ['/workspace', '/tmp', '/dev/shm']:
    for index in range(9):
        try:
            with open(f'{path}/{index}', 'wb', buffering=0) as file:
                for _ in range(30): held += file.write(bytes(1 << 20))
        except OSError: break
`;

const CASES: Readonly<Record<string, MemoryCase>> = {
  'a JavaScript heap of arrays': typescript('const held = []; for (let i = 0; ; i++) held.push(new Array(1e4).fill(i));'),
  'a JavaScript heap of small objects': typescript(
    'const held = []; for (let i = 0; ; i++) held.push({ i, text: "x" + i });',
    LIMIT_OR_OWN,
  ),
  buffers: typescript('const held = []; for (;;) held.push(Buffer.alloc(1 << 20, 1));'),
  'one buffer of 3 GB': typescript('return new Uint8Array(3e9).fill(1).length', { codes: ['UNCAUGHT'], message: /out of memory/i }),
  strings: typescript('const held = []; for (let i = 0; ; i++) held.push(("x" + i).repeat(1e5));', LIMIT_OR_OWN),
  'a string that doubles': typescript('let s = "ab"; for (;;) { s += s; Buffer.from(s); }', LIMIT_OR_OWN),
  'WebAssembly memory': typescript(
    'const held = []; for (;;) { const m = new WebAssembly.Memory({ initial: 160 }); new Uint8Array(m.buffer).fill(1); held.push(m); }',
    LIMIT_OR_OWN,
  ),
  'shared array buffers': typescript(
    'const held = []; for (;;) { const m = new SharedArrayBuffer(10 << 20); new Uint8Array(m).fill(1); held.push(m); }',
    LIMIT_OR_OWN,
  ),
  'worker threads': typescript(
    'const { Worker } = require("node:worker_threads"); for (let i = 0; i < 20; i++) new Worker("const h = []; for (;;) h.push(Buffer.alloc(1 << 20, 1))", { eval: true }); await new Promise((r) => setTimeout(r, 9e3));',
    // Where the engine gets no memory for a thread's own beginnings, it aborts.
    { codes: [...LIMIT_OR_OWN.codes, 'SANDBOX_CRASHED'], message: /256 MB|[Oo]ut of memory|Failed to spawn worker thread|SIGABRT/ },
  ),
  'a Python heap': python('held = []\nwhile True: held.append([0] * 100_000)', LIMIT_OR_OWN),
  'one Python object of 8 GB': python('x = bytearray(8 << 30)', { codes: ['UNCAUGHT'], message: /MemoryError/ }),
  'a Python integer that grows': {
    timeoutMs: 15_000,
    ...python('n = 3\nwhile True: n = n * n', { codes: ['MEMORY_LIMIT', 'UNCAUGHT', 'TIMEOUT'], message: /./ }),
  },
  'private mappings': python(
    'import mmap\nheld = []\nwhile True:\n    m = mmap.mmap(-1, 8 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS); m.write(bytes(8 << 20)); held.append(m)',
    LIMIT_OR_OWN,
  ),
  'shared mappings without a file': python('import mmap\nmmap.mmap(-1, 1 << 20)', { codes: ['UNCAUGHT'], message: /PermissionError/ }),
  'shared mappings of /dev/zero': python(
    'import mmap, os\nzero = os.open("/dev/zero", os.O_RDWR)\nheld = []\nwhile True:\n    m = mmap.mmap(zero, 8 << 20); m.write(bytes(8 << 20)); held.append(m)',
  ),
  'shared mappings of /dev/zero beside files': python(
    `${FILL_TMPFS}\nimport mmap\nzero = os.open("/dev/zero", os.O_RDWR)\nheld = []\nwhile True:\n    m = mmap.mmap(zero, 8 << 20); m.write(bytes(8 << 20)); held.append(m)`,
  ),
  'page tables of memory that is only read': python(
    `import ctypes
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
at = libc.mmap(None, 1 << 41, 1, 0x4022, -1, 0)
libc.madvise(ctypes.c_void_p(at), ctypes.c_size_t(1 << 41), 15)
read = ctypes.string_at
for offset in range(0, 1 << 41, 1 << 21): read(at + offset, 1)`,
  ),
  'files of all three file systems, and a heap beside them': python(
    `${FILL_TMPFS}\nheap = []\nwhile True: heap.append(bytearray(1 << 20).replace(b"\\0", b"x"))`,
  ),
  // Thirty processes that fill memory at once gain most between the look that finds them and the kill: 260 to 490 MB on two busy cores.
  'children that are each within it': {
    mostMb: 1_000,
    ...python(
      'import os, time\nfor _ in range(30):\n    if os.fork() == 0:\n        held = bytearray(b"x" * (40 << 20)); time.sleep(30)\ntime.sleep(30)',
    ),
  },
  'messages that nobody reads, in the sockets of many processes': python(`
import os, socket, time
def fill():
    pairs = []
    try:
        while True: pairs.append(socket.socketpair())
    except OSError: pass
    for one in [end for pair in pairs for end in pair]:
        one.setblocking(False); one.setsockopt(1, 7, 1 << 22); one.setsockopt(1, 8, 1 << 22)
        try:
            while True: one.send(bytes(65536))
        except OSError: pass
    return pairs
for _ in range(20):
    if os.fork() == 0:
        pairs = fill(); time.sleep(30)
time.sleep(30)`),
};

/** Every way to memory that is known ends at the limit, or is refused by the language; what it came to is measured from outside. */
export function memoryCases(arena: () => Arena): void {
  test.each(Object.entries(CASES))(
    'memory by %s ends at the limit, and the sandbox with it',
    async (_, { language, code, codes, message, mostMb, timeoutMs = 60_000 }) => {
      const [bout, neighbourMs] = await Promise.all([arena()[language](code, { timeoutMs }), arena().besideMs()]);
      expect(codes, bout.error?.message).toContain(bout.error?.code);
      expect(bout.error?.message).toMatch(message);
      expect(bout.peakMb).toBeLessThan(mostMb ?? MOST_MB);
      // Nothing of the runner's own comes out with what the program printed; a runtime that crashes says what it likes.
      expect(bout.output).not.toContain('Traceback');
      expectGone(bout);
      expect(neighbourMs).toBeLessThan(10_000);
    },
  );

  test('what lies unread in TCP connections is bounded, by the buffers or by the limit', async () => {
    const bout = await arena().python(
      `
import socket
listener = socket.create_server(("127.0.0.1", 0), backlog=100)
pairs = []
for _ in range(28):
    one = socket.create_connection(listener.getsockname()); other, _ = listener.accept()
    pairs += [(one, other), (other, one)]
for sender, receiver in pairs:
    sender.setblocking(False); receiver.setblocking(False)
    # A receiver that reads has its window grown.
    for turn in range(60):
        try: sender.send(bytes(1 << 20))
        except OSError: pass
        try: turn < 50 and receiver.recv(1 << 19)
        except OSError: pass
    try:
        while True: sender.send(bytes(1 << 20))
    except OSError: pass
sum(int(part, 16) for line in open("/proc/net/tcp").read().splitlines()[1:] for part in line.split()[4].split(":")) >> 20`,
      { timeoutMs: 30_000 },
    );
    const unbounded = arena().adapter.degradations.find((each) => each.includes('TCP'));
    if (unbounded === undefined) expect([bout.error, Number(bout.result) < 64]).toEqual([null, true]);
    else if (unbounded.includes('the memory watch bounds')) expect(bout.error?.code).toBe('MEMORY_LIMIT');
    else expect(bout.status).toMatch(/succeeded|failed/);
  });

  test('memory of 200 MB is there for a program that needs it, in one process, in children and in files', async () => {
    const [one, shared, files] = [
      await arena().typescript('const b = Buffer.alloc(190 << 20, 1); return b.length >> 20'),
      // Shared with the children, so it counts once.
      await arena().python(
        'import os, time\nheld = b"x" * (150 << 20)\nkids = []\nfor _ in range(8):\n    pid = os.fork()\n    if pid == 0: time.sleep(0.3); os._exit(0)\n    kids.append(pid)\nfor pid in kids: os.waitpid(pid, 0)\nlen(held) >> 20',
      ),
      await arena().python(
        `${FILL_TMPFS}\nimport mmap\nwith open("/workspace/0", "r+b") as file:\n    m = mmap.mmap(file.fileno(), 0); s = sum(m[::4096])\nimport time\ntime.sleep(0.1)\nheld >> 20`,
      ),
    ];
    expect([one.result, shared.result, files.result], JSON.stringify([one.error, shared.error, files.error])).toEqual([
      190,
      150,
      expect.any(Number),
    ]);
    expect(files.result).toBeGreaterThan(190);
  });
}
