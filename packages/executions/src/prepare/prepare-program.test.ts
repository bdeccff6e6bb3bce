import { toUserPosition } from '@code-executor/sandbox';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { prepareProgram } from './prepare-program.ts';

const prepared = (code: string, language = 'typescript') => {
  const program = prepareProgram(language, code);
  if (!program.ok) throw new Error(`${program.error.message} at ${program.error.line}:${program.error.column} in ${code}`);
  return program;
};

/** What the runners make of the exports (sandbox-image/runners/typescript/execute-program.ts), for programs without types. */
async function resultOf(code: string): Promise<unknown> {
  const exports = (await import(`data:text/javascript,${encodeURIComponent(prepared(code).code)}`)) as Record<string, unknown>;
  const body = exports.__executionBody;
  const value = typeof body === 'function' ? await body() : await (exports.__executionResult ?? exports.default);
  return typeof value === 'function' ? await value() : value;
}

/** A statement and whether it may run; names are `v0`, `v1`, …, all declared before. */
const statement = fc
  .tuple(fc.nat(9), fc.nat(9), fc.constantFrom('+', '*', '-'))
  .chain(([a, b, operator]) =>
    fc.constantFrom(
      `v${a} = v${b} ${operator} 1`,
      `if (v${a} > v${b}) { v${a} = v${b} ${operator} 2 } else v${b} += 1`,
      `for (const i of [1, 2]) v${a} = v${b} ${operator} i`,
      `function f${a}() { return v${b} ${operator} 3 }`,
      `v${a} = await Promise.resolve(v${b} ${operator} 4)`,
      `try { if (v${a} > 50) throw 1; v${b} += 1 } catch { v${b} = 0 } finally { v${a} = 1 }`,
      `switch (v${a}) { case 1: v${b} += 2; break; default: v${b} = (() => { return v${a} })() }`,
      `v${a} = \`\${v${b}}\n\`.length // a comment with return and }`,
      `{ let inner = v${a}; v${b} = inner ${operator} 5 }`,
      `class C${a}${b} { static n = v${a}; get m() { return 1 } }`,
    ),
  );
const program = fc.array(statement, { maxLength: 8 }).map((statements) => {
  const unique = statements.filter((text, index) => statements.findIndex((other) => other.slice(0, 12) === text.slice(0, 12)) === index);
  return [`let ${Array.from({ length: 10 }, (_, index) => `v${index} = ${index}`).join(', ')};`, ...unique];
});
const separator = fc.constantFrom('\n', ';\n', '\n\n');
const AsyncFunction = (async () => undefined).constructor as new (code: string) => () => Promise<unknown>;

describe('prepared programs', () => {
  test('mean what the program means, with a last expression and with a return', async () => {
    await fc.assert(
      fc.asyncProperty(program, separator, fc.nat(9), fc.boolean(), async (lines, between, at, early) => {
        const text = lines.join(between);
        const exit = early ? `${between}if (v${at} % 2) return 'early'` : '';
        const expected = await new AsyncFunction(`${text}${exit}\nreturn [v${at}, v0]`)();
        expect(await resultOf(`${text}${exit}${between}return [v${at}, v0]`)).toEqual(expected);
        if (!early) expect(await resultOf(`${text}\n;[v${at}, v0]`)).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  test('every name stands where the map says it stood', () => {
    const parts = fc.array(
      fc
        .nat(99)
        .chain((n) =>
          fc.constantFrom(
            `import { a${n} } from 'x';`,
            `import def${n},\n  { b${n} as c${n} } from 'y';`,
            `let d${n} = e${n}(1);`,
            `if (g${n}) return h${n}.i${n};`,
            `export const j${n} = k${n};`,
            `namespace N${n} { export const o${n} = 1;\n  export const p${n} = 2 }`,
            `  return q${n};`,
          ),
        ),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(parts, fc.constantFrom('\n', ' ', '\r\n'), (chosen, between) => {
        const unique = chosen.map((text, index) => text.replaceAll(/(?<=[a-zN])\d+/g, (digits) => `${digits}_${index}`));
        const source = unique.join(between).concat('\n', 'last_1(last_2)');
        const { code, positions } = prepared(source);
        for (const match of source.matchAll(/\b\w+_\d+\b/g)) {
          const executed = code.indexOf(match[0]);
          expect(executed).not.toBe(-1);
          expect(toUserPosition(positions, placeOf(code, executed))).toEqual(placeOf(source, match.index));
        }
      }),
    );
  });

  test.each<[string, string, unknown]>([
    ['an object that could be a block', '{ a: 1 }', { a: 1 }],
    ['an object that could be none', '{ "a": 1, b: [2] }', { a: 1, b: [2] }],
    ['an arrow function', 'async () => 42', 42],
    ['a function without a name', 'async function () { return 42 }', 42],
    ['a block', '{ let a = 1; globalThis.seen = a }', undefined],
    ['an empty return', 'if (true) return;\n1', null],
    ['a return of nothing known', 'return undefined', null],
    ['a return of a sequence', 'return 1, 2', 2],
    ['imports and nothing else', "import 'node:fs'", undefined],
    ['an import and a directive', "'text'; import 'node:fs'", 'text'],
    ['a directive before functions', "'text'; function f() {}", 'text'],
    ['an import without a semicolon', "import { sep } from 'node:path'\nsep", '/'],
    ['an import among the statements', "const a = sep; import { sep } from 'node:path'; a", '/'],
    ['a main test', 'let a = 0; if (import.meta.main) a = 42; a', 42],
    ['a last expression before its functions', 'f()\nfunction f() { return 42 }\nclass A {}', undefined],
    ['a default beside a return', 'export default class A {}\nreturn 42', 42],
  ])('%s', async (_, code, value) => {
    expect(await resultOf(code)).toEqual(value);
  });

  test.each<[string, boolean]>([
    ['1', true],
    ['f(); function f() {}', true],
    ['const a = 1', false],
    ['process.exit(0)', false],
    ['f().then(() => process.exit(0)); function f() {}', false],
    ['main(); function main() { process.exit(0) }', false],
    ['process.exit(0); return 1', true],
    ['process.exit(0); 1', true],
  ])('%s promises a result: %s', (code, promises) => {
    expect(prepared(code).promisesResult).toBe(promises);
  });

  test('run no line where they say that loading them runs none', async () => {
    await fc.assert(
      fc.asyncProperty(program, separator, fc.boolean(), async (lines, between, early) => {
        const text = ['globalThis.ran = true', ...lines, early ? 'return 1' : '1'].join(between);
        const { code, importsNothing } = prepared(text);
        expect(importsNothing).toBe(true);
        Reflect.deleteProperty(globalThis, 'ran');
        const exports = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as { __executionBody(): Promise<unknown> };
        expect(Reflect.has(globalThis, 'ran')).toBe(false);
        await exports.__executionBody();
        expect(Reflect.has(globalThis, 'ran')).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test.each<[string, boolean]>([
    ["import { a } from './servers/x/y.ts';\na()", true],
    ["import { a } from '/workspace/servers/index';\nimport { readFileSync } from 'node:fs';\nreturn a(readFileSync)", true],
    ["import './servers/../lib.ts';\n1", false],
    ["import './lib/mine.ts';\n1", false],
    ["import 'data:text/javascript,globalThis.ran=1';\n1", false],
    ["import { m } from './servers/x/y.ts' with { type: 'macro' };\nm()", false],
    ["import s from '/workspace/skills/mine.ts';\ns()", false],
    ["import s from './servers/skills/mine.ts';\ns()", false],
    ["import s from './servers/./skills/mine.ts';\ns()", false],
    ["import s from '/workspace/servers//skills/mine.ts';\ns()", false],
    ['namespace A { globalThis.ran = 1 }\nreturn 1', false],
    ["import fs = require('fs');\nreturn 1", false],
  ])('%j says so: %s', (code, expected) => {
    expect(prepared(code).importsNothing).toBe(expected);
  });

  test.each(['export const a = 1;\na', 'export default 1', 'namespace A {}\n1'])('%j does not', (code) => {
    expect(prepared(code).importsNothing ?? false).toBe(false);
  });

  test('Node is told which imports are types, and what it does not know', () => {
    const code = "import D, { type T, U, v } from './a';\nimport { W } from './b';\nconst x: U & T & W = v as W;\nreturn [x, D]";
    expect(prepared(code, 'node').code).toContain("import D, { type T, type U, v } from './a';\nimport type { W } from './b';");
    expect(prepared(code).code).toContain("import { W } from './b';");
    expect(prepareProgram('node', 'const a = 1;\n@dec class A {}')).toMatchObject({
      ok: false,
      error: { code: 'SYNTAX_ERROR', line: 2, column: 1 },
    });
  });
});

function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split(/\r\n|\n/);
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}
