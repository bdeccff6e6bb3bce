import { expect, test } from 'vitest';
import type { Arena } from './arena.ts';
import { endingCases, expectGone, fails, succeeds, timesOut } from './ending-case.ts';

const EAGAIN = /EAGAIN|Resource temporarily unavailable|can't start new thread/;

/** Programs that multiply, never stop, flood, or leave something running. */
export function processCases(arena: () => Arena): void {
  endingCases(arena, {
    'a fork bomb in Python is refused at its own limit and timed out': timesOut(
      'python',
      'import os\nwhile True:\n    try: os.fork()\n    except OSError: pass',
      { timeoutMs: 1_500 },
    ),
    'a fork bomb of shells that TypeScript starts is timed out': timesOut(
      'typescript',
      "require('node:child_process').spawn('/bin/sh', ['-c', 'f() { f | f & }; f; while :; do f; done'], { stdio: 'ignore' }); for (;;) await new Promise((r) => setTimeout(r, 50));",
      { timeoutMs: 1_500, mayAbort: true },
    ),
    'a fork fails catchably at the limit': succeeds(
      'python',
      'import errno, os, time\ncount = 0\ntry:\n    while True:\n        if os.fork() == 0: time.sleep(60); os._exit(0)\n        count += 1\nexcept OSError as error: name = errno.errorcode[error.errno]\n[40 < count < 64, name]',
      [true, 'EAGAIN'],
    ),
    'a thread bomb in Python fails catchably': fails(
      'python',
      'import threading, time\nthreading.stack_size(65536)\nwhile True: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()',
      'UNCAUGHT',
      { message: EAGAIN },
    ),
    'descriptors run out catchably in Python': succeeds(
      'python',
      'import errno, os\nheld = []\ntry:\n    while True: held.append(os.open("/dev/null", 0))\nexcept OSError as error: name = errno.errorcode[error.errno]\n[len(held) < 256, name]',
      [true, 'EMFILE'],
    ),
    'descriptors run out catchably in TypeScript': succeeds(
      'typescript',
      "const { openSync } = require('node:fs'); let n = 0; try { for (;;) { openSync('/dev/null', 'r'); n++ } } catch (error) { return [n < 256, error.code] }",
      [true, 'EMFILE'],
    ),
    'a flood on both streams without a newline ends at the output limit': fails(
      'python',
      'import os\nwhile True: os.write(1, b"a" * 60000); os.write(2, b"b" * 60000)',
      'OUTPUT_LIMIT',
      { output: /^(a{60000}|b{60000}).*… \d+ bytes dropped …/s },
    ),
    'a flood of invalid UTF-8 from ten processes ends at the output limit': fails(
      'python',
      'import os\nfor _ in range(10):\n    if os.fork() == 0:\n        while True: os.write(1, b"\\xff\\xfe" * 30000)\nwhile True: os.write(2, b"\\xf0\\x9f" * 30000)',
      'OUTPUT_LIMIT',
      { output: /^\ufffd+/ },
    ),
    'a flood of TypeScript ends at the output limit': fails(
      'typescript',
      "for (;;) { console.log('x'.repeat(1000)); console.error('y'.repeat(1000)) }",
      'OUTPUT_LIMIT',
    ),
    'a flood of empty writes harms nobody': timesOut('python', 'import os\nwhile True: os.write(1, b"")'),
    'an endless loop of TypeScript is timed out': timesOut('typescript', "console.log('before'); for (;;) {}", {
      output: /^before\n$/,
      timeoutMs: 1_500,
    }),
    'an endless loop of Python is timed out': timesOut('python', 'print("before")\nwhile True: pass', {
      output: /^before\n$/,
      timeoutMs: 1_500,
    }),
    'endless microtasks are timed out': timesOut(
      'typescript',
      'const turn = () => { queueMicrotask(turn) }; turn(); await new Promise(() => {})',
    ),
    'a regular expression that never ends is timed out': timesOut('python', 'import re\nre.match(r"(a+)+$", "a" * 60 + "!")'),
    'a backtracking regular expression of TypeScript is timed out or answers': timesOut(
      'typescript',
      "for (;;) /^(\\w+\\s?)*\\1$/.test('a'.repeat(60) + '!')",
    ),
    'Atomics.wait is timed out': timesOut('typescript', 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); return 1'),
    'a program that stops itself is timed out': timesOut('python', 'import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)'),
    'a program that ignores every signal is timed out': timesOut(
      'python',
      'import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass',
    ),
    'a program that waits for its stopped children is timed out': timesOut(
      'python',
      'import os, signal\npid = os.fork()\nif pid == 0: os.kill(os.getpid(), signal.SIGSTOP)\nos.waitpid(pid, 0)',
    ),
    'a double fork in a session of its own that keeps stdout open ends with its program': succeeds(
      'python',
      'import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        while True: os.write(1, b"."); time.sleep(0.001)\n    os._exit(0)\n"done"',
      'done',
    ),
    'a detached child of TypeScript ends with its program': succeeds(
      'typescript',
      "require('node:child_process').spawn('/bin/sh', ['-c', 'trap \"\" TERM HUP; while :; do echo on; done'], { detached: true, stdio: 'inherit' }).unref(); return 'done'",
      'done',
    ),
    'timers, ticks and exit handlers have no turn after the result': succeeds(
      'typescript',
      "process.nextTick(() => console.log('tick')); setTimeout(() => console.log('after timer'), 0); setInterval(() => console.log('after interval'), 1); for (const e of ['exit', 'beforeExit']) process.on(e, () => console.log('after', e)); Promise.resolve().then(async () => { for (let i = 0; i < 50; i++) await null; console.log('late') }); return 'result'",
      'result',
      { output: /^(?!.*after)/s },
    ),
    'atexit, threads and finalisers have no turn after the result': succeeds(
      'python',
      'import atexit, threading, time, weakref\nclass A:\n    def __del__(self): print("after del", flush=True)\na = A()\natexit.register(lambda: print("after atexit", flush=True))\nthreading.Thread(target=lambda: (time.sleep(5), print("after thread", flush=True))).start()\n"result"',
      'result',
      { output: /^$/ },
    ),
    'a program that kills everything it may is alone in that': succeeds(
      'python',
      'import os, signal\nanswers = []\nfor target in (1, -1):\n    try: os.kill(target, signal.SIGKILL); answers.append("sent")\n    except OSError as error: answers.append(type(error).__name__)\nanswers',
      [expect.stringMatching(/sent|PermissionError/), expect.stringMatching(/sent|Error/)],
    ),
    'a program that kills itself says so': fails('python', 'import os\nos.kill(os.getpid(), 9)', 'SANDBOX_CRASHED', { message: /SIGKILL/ }),
    'a segmentation fault that has nothing to do with memory is a crash': fails(
      'python',
      'import ctypes\nctypes.string_at(8)',
      'SANDBOX_CRASHED',
      { message: /SIGSEGV/ },
    ),
    'a stack that overflows in Python is its own error': fails('python', 'def f(): f()\nf()', 'UNCAUGHT', { message: /RecursionError/ }),
    'a stack that overflows in TypeScript is its own error': fails('typescript', 'const f = () => f() + 1; return f()', 'UNCAUGHT', {
      message: /RangeError/,
    }),
    'CPU time cannot be had by raising a limit': succeeds(
      'python',
      'import resource\nanswers = []\nfor name in ("RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_CORE", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO"):\n    try: resource.setrlimit(getattr(resource, name), (1 << 40, 1 << 40)); answers.append(name)\n    except (OSError, ValueError): pass\nanswers',
      [],
    ),
  });

  test('a loop is compiled under the limits', async () => {
    const code =
      'const began = process.cpuUsage(); let s = 0; for (let i = 0; i < 200_000_000; i++) s = (s + i) | 0; return [s, process.cpuUsage(began).user]';
    const bout = await arena().typescript(code, { timeoutMs: 100_000 });
    expect(bout.status).toBe('succeeded');
    // Of the processor's time, which no other program takes. Measured: 0.2 s compiled, 6 s interpreted.
    expect((bout.result as number[])[1]).toBeLessThan(4_000_000);
  });

  test('two each of spinning, allocating, forking and flooding programs leave a neighbour its turn', async () => {
    const hostile = [
      () => arena().typescript('for (;;) {}', { timeoutMs: 3_000 }),
      () => arena().python('held = []\nwhile True: held.append(bytes(1 << 20).replace(b"\\0", b"x"))', { timeoutMs: 100_000 }),
      () =>
        arena().python(
          'import os\nwhile True:\n    try:\n        if os.fork() == 0:\n            while True: pass\n    except OSError: pass',
          { timeoutMs: 3_000 },
        ),
      () => arena().typescript("for (;;) console.log('x'.repeat(1000))", { timeoutMs: 100_000 }),
    ];
    const running = [...hostile, ...hostile].map((start) => start());
    const waits: number[] = [];
    for (let round = 0; round < 5; round += 1) waits.push(await arena().neighbourMs());
    const bouts = await Promise.all(running);
    const ends = ['TIMEOUT', 'MEMORY_LIMIT', 'TIMEOUT', 'OUTPUT_LIMIT'];
    expect(bouts.map(({ error }) => error?.code)).toEqual([...ends, ...ends]);
    bouts.forEach(expectGone);
    expect(Math.max(...waits)).toBeLessThan(10_000);
  }, 240_000);
}
