import { describe, expect, test } from 'vitest';
import { runPlainly } from './testing/run-plainly.ts';

const answered = async (code: string, args: Record<string, unknown> = {}): Promise<unknown> => {
  const outcome = await runPlainly('python', code, { args });
  expect(outcome).toMatchObject({ status: 'succeeded', error: null, violations: 0 });
  return outcome.resultJson === null ? null : JSON.parse(outcome.resultJson);
};

describe('the runner of python', () => {
  test.each<[string, string, unknown]>([
    ['a bare expression', '2 + 2', 4],
    ['args', 'args["n"] * 2', 42],
    [
      'top-level await of a tool, without an event loop',
      'from code_executor import acall\n(await acall("a.b", {"x": 1}))["args"]',
      { x: 1 },
    ],
    ['top-level await on an event loop', 'import asyncio\nawait asyncio.sleep(0)\n42', 42],
    ['top-level return', 'x: int = 41\nif x:\n    y: int = 1\n    return x + y\n', 42],
    ['return beside await', 'import asyncio\nasync def f(): return 42\nreturn await f()', 42],
    [
      'return from with, try and match',
      'match args["n"]:\n    case 21 as m:\n        try:\n            return m * 2\n        finally:\n            pass',
      42,
    ],
    ['functions that see the variables of a program with a return', 'n = 1\ndef f():\n    global n\n    n += 41\nf()\nreturn n', 42],
    ['a comprehension beside a return', 'n = 2\nreturn [n * i for i in range(3)]', [0, 2, 4]],
    ['a coroutine as last expression', 'async def main():\n    return 42\nmain()', 42],
    ['the main guard', 'def main():\n    return 42\nif __name__ == "__main__":\n    main()', 42],
    ['asyncio.run', 'import asyncio\nasync def f():\n    return 42\nasyncio.run(f())', 42],
    ['a future import beside a return', 'from __future__ import annotations\nreturn 42', 42],
  ])('%s', async (_, code, value) => {
    expect(await answered(code, { n: 21 })).toEqual(value);
  });

  test('writes the types of the standard library', async () => {
    const value = await answered(`
import datetime, decimal, uuid, pathlib, enum, dataclasses, collections, fractions
class Colour(enum.Enum):
    RED = 'red'
class Level(enum.IntEnum):
    LOW = 1
@dataclasses.dataclass
class Point:
    x: int
    y: float
class Array:
    def tolist(self): return [1, 2]
class Frame:
    columns = ['a']
    def to_dict(self, how): return [{'a': how}]
[datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2, 3, 4), datetime.time(1, 2), decimal.Decimal('1.50'),
 uuid.UUID(int=1), pathlib.Path('/a'), Colour.RED, Level.LOW, Point(1, 2.5), (1, 2), {3}, collections.deque([4]),
 collections.Counter('aa'), Array(), Frame(), float('nan'), float('inf'), {1: 'a', None: 'b', True: 'c', 1.5: 'd'}, range(2), 'é\\ud800', ValueError('no')]`);
    expect(value).toEqual([
      '2026-01-02',
      '2026-01-02T03:04:00',
      '01:02:00',
      '1.50',
      '00000000-0000-0000-0000-000000000001',
      '/a',
      'red',
      1,
      { x: 1, y: 2.5 },
      [1, 2],
      [3],
      [4],
      { a: 2 },
      [1, 2],
      [{ a: 'records' }],
      null,
      null,
      { 1: 'c', null: 'b', '1.5': 'd' },
      [0, 1],
      'é\ud800',
      { name: 'ValueError', message: 'no' },
    ]);
  });

  test('integers keep their digits', async () => {
    expect((await runPlainly('python', '2 ** 100')).resultJson).toBe('1267650600228229401496703205376');
    expect((await runPlainly('python', '10 ** 5000')).resultJson).toHaveLength(5001);
  });

  test.each([
    ['bytes', '[b"a"]', 'result[0] is bytes'],
    ['a cycle', 'a = {}\na["b"] = [a]\na', 'result["b"][0] refers back to result: a cycle'],
    ['nesting without end', 'a = []\nfor _ in range(50_000): a = [a]\na', 'deeper than 1000'],
    ['an object whose repr never ends', 'class A:\n    def __repr__(self):\n        while True: pass\n[A()]', 'result[0] is a A'],
    ['a key of its own type', '{(1, 2): 3}', 'has a key of type tuple'],
    ['a generator', '(i for i in range(3))', 'Use list(value)'],
    ['a coroutine inside', 'async def f(): pass\n[f()]', 'nobody awaited'],
    ['a function', '{"f": len}', 'result["f"] is a function'],
    [
      'a property that throws',
      'import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int\n    def __getattribute__(self, n): raise OSError("boom")\nA.__new__(A)',
      'boom',
    ],
  ])('refuses %s and says where it is', async (_, code, message) => {
    const outcome = await runPlainly('python', code);
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'RESULT_NOT_SERIALIZABLE' } });
    expect(outcome.error?.message).toContain(message);
  });

  test.each(['"x" * 10**9', '[0] * 10**7', 'range(10**12)', '"é" * 600', '1 << 10**9'])('refuses %s without building it', async (code) => {
    const outcome = await runPlainly('python', code, { options: { resultLimitBytes: 1000 } });
    expect(outcome.error?.code).toBe('RESULT_TOO_LARGE');
  });

  test('a program that poisons modules, builtins, hooks and atexit can neither forge nor stop its result', async () => {
    const value = await answered(`
import sys, builtins, json, os, atexit
json.dumps = lambda *a, **k: '"forged"'
for name in ('len', 'isinstance', 'type', 'str', 'min', 'enumerate', 'memoryview', 'hasattr', 'getattr'):
    setattr(builtins, name, lambda *a, **k: 'forged')
os.write = os.read = os._exit = lambda *a: 0
atexit.register(lambda: os.kill(os.getpid(), 9))
sys.settrace(lambda *a: 1 / 0)
sys.stdout = None
sys.modules.clear()
{'a': [1, 'b']}`);
    expect(value).toEqual({ a: [1, 'b'] });
  });

  test('tools are called from threads, the event loop and both at once', async () => {
    const value = await answered(`
import asyncio
from concurrent.futures import ThreadPoolExecutor
from code_executor import acall, call, discover
async def main():
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(8) as pool:
        threads = [loop.run_in_executor(pool, call, 'a.b', {'i': i}) for i in range(50)]
        replies = await asyncio.gather(*threads, *[acall('a.b', {'i': i}) for i in range(50)])
    return sum(reply['args']['i'] for reply in replies)
[asyncio.run(main()), tools.a.b(x=1)['tool'], tools['a-b']['c d']({'y': 2}), discover('list_servers')['operation']]`);
    expect(value).toEqual([2450, 'a.b', { tool: 'a-b.c d', args: { y: 2 } }, 'list_servers']);
  });

  test('a failing tool raises ToolError, at the line of the program', async () => {
    expect(
      await answered(
        'from code_executor import ToolError\ntry:\n    tools.x.bad()\nexcept ToolError as e:\n    r = [e.code, str(e), e.details]\nr',
      ),
    ).toEqual(['TOOL_FAILED', 'no such file', { path: '/a' }]);
    const outcome = await runPlainly('python', 'def f():\n    é = 1; return tools.x.bad()\n\nf()');
    expect(outcome.error).toMatchObject({ code: 'UNCAUGHT', message: 'ToolError TOOL_FAILED: no such file', line: 2, column: 19 });
    expect(outcome.error?.stack).toBe('ToolError TOOL_FAILED: no such file\n    at f (main.py:2:19)\n    at (main.py:4:1)');
  });

  test('processes: subprocess, fork, spawn; none of them holds the channel', async () => {
    const value = await answered(`
import multiprocessing, os, subprocess
from code_executor import ToolError, call
def double(x):
    return x * 2
def refused(_):
    try:
        call('a.b')
    except ToolError as error:
        return error.code
if __name__ == '__main__':
    with multiprocessing.Pool(2) as pool:
        forked = pool.map(double, [1, 21]) + pool.map(refused, [1])
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        spawned = pool.map(double, [21]) + pool.map(refused, [1])
    fds = subprocess.run('ls /proc/self/fd | wc -l', shell=True, capture_output=True, text=True).stdout.strip()
    pid = os.fork()
    if pid == 0:
        print('child')
        os._exit(0)
    os.waitpid(pid, 0)
    [forked, spawned, fds]`);
    expect(value).toEqual([[2, 42, 'TOOL_CHANNEL_UNAVAILABLE'], [42, 'TOOL_CHANNEL_UNAVAILABLE'], '4']);
  });

  test('a forked child that runs to the end of the program sends nothing', async () => {
    const outcome = await runPlainly(
      'python',
      'import os, time\npid = os.fork()\nif pid: os.waitpid(pid, 0)\n"child" if pid == 0 else "parent"',
    );
    expect(outcome).toMatchObject({ resultJson: '"parent"', violations: 0 });
  });

  test('without a result, threads, tasks and exit handlers have their turn; with one they have not', async () => {
    const pending = (seconds: number): string => `
import asyncio, atexit, threading, time
atexit.register(print, 'exit')
threading.Thread(target=lambda: (time.sleep(${seconds}), print('thread'))).start()
`;
    expect(await runPlainly('python', `${pending(0.1)}None`)).toMatchObject({
      output: 'thread\nexit\n',
      resultJson: null,
      status: 'succeeded',
    });
    expect(await runPlainly('python', `${pending(5)}1`)).toMatchObject({ output: '', resultJson: '1' });
    const task =
      'import asyncio\nasync def later():\n    await asyncio.sleep(0.05)\n    print("task")\nasyncio.create_task(later())\nawait asyncio.sleep(0)\nx = 1';
    expect(await runPlainly('python', task)).toMatchObject({ output: 'task\n', status: 'succeeded' });
  });

  test.each<[string, string, { code: string; line?: number; column?: number; message?: unknown; details?: unknown }]>([
    ['an exception', 'a = 1\nraise ValueError("no")', { code: 'UNCAUGHT', line: 2, column: 1, message: 'ValueError: no' }],
    ['an exception beside a return', 'a = 1\nif a: raise ValueError("no")\nreturn a', { code: 'UNCAUGHT', line: 2, column: 7 }],
    ['an exception in a file', 'import lib.a\nlib.a.f()', { code: 'UNCAUGHT', line: 2, details: { file: 'lib/a.py' } }],
    ['a syntax error', 'a = 1\nb = = 2', { code: 'SYNTAX_ERROR', line: 2, column: 5 }],
    ['a syntax error in a file', 'import lib.b', { code: 'SYNTAX_ERROR', line: 2, details: { file: 'lib/b.py' } }],
    ['a wrong indentation', 'if True:\nx = 1', { code: 'SYNTAX_ERROR', line: 2 }],
    ['a misplaced break', 'x = 1\nbreak', { code: 'SYNTAX_ERROR', line: 2 }],
    ['nesting that no compiler takes', `${'('.repeat(5000)}1${')'.repeat(5000)}`, { code: 'SYNTAX_ERROR' }],
    ['a NUL', 'a = 1\0', { code: 'SYNTAX_ERROR' }],
    ['an unknown package', 'import requests', { code: 'UNCAUGHT', line: 1, message: expect.stringContaining('no network') }],
    ['recursion', 'def f():\n    f()\nf()', { code: 'UNCAUGHT', line: 2, message: expect.stringContaining('RecursionError') }],
    [
      'an exception whose text cannot be had',
      'class E(Exception):\n    def __str__(self): raise E()\nraise E()',
      { code: 'UNCAUGHT', line: 3 },
    ],
    ['an exception in an event loop', 'import asyncio\nasync def f():\n    raise KeyError("k")\nawait f()', { code: 'UNCAUGHT', line: 3 }],
  ])('%s points at its own line', async (_, code, error) => {
    const files = { 'lib/a.py': 'def f():\n    raise OSError("deep")', 'lib/b.py': 'a = 1\nb = = 2' };
    const outcome = await runPlainly('python', code, { files });
    expect(outcome.status).toBe('failed');
    expect(outcome.error).toMatchObject(error);
    expect(outcome.error?.stack ?? '').not.toMatch(/runner|program\.py|<frozen/);
  });

  test.each<[string, string, { status: string; error: unknown; output?: string }]>([
    [
      'sys.exit with a code',
      'import sys\nsys.exit(2)',
      { status: 'failed', error: { code: 'EXITED', message: expect.stringContaining('2') } },
    ],
    ['sys.exit with a text', 'import sys\nsys.exit("bad input")', { status: 'failed', error: { code: 'EXITED' }, output: 'bad input\n' }],
    ['exit() as the last word', 'print("x")\nexit()', { status: 'succeeded', error: null, output: 'x\n' }],
    ['os._exit before a result', 'import os\nos._exit(0)\n1', { status: 'failed', error: { code: 'EXITED' } }],
    [
      'a crash',
      'import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n1',
      { status: 'failed', error: { code: 'SANDBOX_CRASHED', message: expect.stringContaining('SIGSEGV') } },
    ],
  ])('%s has a truthful end', async (_, code, expected) => {
    expect(await runPlainly('python', code)).toMatchObject(expected);
  });
});
