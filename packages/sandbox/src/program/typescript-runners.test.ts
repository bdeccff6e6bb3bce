import { describe, expect, test } from 'vitest';
import { runPlainly } from './testing/run-plainly.ts';

const result = (expression: string): string => `export const __executionResult = (${expression});`;
const body = (statements: string): string => `export const __executionBody = async () => {${statements}\n};`;

describe.each(['typescript', 'node'] as const)('the runner of %s', (runtime) => {
  const answered = async (code: string, args: Record<string, unknown> = {}): Promise<unknown> => {
    const outcome = await runPlainly(runtime, code, { args });
    expect(outcome).toMatchObject({ status: 'succeeded', error: null, violations: 0 });
    return outcome.resultJson === null ? null : JSON.parse(outcome.resultJson);
  };

  test('sends the value of the last expression, awaited and called where it is a function', async () => {
    expect(
      await answered(`${result('[args.n, enumerated()]')}enum E { A = 40 }\nfunction enumerated(): number { return E.A }`, { n: 2 }),
    ).toEqual([2, 40]);
    expect(await answered(result('Promise.resolve(7)'))).toBe(7);
    expect(await answered(result('async ({ n }) => n * 2'), { n: 21 })).toBe(42);
    expect(await answered(`export default async function (a) { return a.n }`, { n: 3 })).toBe(3);
    expect(await answered(body('if (args.n) return args.n;'), { n: 4 })).toBe(4);
  });

  test('writes Map, Set, Date, Error, typed arrays and what JSON has no word for', async () => {
    const value = await answered(
      result(`{ map: new Map([['a', new Set([1, 2])]]), pairs: new Map([[{ k: 1 }, 2]]), date: new Date(0), invalid: new Date(NaN),
        error: new RangeError('far'), bytes: new Uint8Array([1, 2]), nan: [NaN, Infinity, undefined, () => 1], gone: undefined,
        own: { toJSON: () => 'mine' }, boxed: [new Number(1), new String('s')], sparse: [, 1], key: { 'a"b': '\\ud800' } }`),
    );
    expect(value).toEqual({
      map: { a: [1, 2] },
      pairs: [[{ k: 1 }, 2]],
      date: '1970-01-01T00:00:00.000Z',
      invalid: null,
      error: { name: 'RangeError', message: 'far' },
      bytes: [1, 2],
      nan: [null, null, null, null],
      own: 'mine',
      boxed: [1, 's'],
      sparse: [null, 1],
      key: { 'a"b': '\ud800' },
    });
  });

  test.each([
    ['a BigInt', '{ list: [1, { total: 5n }] }', 'result.list[1].total is a BigInt'],
    ['a cycle', '(() => { const a = { b: {} }; a.b.c = a; return a })()', 'result.b.c refers back to result: a cycle'],
    ['a getter that throws', "{ get a() { throw new TypeError('boom') } }", 'reading result.a threw TypeError: boom'],
    ['a promise inside', '{ a: Promise.resolve(1) }', 'result.a is a Promise'],
    ['raw bytes', '[new ArrayBuffer(4)]', 'result[0] holds raw bytes'],
    ['nesting without end', '(() => { let a = []; for (let i = 0; i < 5000; i++) a = [a]; return a })()', 'deeper than 1000'],
    ['an endless toJSON', '(() => { const a = { toJSON: () => ({ b: a }) }; return a })()', 'deeper than 1000'],
  ])('refuses %s and says where it is', async (_, expression, message) => {
    const outcome = await runPlainly(runtime, result(expression));
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'RESULT_NOT_SERIALIZABLE' }, resultJson: null });
    expect(outcome.error?.message).toContain(message);
  });

  test.each(["'x'.repeat(5e8)", 'new Array(1e8)', "Array.from({ length: 1e5 }, () => 'é'.repeat(100))", "'é'.repeat(600)"])(
    'refuses %s without building it',
    async (expression) => {
      const outcome = await runPlainly(runtime, result(expression), { options: { resultLimitBytes: 1000 } });
      expect(outcome.error?.code).toBe('RESULT_TOO_LARGE');
    },
  );

  test('a program that rewrites prototypes can neither forge nor stop its result', async () => {
    const poison = `
      JSON.stringify = () => '"forged"'; Object.keys = () => ['forged'];
      Object.prototype.toJSON = () => 'forged'; Array.prototype.toJSON = () => 'forged';
      Map.prototype.forEach = Set.prototype.forEach = () => {}; TextEncoder.prototype.encode = () => new Uint8Array([49]);
      Function.prototype.call = Function.prototype.apply = () => 'forged'; Uint8Array.prototype.set = () => {};
      Object.defineProperty(Array.prototype, '0', { set() { throw new Error('planted') }, configurable: true });
      Date.prototype.toISOString = () => 'forged'; String.prototype.slice = () => 'forged';\n`;
    expect(await answered(`${poison}${result("{ a: [1, 'b'], m: new Map([['k', 1]]), d: new Date(0) }")}`)).toEqual({
      a: [1, 'b'],
      m: { k: 1 },
      d: '1970-01-01T00:00:00.000Z',
    });
  });

  test('calls tools in parallel, and raises ToolError at the caller', async () => {
    expect(
      await answered(
        body(`const all = await Promise.all(Array.from({ length: 40 }, (_, i) => tools['a-b'].echo({ i })));
        const seam = globalThis[Symbol.for('code-executor')];
        const found = await seam.discover('list_tools', { server: 'x' });
        try { await tools.x.bad() } catch (error) {
          return [all.map((one) => one.args.i).reduce((a, b) => a + b), all[7].tool, found, error instanceof ToolError, error.code, error.message, error.details];
        }`),
      ),
    ).toEqual([780, 'a-b.echo', { operation: 'list_tools', params: { server: 'x' } }, true, 'TOOL_FAILED', 'no such file', { path: '/a' }]);
    const outcome = await runPlainly(runtime, body('\n  const a = 1;\n  await tools.x.bad({});'));
    expect(outcome.error).toMatchObject({ code: 'UNCAUGHT', message: 'ToolError TOOL_FAILED: no such file', line: 3, column: 17 });
    expect(outcome.error?.stack).toBe('ToolError TOOL_FAILED: no such file\n    at (main.ts:3:17)');
  });

  test('an 8 MB reply arrives whole', async () => {
    const value = 'y'.repeat(8 * 1024 * 1024 - 100);
    const outcome = await runPlainly(runtime, result('(await tools.big.one()).length'), {
      hooks: { onCall: async () => ({ ok: true, value }) },
    });
    expect(outcome.resultJson).toBe(String(value.length));
  });

  test.each([
    ['a thrown error', "const a: number = 1;\n  throw new Error('no')\nexport {}", { message: 'Error: no', line: 2, column: 9 }],
    ['an error in a timer', 'setTimeout(() => {\n  null.x }, 1)\nexport {}', { line: 2 }],
    ['an unhandled rejection', "const a = 1;\n\nPromise.reject(new Error('lost'))\nexport {}", { message: 'Error: lost', line: 3 }],
    [
      'an error in a file beside it',
      "import { f } from './lib/a.js';\nexport default () => f()",
      { line: 2, column: 9, details: { file: 'lib/a.ts' } },
    ],
    ['a text thrown', "throw 'just text'\nexport {}", { message: expect.stringContaining('"just text"') }],
    ['undefined thrown', 'throw undefined\nexport {}', { message: expect.stringContaining('undefined') }],
    [
      'a cause',
      "throw new Error('outer', { cause: new Error('inner') })\nexport {}",
      { stack: expect.stringContaining('Caused by: Error: inner') },
    ],
    ['an unknown package', "import a from 'lodash';\nconsole.log(a)", { message: expect.stringContaining("'lodash'"), line: 1 }],
    [
      'an unknown server',
      "const a = 1;\nimport { x } from '/workspace/servers/nowhere/x.js';\nx(a)",
      { message: expect.stringContaining("'nowhere'"), line: 2 },
    ],
  ])('%s is UNCAUGHT at its own position', async (_, code, error) => {
    const files = { 'lib/a.ts': 'export const f = (): never => {\n  throw new Error("deep") }' };
    const outcome = await runPlainly(runtime, code, { files, promisesResult: false });
    expect(outcome.status).toBe('failed');
    expect(outcome.error).toMatchObject({ code: 'UNCAUGHT', ...error });
    expect(outcome.error?.stack ?? '').not.toMatch(/runner|node:|native/);
  });

  test.each([
    ['broken syntax in a file', "import './lib/b.ts'", { line: 2, details: { file: 'lib/b.ts' } }],
    [
      'an import that is not exported',
      "import { basename } from 'node:path';\nimport { gone } from './lib/a.ts';\nconsole.log(gone, basename)",
      { line: 2, column: 10 },
    ],
  ])('%s is SYNTAX_ERROR', async (_, code, error) => {
    const files = { 'lib/a.ts': 'export const f = 1', 'lib/b.ts': 'const a = 1;\nconst b = ;' };
    expect((await runPlainly(runtime, code, { files, promisesResult: false })).error).toMatchObject({ code: 'SYNTAX_ERROR', ...error });
  });

  test('output of every kind arrives whole and in the order of the writes', async () => {
    const outcome = await runPlainly(
      runtime,
      body(`const { spawnSync } = await import('node:child_process');
      const line = (c) => c.repeat(9000) + '\\n';
      process.stdout.write(line('a')); console.log('b'.repeat(9000)); process.stderr.write(line('c'));
      spawnSync('/bin/sh', ['-c', 'echo child'], { stdio: 'inherit' });
      console.error('d'); process.stdout.write(line('e')); return 1`),
    );
    expect(outcome.output.replace(/(.)\1+/g, '$1')).toBe('a\nb\nc\nchild\nd\ne\n');
  });

  test('waits for timers only where nothing was promised', async () => {
    const late = "setTimeout(() => console.log('late'), 60);\n";
    const later = "setTimeout(() => console.log('late'), 5_000);\n";
    expect(await runPlainly(runtime, `${late}export {}`, { promisesResult: false })).toMatchObject({
      output: 'late\n',
      status: 'succeeded',
    });
    expect(await runPlainly(runtime, `${late}${result("console.log('now')")}`)).toMatchObject({ output: 'now\nlate\n', resultJson: null });
    expect(await runPlainly(runtime, `${later}${result('1')}`)).toMatchObject({ output: '', resultJson: '1' });
  });

  test('a promise that nothing can settle ends the program', async () => {
    const outcome = await runPlainly(runtime, result('new Promise(() => {})'));
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'EXITED' } });
  });

  test('exit codes and exit handlers have no word in a result that was sent', async () => {
    expect((await runPlainly(runtime, 'process.exit(3); export {}', { promisesResult: false })).error).toMatchObject({
      code: 'EXITED',
      message: expect.stringContaining('3'),
    });
    expect((await runPlainly(runtime, `process.exit(0);${result('1')}`)).error).toMatchObject({ code: 'EXITED' });
    expect(await runPlainly(runtime, 'process.exit(0); export {}', { promisesResult: false })).toMatchObject({ status: 'succeeded' });
    expect(await runPlainly(runtime, 'process.exitCode = 5; export {}', { promisesResult: false })).toMatchObject({
      status: 'failed',
      error: { code: 'EXITED' },
    });
    expect(await runPlainly(runtime, `process.on('exit', () => console.log('exit'));${result('1')}`)).toMatchObject({
      status: 'succeeded',
      output: '',
    });
  });

  test('fetch says that there is no network, and reaches what the program itself serves', async () => {
    const value = await answered(
      body(`const { createServer } = await import('node:http');
      const server = createServer((_, response) => response.end('mine'));
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
      const own = await (await fetch('http://127.0.0.1:' + server.address().port)).text();
      return [own, await fetch('https://example.com/a').catch(String)]`),
    );
    expect(value).toEqual(['mine', expect.stringMatching(/no network in the sandbox.*example\.com.*tool/)]);
  });

  // Node opens what it inherited to its children too, and has no call to prevent it; frames from there are the program's own.
  if (runtime === 'node') return;
  test('children do not inherit the channel', async () => {
    const value = await answered(
      body("return (await import('node:child_process')).execSync('ls /proc/self/fd | wc -l').toString().trim()"),
    );
    // 0, 1, 2 and the directory that ls reads.
    expect(value).toBe('4');
  });
});
