import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildRunners } from './build-runners.ts';
import { BUN_PATH, RUNNERS_DIR } from './testing/plain-sandbox.ts';
import { runPlainly } from './testing/run-plainly.ts';

let outDir = '';
beforeAll(async () => {
  outDir = await mkdtemp(join(tmpdir(), 'runners-'));
  await buildRunners({ sourceDir: RUNNERS_DIR, outDir, bunPath: BUN_PATH });
});
afterAll(() => rm(outDir, { recursive: true, force: true }));

test.each(['typescript', 'node'] as const)('the built runner of %s does what its source does', async (runtime) => {
  const code =
    'enum E { A = 1 }\nexport const __executionBody = async () => {\n  process.stdout.write("out\\n");\n  return [E.A, await tools.a.b({})]\n};';
  const outcome = await runPlainly(runtime, code, { runnersDir: outDir });
  expect(outcome).toMatchObject({ status: 'succeeded', resultJson: '[1,{"tool":"a.b","args":{}}]', output: 'out\n' });
  const failed = await runPlainly(runtime, "const a = 1;\n  throw new Error('no');\nexport {}", { runnersDir: outDir });
  expect(failed.error).toMatchObject({
    code: 'UNCAUGHT',
    message: 'Error: no',
    line: 2,
    column: 9,
    stack: 'Error: no\n    at (main.ts:2:9)',
  });
});

test('the built runner of python does what its source does', async () => {
  const outcome = await runPlainly('python', 'print("out")\n[1, tools.a.b()]', { runnersDir: outDir });
  expect(outcome).toMatchObject({ status: 'succeeded', resultJson: '[1,{"tool":"a.b","args":{}}]', output: 'out\n' });
  const failed = await runPlainly('python', 'a = 1\nraise ValueError("no")', { runnersDir: outDir });
  expect(failed.error).toMatchObject({ code: 'UNCAUGHT', line: 2, stack: 'ValueError: no\n    at (main.py:2:1)' });
});

test('what the compiler says about a broken runner is told', async () => {
  await expect(buildRunners({ sourceDir: join(outDir, 'nowhere'), outDir: join(outDir, 'out'), bunPath: BUN_PATH })).rejects.toThrow(
    /nowhere/,
  );
});
