import { expect, test } from 'vitest';
import type { Arena } from './arena.ts';

const JAVASCRIPT_POISON = {
  'JSON.stringify and JSON.parse': "JSON.stringify = () => '\"forged\"'; JSON.parse = () => 'forged';",
  'Promise.prototype.then':
    'const then = Promise.prototype.then; Promise.prototype.then = function (...a) { return then.call(this, () => "forged", a[1]) }; Promise.prototype.catch = Promise.prototype.finally = () => "forged";',
  'methods of Array':
    "for (const name of Object.getOwnPropertyNames(Array.prototype)) if (!['constructor', 'length'].includes(name)) { try { Array.prototype[name] = () => 'forged' } catch {} } Array.isArray = () => false; Array.from = () => ['forged'];",
  'getters and setters of Object':
    "for (const name of ['toJSON', 'value', 'done', 'id', 'code', 'message', 'ok', 'tool', 'length', 'get', 'set', '0', '1', '2']) Object.defineProperty(Object.prototype, name, Object.assign(Object.create(null), { get() { return 'forged' }, set() {}, configurable: true }));",
  'Symbol.iterator':
    'Array.prototype[Symbol.iterator] = Map.prototype[Symbol.iterator] = String.prototype[Symbol.iterator] = function* () { yield "forged" };',
  'Uint8Array and Buffer':
    "Uint8Array.prototype.set = Uint8Array.prototype.subarray = () => { throw new Error('planted') }; globalThis.Uint8Array = class { constructor() { throw new Error('planted') } }; Buffer.from = Buffer.alloc = Buffer.concat = () => { throw new Error('planted') };",
  'TextEncoder and TextDecoder':
    "TextEncoder.prototype.encode = TextEncoder.prototype.encodeInto = () => new Uint8Array([49]); TextDecoder.prototype.decode = () => 'forged'; globalThis.TextEncoder = null;",
  'Map, Set and their methods':
    "for (const type of [Map, Set, WeakMap]) for (const name of ['get', 'set', 'has', 'add', 'forEach', 'delete']) if (name in type.prototype) type.prototype[name] = () => 'forged';",
  'Function.prototype': "Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => () => 'forged';",
  'functions of Object and Reflect':
    "for (const name of ['keys', 'entries', 'values', 'assign', 'getOwnPropertyNames', 'defineProperty']) Object[name] = () => ['forged']; for (const name of Object.getOwnPropertyNames(Reflect)) Reflect[name] = () => 'forged';",
  'methods of String and Number':
    "for (const name of ['slice', 'charCodeAt', 'replace', 'split', 'concat', 'toString', 'valueOf']) String.prototype[name] = () => 'forged'; Number.prototype.toString = () => '666'; Number.isFinite = () => false;",
  'Error and its stack':
    "Error.prepareStackTrace = () => { throw new Error('planted') }; Error.captureStackTrace = () => { throw new Error('planted') }; globalThis.Error = null;",
  'the file system':
    "const fs = require('node:fs'); fs.writeSync = fs.readSync = fs.writeFileSync = () => { throw new Error('planted') }; Bun.write = () => 0;",
  'timers and microtasks':
    "globalThis.setTimeout = globalThis.setImmediate = globalThis.queueMicrotask = () => { throw new Error('planted') }; process.nextTick = () => {}; Atomics.wait = () => 'forged';",
  process:
    'process.exit = process.reallyExit = process.abort = process.on = process.emit = () => {}; process.exitCode = 0; process.stdout.write = () => true; globalThis.console = null;',
};

const PYTHON_POISON = {
  'sys.modules': 'import sys\nfor name in list(sys.modules): sys.modules[name] = None',
  'sys.modules emptied': 'import sys\nsys.modules.clear()',
  builtins:
    'import builtins\nfor name in ("len", "type", "isinstance", "str", "repr", "print", "int", "range", "list", "dict", "hasattr", "getattr", "open", "memoryview", "enumerate", "__import__", "BaseException", "Exception"): setattr(builtins, name, lambda *a, **k: "forged")',
  'builtins emptied':
    'import builtins\nfor name in list(builtins.__dict__):\n    try: del builtins.__dict__[name]\n    except Exception: pass',
  'the json module':
    'import json, json.encoder\njson.dumps = json.encoder.encode_basestring = json.encoder.c_make_encoder = json.JSONEncoder.encode = lambda *a, **k: "\\"forged\\""',
  'os.write and posix': 'import os, posix\nos.write = posix.write = os._exit = posix._exit = posix.read = lambda *a: 0',
  settrace:
    'import sys\ndef trace(frame, event, arg):\n    if "program" in frame.f_code.co_filename: raise SystemExit(0)\n    return trace\nsys.settrace(trace)',
  setprofile:
    'import sys\ndef profile(frame, event, arg):\n    if "program" in frame.f_code.co_filename: raise ValueError("planted")\nsys.setprofile(profile)',
  'the standard streams': 'import sys\nsys.stdout = sys.stderr = None\nsys.exit = sys.excepthook = lambda *a: None',
  'atexit and os._exit': 'import atexit, os\natexit.register(lambda: os._exit(0))',
  'the garbage collector': 'import gc\ngc.callbacks.append(lambda *a: 1 / 0)\ngc.set_threshold(1)',
  'signal handlers and timers':
    'import signal\nsignal.signal(signal.SIGALRM, lambda *a: 1 / 0)\nsignal.setitimer(signal.ITIMER_REAL, 0.2, 0.001)',
  'recursion limit and digits': 'import sys\nsys.setrecursionlimit(60)\nsys.set_int_max_str_digits(640)',
  'audit hooks': 'import sys\nsys.addaudithook(lambda name, arguments: None if name != "marshal.dumps" else 1 / 0)',
  'names of its own module': '__builtins__ = None\n__name__ = "forged"\n__file__ = 5\nargs = None\ntools = None',
};

/** Whatever a program does to the language it runs in, its result is its own, or it fails; nothing is made up and nothing hangs. */
export function poisoningCases(arena: () => Arena): void {
  test.each(Object.entries(JAVASCRIPT_POISON))('the result stands after a program has replaced %s', async (_, poison) => {
    const bout = await arena().typescript(`${poison}\nreturn { a: [1, 'b', null], m: 2.5, n: { d: true } }`, { timeoutMs: 3_000 });
    expect(bout).toMatchObject({ status: 'succeeded', error: null, violations: 0 });
    expect(bout.result).toEqual({ a: [1, 'b', null], m: 2.5, n: { d: true } });
  });

  test.each(Object.entries(PYTHON_POISON))('the result of Python stands after a program has replaced %s', async (name, poison) => {
    const bout = await arena().python(`${poison}\n{"a": [1, "b", None], "m": 2.5, "n": {"d": True}}`, { timeoutMs: 3_000 });
    if (name === 'setprofile' || (name === 'signal handlers and timers' && bout.status === 'failed')) {
      // It raises while the program itself still runs, whose own exception it then is.
      expect([bout.error?.code, bout.error?.message]).toEqual([
        'UNCAUGHT',
        expect.stringMatching(/^ValueError: planted$|^ZeroDivisionError/),
      ]);
      return;
    }
    expect(bout, bout.error?.message).toMatchObject({ status: 'succeeded', error: null, violations: 0 });
    expect(bout.result).toEqual({ a: [1, 'b', null], m: 2.5, n: { d: true } });
  });

  test('a failure is told after the language was taken apart', async () => {
    for (const poison of Object.values(JAVASCRIPT_POISON)) {
      const bout = await arena().typescript(`const Kept = Error; ${poison}\nthrow new Kept('the real reason')`, { timeoutMs: 3_000 });
      expect([bout.status, bout.error?.code], `${poison}: ${bout.error?.message}`).toEqual(['failed', 'UNCAUGHT']);
    }
    for (const [name, poison] of Object.entries(PYTHON_POISON)) {
      // Its trace function leaves with code 0 when the exception is looked at: the program's own way out.
      if (name === 'settrace') continue;
      const bout = await arena().python(`Kept = ValueError\n${poison}\nraise Kept("the real reason")`, { timeoutMs: 3_000 });
      expect(bout.status, `${poison}: ${bout.error?.message}`).toBe('failed');
      expect(bout.error?.code, poison).toBe('UNCAUGHT');
    }
  });

  test('a program cannot reach the runner’s own module to forge what it sends', async () => {
    const bout = await arena().python(
      `
import gc, sys
frames = []
frame = sys._getframe()
while frame: frames.append(frame); frame = frame.f_back
for each in frames:
    for name in ("send", "conclude", "serialize", "result", "channel"):
        if name in each.f_globals and each.f_globals is not globals(): each.f_globals[name] = lambda *a, **k: None
5`,
      { timeoutMs: 2_000 },
    );
    // Python hides nothing from Python: the program may take its own end apart, and then fails. It gains nothing by it.
    expect(['succeeded', 'failed', 'timed_out']).toContain(bout.status);
    expect(bout.calls).toEqual([]);
    if (bout.status === 'succeeded') expect([5, null]).toContain(bout.result);
  });
}
