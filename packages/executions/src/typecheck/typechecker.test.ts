import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ToolDefinition } from '@code-executor/contracts';
import { createLogger } from '@code-executor/platform';
import { createWrapperStore } from '@code-executor/wrappers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTypechecker } from './typechecker.ts';

const base = mkdtempSync(join(tmpdir(), 'typechecker-'));
const log = createLogger({ level: 'silent', service: 'test' });
const typechecker = createTypechecker({ log, deadlineMs: 20_000 });
let snapshotDir = '';

const tools: ToolDefinition[] = [
  {
    server: 'filesystem',
    name: 'read_text_file',
    description: 'Reads.',
    inputSchema: { type: 'object', properties: { path: { type: 'string' }, head: { type: 'number' } }, required: ['path'] },
    outputSchema: { type: 'object', properties: { content: { type: 'string' } }, required: ['content'] },
  },
  { server: 'filesystem', name: 'list_directory', description: 'Lists.', inputSchema: { type: 'object', properties: {} } },
  {
    server: 'sequential-thinking',
    name: 'get-sum',
    description: '',
    inputSchema: { type: 'object', properties: { a: { type: 'number' } }, required: ['a'] },
  },
];

async function snapshotOf(definitions: readonly ToolDefinition[], name: string): Promise<string> {
  const store = createWrapperStore({ dir: join(base, name) });
  try {
    return (await store.snapshot(definitions)).dir;
  } finally {
    await store.close();
  }
}

const check = (code: string, files: Record<string, string> = {}, signal = AbortSignal.timeout(40_000)) =>
  typechecker.check({ code, files, snapshotDir, signal });

beforeAll(async () => {
  snapshotDir = await snapshotOf(tools, 'main');
});
afterAll(async () => {
  await typechecker.close();
  rmSync(base, { recursive: true, force: true });
});

describe('programs without an error', () => {
  test.each<[string, string]>([
    ['a bare expression', '2 + 2'],
    ['a top-level return', 'const x = await Promise.resolve(4);\nif (x > 3) return { x };\nreturn;'],
    ['an async function called at once', '(async () => { console.log(await tools.filesystem.list_directory()); })();'],
    ['an export', 'export default async () => args.name;'],
    ['a fence', "```typescript\nimport { readFileSync } from 'node:fs';\nreturn readFileSync('/tmp/x', 'utf8').length;\n```"],
    [
      'wrappers with .js',
      "import { read_text_file } from '/workspace/servers/filesystem/read_text_file.js';\nreturn (await read_text_file({ path: '/a' })).content.length;",
    ],
    [
      'wrappers with .ts',
      "import { read_text_file } from '/workspace/servers/filesystem/read_text_file.ts';\nreturn read_text_file({ path: '/a', head: 3 });",
    ],
    ['wrappers with no ending', "import read from '/workspace/servers/filesystem/read_text_file';\nreturn read({ path: '/a' });"],
    ['a server as a whole', "import * as fs from '/workspace/servers/filesystem/index.js';\nreturn fs.list_directory({});"],
    [
      'a dynamic import',
      "const { get_sum } = await import('/workspace/servers/sequential-thinking/get_sum.js');\nreturn get_sum({ a: 1 });",
    ],
    [
      'a type',
      "import type { ReadTextFileArguments } from '/workspace/servers/filesystem/read_text_file.js';\nconst a: ReadTextFileArguments = { path: 'x' };\nreturn a;",
    ],
    [
      'tools by identifier and by slug',
      "return [tools.sequential_thinking.get_sum({ a: 1 }), tools['sequential-thinking']['get-sum']({ a: 1 })];",
    ],
    [
      'discovery',
      "import { searchTools } from '/workspace/servers/discovery.js';\nfor (const tool of (await searchTools('x')).items) console.log(tool.name);",
    ],
    [
      'untyped collecting',
      'const found = [];\nlet last = null;\nfor (const word of ["a", "b"]) { found.push(word); last = word; }\nreturn { found, last };',
    ],
    ['counting by key', 'const counts = {};\nfor (const word of ["a"]) counts[word] = (counts[word] || 0) + 1;\nreturn counts;'],
    [
      'an error without a type',
      'try { JSON.parse("{"); } catch (error) { console.log(error.message); if (error instanceof ToolError) console.log(error.code, error.details); }',
    ],
    ['parameters without types', 'function add(a, b) { return a + b; }\nreturn [1, 2].reduce((sum, n) => add(sum, n), 0);'],
    [
      'what the runtime has',
      'const answer = await fetch("https://example.com"); setTimeout(() => {}, 1); process.exitCode = 1; return [await answer.json(), Buffer.from("x"), structuredClone({}), new URL("http://a"), Bun.version];',
    ],
  ])('%s', async (_title, code) => {
    expect(await check(code)).toBeNull();
  });

  test('files of the program itself are found, and checked', async () => {
    const code = "import { twice } from './lib/a.ts';\nimport data from './data.json';\nreturn twice(data.n);";
    expect(await check(code, { 'lib/a.ts': 'export const twice = (n: number) => n * 2;', 'data.json': '{"n": 2}' })).toBeNull();
    expect(
      await check(code, { 'lib/a.ts': "export const twice = (n: number) => n * 2;\nconst wrong: number = 'x';", 'data.json': '{"n": 2}' }),
    ).toMatchObject({
      message: expect.stringContaining('lib/a.ts: '),
      details: { diagnostics: [{ file: 'lib/a.ts', line: 2, column: 7 }] },
    });
  });
});

describe('programs with an error', () => {
  test.each<[string, string, number, number, RegExp]>([
    [
      'an argument that is misspelled',
      "import { read_text_file } from '/workspace/servers/filesystem/read_text_file.js';\n  await read_text_file({ pth: '/a' });",
      2,
      26,
      /'pth' does not exist.*'path'/,
    ],
    [
      'an argument of the wrong type',
      'await tools.filesystem.read_text_file({ path: 3 });',
      1,
      41,
      /'number' is not assignable to type 'string'/,
    ],
    ['an argument that is missing', 'await tools.sequential_thinking.get_sum({});', 1, 41, /Property 'a' is missing/],
    [
      'a result that has no such field',
      "const x = await tools.filesystem.read_text_file({ path: '' });\nreturn x.contents;",
      2,
      10,
      /'contents' does not exist.*'content'/,
    ],
    ['a tool that is not there', 'await tools.filesystem.read_txt_file({});', 1, 24, /Did you mean 'read_text_file'/],
    ['a server that is not there', 'await tools.filesystm.read_text_file({});', 1, 13, /'filesystm' does not exist/],
    ['a wrapper that is not there', "import { x } from '/workspace/servers/filesystem/x.js';", 1, 19, /Cannot find module/],
    ['a result returned at top level', 'const x: number = 1;\nif (x) {\n    return x.foo;\n}', 3, 14, /'foo' does not exist/],
    ['inside of a fence', "```ts\nconst x: number = 'a';\n```", 2, 7, /not assignable/],
    ['syntax', 'const x = ;', 1, 11, /Expression expected/],
  ])('%s', async (_title, code, line, column, message) => {
    const error = await check(code);
    expect(error).toMatchObject({ code: 'TYPECHECK_FAILED', line, column });
    expect(error?.message).toMatch(message);
  });

  test('at most twenty are listed, and all are counted', async () => {
    const error = await check(Array.from({ length: 50 }, (_, index) => `const x${index}: number = 'a';`).join('\n'));
    expect(error?.message).toContain('(and 49 more)');
    expect(error?.details).toMatchObject({ total: 50, diagnostics: expect.objectContaining({ length: 20 }) });
  });
});

describe('what a program may not reach', () => {
  test('files of the host do not exist for it, whatever way it names them', async () => {
    const secret = join(base, 'secret.json');
    writeFileSync(secret, '{"key": "s3cret"}');
    mkdirSync(join(base, 'main', 'x'));
    for (const path of [
      secret,
      `/workspace/servers/../..${secret}`,
      `/workspace/servers/filesystem/../../../..${secret}`,
      `/types/node/../../..${secret}`,
      `../../..${secret}`,
    ]) {
      const error = await check(`import secret from '${path}';\nconst key: 1 = secret.key;`, { [`x/../../..${secret}`]: '' });
      expect(error?.message, path).toMatch(/Cannot find module/);
      expect(JSON.stringify(error)).not.toContain('s3cret');
    }
  });

  test('a triple-slash reference to a file of the host is one that is not found', async () => {
    const secret = join(base, 'secret.ts');
    writeFileSync(secret, 'declare const secret: "s3cret";');
    const error = await check(`/// <reference path="${secret}" />\nconst key: 1 = secret;`);
    expect(JSON.stringify(error)).not.toContain('s3cret');
    expect(error?.code).toBe('TYPECHECK_FAILED');
  });
});

describe('the checking process', () => {
  test('another snapshot brings other tools, and the first one its own again', async () => {
    const other = await snapshotOf([{ server: 'other', name: 'run', description: '', inputSchema: { type: 'object' } }], 'other');
    const code = 'return tools.other.run({});';
    const signal = AbortSignal.timeout(40_000);
    expect(await typechecker.check({ code, files: {}, snapshotDir: other, signal })).toBeNull();
    expect((await check(code))?.message).toContain("'other' does not exist");
    expect(await check('return tools.filesystem.list_directory({});')).toBeNull();
  });

  test('checks that come at once are each answered with their own', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => check(index % 2 === 0 ? `return ${index}` : `const x${index}: string = ${index};`)),
    );
    expect(answers.map((answer) => answer?.code ?? null)).toEqual([
      null,
      ...Array(3).fill(['TYPECHECK_FAILED', null]).flat(),
      'TYPECHECK_FAILED',
    ]);
  });

  test('types that never end are given up on, and the next program is checked', async () => {
    const impatient = createTypechecker({ log, deadlineMs: 3000, memoryMb: 256 });
    try {
      const endless = `type Orders<T extends string, K = T> = [T] extends [never] ? [] : K extends K ? [K, ...Orders<Exclude<T, K>>] : never;
const orders: Orders<'a'|'b'|'c'|'d'|'e'|'f'|'g'|'h'|'i'|'j'|'k'> = 1;`;
      const started = performance.now();
      const error = await impatient.check({ code: endless, files: {}, snapshotDir, signal: AbortSignal.timeout(40_000) });
      expect(error).toMatchObject({
        code: 'TYPECHECK_FAILED',
        message: expect.stringMatching(/could not be type-checked: it.*Nothing ran/),
      });
      expect(performance.now() - started).toBeLessThan(20_000);
      expect(await impatient.check({ code: 'return 1', files: {}, snapshotDir, signal: AbortSignal.timeout(40_000) })).toBeNull();
    } finally {
      await impatient.close();
    }
  }, 60_000);

  test('a caller that gives up is answered at once', async () => {
    const reason = new Error('cancelled');
    const controller = new AbortController();
    const checking = check(`return ${'1 + '.repeat(2000)}1`, {}, controller.signal);
    controller.abort(reason);
    await expect(checking).rejects.toBe(reason);
    await expect(check('return 1', {}, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(await check('return 1')).toBeNull();
  });

  test('nothing is checked after the end', async () => {
    const ended = createTypechecker({ log });
    await ended.close();
    expect(await ended.check({ code: 'return 1', files: {}, snapshotDir, signal: AbortSignal.timeout(5000) })).toMatchObject({
      code: 'TYPECHECK_FAILED',
    });
  });
});
