import { describe, expect, test } from 'vitest';
import { serviceForThisFile } from './support/service-suite.ts';

const { service, execute, typescript, python } = serviceForThisFile();

describe('forms of TypeScript that agents write', () => {
  test.each<[string, string, unknown]>([
    ['a bare expression', '2 + 2', 4],
    ['an object in parentheses', '({ a: 1 })', { a: 1 }],
    ['statements with a last expression', 'const a: number = 20;\nconst b = 22\na + b', 42],
    ['top-level await', 'const x = await Promise.resolve(7);\nx * 6', 42],
    ['a promise as last expression', 'Promise.resolve(42)', 42],
    ['top-level return', 'const x = 41; return x + 1', 42],
    ['an early return in a branch', 'if (1 > 0) { return "early" }\nreturn "late"', 'early'],
    ['return with an import', "import { basename } from 'node:path';\nreturn basename('/a/b.txt')", 'b.txt'],
    ['an async IIFE', '(async () => {\n  await null;\n  return 42;\n})();', 42],
    ['an un-awaited main', 'async function main() { await null; return 42 }\nmain();', 42],
    ['main called before it is declared', 'main();\nasync function main() { return 42 }', 42],
    ['export default of a value', 'export default 42', 42],
    ['export default of an async function', 'export default async function (args: any) { return args.n * 2 }', 42],
    ['export default of an arrow function', 'export default async ({ n }: { n: number }) => n * 2', 42],
    ['a fenced block', '```ts\nconst n: number = 42;\nn\n```', 42],
    ['a fenced block without a language', '```\n42\n```', 42],
    ['prose around a fenced block', 'Here is the program:\n\n```typescript\nreturn 42;\n```\nIt answers 42.', 42],
    ['import type', "import type { Stats } from 'node:fs';\nlet s: Stats | undefined; 42", 42],
    ['an enum', 'enum Colour { Red = 42 }\nColour.Red', 42],
    ['an enum and a return', 'enum Colour { Red = 42 }\nreturn Colour.Red', 42],
    [
      'an interface, a generic and satisfies',
      'interface A { n: number }\nconst f = <T extends A>(a: T) => a.n;\nf({ n: 42 } satisfies A)',
      42,
    ],
    ['a directive alone', '"hello"', 'hello'],
    ['a regular expression with a slash', 'const [y] = "a/b".match(/[/]b/) ?? []; y', '/b'],
    ['a template with a fence in it', 'const md = `\\`\\`\\`ts\n1\n\\`\\`\\``; md.length', 11],
    ['args', 'args.n * 2', 42],
    ['a last statement without a value', 'const x = 1;', null],
    ['nothing but a comment', '// nothing', null],
    ['timers that finish', 'let n = 0; setTimeout(() => { n = 1; console.log("done") }, 5);', null],
    ['a class', 'class A { #n = 42; get n() { return this.#n } }\nnew A().n', 42],
    ['a CRLF program', 'const a = 1;\r\na + 41\r\n', 42],
    ['unicode', 'const größe = "🦀é"; größe', '🦀é'],
    ['a date', 'new Date(0)', '1970-01-01T00:00:00.000Z'],
    ['not a number, as JSON has it', '[NaN, 1]', [null, 1]],
    ['a hashbang', '#!/usr/bin/env bun\n42', 42],
  ])('%s', async (_, code, result) => {
    const answer = await typescript(code, { args: { n: 21 } });
    expect(answer).toMatchObject({ status: 'succeeded', error: null, result });
  });

  test('console output arrives whole, in order, with that of standard error', async () => {
    const answer = await typescript(
      "console.log('a'); console.error('b'); process.stdout.write('c\\n'); for (let i = 0; i < 3; i++) console.log(i)",
    );
    expect(answer.output).toBe('a\nb\nc\n0\n1\n2\n');
    expect(answer.metrics.outputBytes).toBe(12);
  });

  test('pending timers are waited for only where no result was promised', async () => {
    const waits = await typescript("setTimeout(() => console.log('late'), 50);\nconst x = 1;");
    expect(waits.output).toBe('late\n');
    const ends = await typescript("setTimeout(() => console.log('late'), 5_000);\nreturn 1");
    expect(ends).toMatchObject({ status: 'succeeded', result: 1, output: '' });
  });

  test('several files import each other', async () => {
    const files = { 'lib/a.ts': "import { b } from './b';\nexport const a: number = b + 1;", 'lib/b.ts': 'export const b = 41;' };
    expect(await typescript("import { a } from './lib/a.ts';\na", { files })).toMatchObject({ status: 'succeeded', result: 42 });
    expect(await typescript("import { a } from './lib/a.js';\nreturn a", { files })).toMatchObject({ status: 'succeeded', result: 42 });
    expect(await typescript("const { a } = await import('/workspace/lib/a');\na", { files })).toMatchObject({
      status: 'succeeded',
      result: 42,
    });
  });

  test.each<[string, string, { code: string; line?: number; column?: number }]>([
    ['a thrown error in a bare program', "const a = 1;\n\n  throw new Error('no')", { code: 'UNCAUGHT', line: 3, column: 9 }],
    [
      'a thrown error beside a return',
      "const a: number = 1;\nif (a) throw new Error('no');\nreturn a",
      { code: 'UNCAUGHT', line: 2, column: 14 },
    ],
    ['an error on the first line beside a return', 'null.x; return 1', { code: 'UNCAUGHT', line: 1 }],
    ['a syntax error', 'const a = 1;\nconst b = ;', { code: 'SYNTAX_ERROR', line: 2, column: 11 }],
    ['an unclosed brace', 'if (1) {', { code: 'SYNTAX_ERROR', line: 1 }],
    ['an error in a fenced block', "```ts\nconst a = 1;\nthrow new Error('no')\n```", { code: 'UNCAUGHT', line: 3 }],
    [
      'an unhandled rejection',
      "const a = 1;\nPromise.reject(new Error('no'));\nawait new Promise((r) => setTimeout(r, 50));",
      { code: 'UNCAUGHT', line: 2 },
    ],
    ['an error in a timer', "setTimeout(() => {\n  throw new Error('no')\n}, 1);\nconst x = 1;", { code: 'UNCAUGHT', line: 2 }],
  ])('%s points at the user’s own line', async (_, code, error) => {
    const answer = await typescript(code);
    expect(answer.status).toBe('failed');
    expect(answer.error).toMatchObject(error);
    expect(answer.error?.stack ?? '').not.toMatch(/runner|opt\//);
  });

  test('a value thrown that is no Error is told', async () => {
    expect((await typescript("throw 'just text'")).error).toMatchObject({
      code: 'UNCAUGHT',
      message: expect.stringContaining('just text'),
    });
    expect((await typescript('throw { a: 1 }')).error).toMatchObject({ code: 'UNCAUGHT', message: expect.stringContaining('a') });
    expect((await typescript('throw undefined')).error).toMatchObject({ code: 'UNCAUGHT' });
  });

  test('an import of a wrapper that is not there says what to do', async () => {
    const answer = await typescript("import { x } from '/workspace/servers/nowhere/x.js';\nx");
    expect(answer.status).toBe('failed');
    expect(answer.error?.message).toMatch(/nowhere/);
  });

  test('a type check refuses before anything runs, and lets a right program through', async () => {
    const wrong = await typescript("console.log('ran');\nconst a: number = 'text';\na", { typecheck: true });
    expect(wrong).toMatchObject({ status: 'failed', output: '', effects: 'not_started', error: { code: 'TYPECHECK_FAILED', line: 2 } });
    expect(await typescript('const a: number = 42;\nreturn a', { typecheck: true })).toMatchObject({ status: 'succeeded', result: 42 });
  });

  test('the same on Node itself', async () => {
    const answer = await execute({
      language: 'node',
      code: 'enum A { B = 40 }\nconst v: string = process.version;\nconsole.log(v);\nreturn A.B + 2',
    });
    expect(answer).toMatchObject({ status: 'succeeded', result: 42, output: expect.stringMatching(/^v24/) });
  });
});

describe('forms of Python that agents write', () => {
  test.each<[string, string, unknown]>([
    ['a bare expression', '2 + 2', 4],
    ['statements with a last expression', 'a = 20\nb = 22\na + b', 42],
    ['top-level await', 'import asyncio\nawait asyncio.sleep(0)\n42', 42],
    ['top-level return', 'x = 41\nreturn x + 1', 42],
    ['return in a branch', 'if True:\n    return "early"\n"late"', 'early'],
    ['a coroutine as last expression', 'async def main():\n    return 42\nmain()', 42],
    ['the main guard', 'def main():\n    print("ran")\nif __name__ == "__main__":\n    main()', null],
    ['a fenced block', '```python\nn = 42\nn\n```', 42],
    ['args', 'args["n"] * 2', 42],
    ['a big integer', '2 ** 64 - 2 ** 64 + 42', 42],
    ['a date', 'import datetime\ndatetime.date(2026, 1, 2)', '2026-01-02'],
    ['a set, a tuple and a decimal', 'from decimal import Decimal\n[(1, 2), {3}, Decimal("1.5")]', [[1, 2], [3], '1.5']],
    ['not a number', '[float("nan"), 1]', [null, 1]],
    ['unicode', '"🦀é"', '🦀é'],
    ['a dataclass', 'from dataclasses import dataclass\n@dataclass\nclass A:\n    n: int\nA(42)', { n: 42 }],
    ['asyncio.run', 'import asyncio\nasync def f():\n    return 42\nasyncio.run(f())', 42],
    ['a last statement without a value', 'x = 1', null],
    ['threads', 'import threading\nout = []\nt = threading.Thread(target=lambda: out.append(42))\nt.start(); t.join()\nout[0]', 42],
    ['a subprocess', 'import subprocess\nsubprocess.run(["echo", "hi"], capture_output=True, text=True).stdout', 'hi\n'],
    [
      'multiprocessing',
      'from multiprocessing import Pool\ndef f(x):\n    return x * 2\nwith Pool(2) as p:\n    out = p.map(f, [1, 21])\nout',
      [2, 42],
    ],
    [
      'a queue between processes',
      'from multiprocessing import Process, Queue\ndef f(q):\n    q.put(42)\nq = Queue()\np = Process(target=f, args=(q,))\np.start()\nv = q.get(timeout=10)\np.join()\nv',
      42,
    ],
    [
      'the standard library',
      'import zlib, hashlib, json, sqlite3, csv, re\nsqlite3.connect(":memory:").execute("select 42").fetchone()[0]',
      42,
    ],
  ])('%s', async (_, code, result) => {
    expect(await python(code, { args: { n: 21 } })).toMatchObject({ status: 'succeeded', error: null, result });
  });

  test('an integer beyond 64 bits keeps its digits on the wire', async () => {
    const response = await fetch(`${service().url}/execute`, {
      method: 'POST',
      headers: { authorization: `Bearer ${service().key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ language: 'python', code: '2 ** 100' }),
    });
    expect(await response.text()).toContain('"result":1267650600228229401496703205376');
  });

  test.each<[string, string, { code: string; line?: number; column?: number }]>([
    ['an exception', 'a = 1\nraise ValueError("no")', { code: 'UNCAUGHT', line: 2 }],
    ['an exception in a function', 'def f():\n    return 1 / 0\n\nf()', { code: 'UNCAUGHT', line: 2 }],
    ['a syntax error', 'a = 1\nb = = 2', { code: 'SYNTAX_ERROR', line: 2 }],
    ['a wrong indentation', 'if True:\nx = 1', { code: 'SYNTAX_ERROR', line: 2 }],
    ['an error in a fenced block', '```python\na = 1\nraise ValueError("no")\n```', { code: 'UNCAUGHT', line: 3 }],
  ])('%s points at the user’s own line', async (_, code, error) => {
    const answer = await python(code);
    expect(answer.status).toBe('failed');
    expect(answer.error).toMatchObject(error);
    expect(answer.error?.stack ?? '').not.toMatch(/runner|\/opt\//);
  });

  test('files are importable modules', async () => {
    expect(await python('from lib.a import a\na', { files: { 'lib/a.py': 'a = 42' } })).toMatchObject({ status: 'succeeded', result: 42 });
  });
});

describe('how programs end', () => {
  test.each<[string, Record<string, unknown>, { status: string; code: string }]>([
    ['a BigInt', { language: 'typescript', code: 'return { n: 1n }' }, { status: 'failed', code: 'RESULT_NOT_SERIALIZABLE' }],
    [
      'a cycle',
      { language: 'typescript', code: 'const a: any = {}; a.a = a; return a' },
      { status: 'failed', code: 'RESULT_NOT_SERIALIZABLE' },
    ],
    [
      'a getter that throws',
      { language: 'typescript', code: "return { get a() { throw new Error('boom') } }" },
      { status: 'failed', code: 'RESULT_NOT_SERIALIZABLE' },
    ],
    ['a cycle in Python', { language: 'python', code: 'a = []\na.append(a)\na' }, { status: 'failed', code: 'RESULT_NOT_SERIALIZABLE' }],
    ['an object in Python', { language: 'python', code: 'object()' }, { status: 'failed', code: 'RESULT_NOT_SERIALIZABLE' }],
    [
      'a repr that never ends',
      { language: 'python', code: 'class A:\n    def __repr__(self):\n        while True: pass\nA()', timeoutMs: 3_000 },
      { status: 'failed', code: 'RESULT_NOT_SERIALIZABLE' },
    ],
    [
      'process.exit(0) before a result',
      { language: 'typescript', code: 'process.exit(0); return 1' },
      { status: 'failed', code: 'EXITED' },
    ],
    ['process.exit(3)', { language: 'typescript', code: 'process.exit(3)' }, { status: 'failed', code: 'EXITED' }],
    ['os._exit(0) before a result', { language: 'python', code: 'import os\nos._exit(0)\n1' }, { status: 'failed', code: 'EXITED' }],
    ['sys.exit(2)', { language: 'python', code: 'import sys\nsys.exit(2)' }, { status: 'failed', code: 'EXITED' }],
    [
      'a channel that the program closes',
      { language: 'typescript', code: "require('node:fs').closeSync(3); for (;;) {}", timeoutMs: 5_000 },
      { status: 'failed', code: 'SANDBOX_CRASHED' },
    ],
    [
      'an endless loop',
      { language: 'typescript', code: "console.log('before'); for (;;) {}", timeoutMs: 300 },
      { status: 'timed_out', code: 'TIMEOUT' },
    ],
    [
      'an endless loop in Python',
      { language: 'python', code: "print('before')\nwhile True: pass", timeoutMs: 300 },
      { status: 'timed_out', code: 'TIMEOUT' },
    ],
    [
      'a result of 11 MB',
      { language: 'typescript', code: "return 'x'.repeat(11 * 1024 * 1024)" },
      { status: 'failed', code: 'RESULT_TOO_LARGE' },
    ],
    [
      'a result of 11 MB in Python',
      { language: 'python', code: "'x' * (11 * 1024 * 1024)" },
      { status: 'failed', code: 'RESULT_TOO_LARGE' },
    ],
    [
      'a crash',
      { language: 'python', code: 'import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)' },
      { status: 'failed', code: 'SANDBOX_CRASHED' },
    ],
  ])('%s has a truthful status', async (_, body, expected) => {
    const answer = await execute(body);
    expect(answer.status).toBe(expected.status);
    expect(answer.error?.code).toBe(expected.code);
    if (answer.output !== '') expect(answer.output).toBe('before\n');
  });

  test('process.exit(0) of a program that promised nothing is a success', async () => {
    expect(await typescript("console.log('x');\nprocess.exit(0);\nconst y = 1;")).toMatchObject({
      status: 'succeeded',
      output: 'x\n',
      result: null,
    });
  });

  test('output beyond 100 KB keeps the first 64 KB and the last 36 KB and counts what was dropped', async () => {
    const answer = await python("import sys\nsys.stdout.write('a' * 70000 + 'b' * 70000)\nNone");
    expect(answer).toMatchObject({ status: 'succeeded', truncated: true, droppedBytes: 140_000 - 100 * 1024 });
    expect(answer.output.startsWith('a'.repeat(65_536))).toBe(true);
    expect(answer.output.endsWith('b'.repeat(36 * 1024))).toBe(true);
  });

  test('what design.md says is there works: files, crypto, zlib, timers; fetch says there is no network', async () => {
    const answer = await typescript(`
      import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
      import { gzipSync, gunzipSync } from 'node:zlib';
      import { createHash } from 'node:crypto';
      writeFileSync('/tmp/a', gzipSync('hello'));
      mkdirSync('/workspace/out');
      writeFileSync('out/b', gunzipSync(readFileSync('/tmp/a')));
      await new Promise((resolve) => setTimeout(resolve, 2));
      let network = '';
      try { await fetch('http://example.com/') } catch (error) { network = String(error) }
      return [readFileSync('/workspace/out/b', 'utf8'), createHash('sha256').update('x').digest('hex').length, network];`);
    expect(answer).toMatchObject({ status: 'succeeded', result: ['hello', 64, expect.stringMatching(/no network/i)] });
  });

  test('a loop runs with the compiler on under the limits', async () => {
    const code =
      'const began = process.cpuUsage(); let s = 0; for (let i = 0; i < 300_000_000; i++) { s = (s + i) | 0 } return [s, process.cpuUsage(began).user]';
    const answer = await typescript(code, { timeoutMs: 120_000 });
    expect(answer.status).toBe('succeeded');
    // Of the processor's time, which no other program takes; interpreted it takes some 20 times as long.
    expect((answer.result as number[])[1]).toBeLessThan(5_000_000);
  }, 150_000);
});
