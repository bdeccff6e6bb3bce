import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Runtime } from '@code-executor/contracts';
import { describe, expect, test } from 'vitest';
import { IDENTITY_POSITIONS } from './position-map.ts';
import { runProgram } from './run-program.ts';
import { sendAhead } from './send-program.ts';
import { bootPlainSandbox, type PlainSandbox } from './testing/plain-sandbox.ts';
import { echo } from './testing/run-plainly.ts';

const body = (statements: string): string => `export const __executionBody = async () => {${statements}\n};`;
const NODE = "import { writeFileSync } from 'node:fs';\n";
const RAN = `writeFileSync(args.ran, '');`;

/** Language, whether its module runs nothing, and a program that leaves a file behind at once. */
const PROGRAMS: readonly (readonly [Runtime, boolean, string])[] = [
  ['typescript', true, `${NODE}${body(`${RAN} console.log('ran'); return (await tools.x.good({ n: 1 })).tool`)}`],
  ['typescript', false, `${NODE}${RAN} console.log('ran');\nexport const __executionResult = (await tools.x.good({ n: 1 })).tool`],
  ['node', false, `${NODE}${RAN} console.log('ran');\nexport const __executionResult = (await tools.x.good({ n: 1 })).tool`],
  ['python', false, 'open(args["ran"], "w").close()\nprint("ran")\ntools.x.good(n=1)["tool"]'],
];

describe('a program that is sent ahead', () => {
  test.each(PROGRAMS)(
    'in %s (imported: %s) runs no line before the word is given, and then as any other',
    async (runtime, importsNothing, code) => {
      await withSandbox(runtime, async (sandbox) => {
        const program = { code, args: { ran: join(sandbox.workspace, 'ran') }, files: { 'a/b.txt': 'c' }, promisesResult: true };
        sendAhead(sandbox, program, { importsNothing });
        while (!existsSync(join(sandbox.workspace, runtime === 'python' ? 'main.py' : 'main.ts'))) await sleep(5);
        await sleep(150);
        expect(existsSync(program.args.ran)).toBe(false);
        const outcome = await run(sandbox, program);
        expect(outcome).toMatchObject({ status: 'succeeded', resultJson: '"x.good"', output: 'ran\n', violations: 0 });
      });
    },
  );

  test.each<[Runtime, boolean, string, string]>([
    ['typescript', true, "import { a } from './nowhere.ts';\nexport const __executionBody = async () => a;", 'nowhere'],
    ['typescript', true, body("throw new TypeError('mine')"), 'mine'],
    ['python', false, 'def f(:', 'invalid syntax'],
    ['python', false, 'raise ValueError("mine")', 'mine'],
  ])('in %s (imported: %s) tells what is wrong with it once it was to run: %s', async (runtime, importsNothing, code, message) => {
    await withSandbox(runtime, async (sandbox) => {
      const program = { code, args: {}, files: {}, promisesResult: true };
      sendAhead(sandbox, program, { importsNothing });
      await sleep(50);
      const outcome = await run(sandbox, program);
      expect(outcome.status).toBe('failed');
      expect(outcome.error?.message).toContain(message);
    });
  });

  test('ends with its sandbox', async () => {
    await withSandbox('typescript', async (sandbox) => {
      const program = { code: body('return 1'), args: {}, files: {}, promisesResult: true };
      sendAhead(sandbox, program, { importsNothing: true });
      sandbox.kill();
      await sandbox.ended;
      expect(await run(sandbox, program)).toMatchObject({ status: 'failed', error: { code: 'SANDBOX_CRASHED' } });
    });
  });
});

async function withSandbox(runtime: Runtime, act: (sandbox: PlainSandbox) => Promise<void>): Promise<void> {
  const sandbox = await bootPlainSandbox(runtime);
  try {
    await act(sandbox);
  } finally {
    sandbox.kill();
    await sandbox.ended;
  }
}

async function run(sandbox: PlainSandbox, program: Parameters<typeof sendAhead>[1]) {
  return await runProgram(
    sandbox,
    { ...program, isSentAhead: true, positions: IDENTITY_POSITIONS, timeoutMs: 30_000 },
    { onCall: echo, onDiscover: async () => ({ ok: true, value: [] }) },
    { signal: new AbortController().signal },
  );
}
