import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { ProgramControls } from './run-program.ts';
import { bootPlainSandbox } from './testing/plain-sandbox.ts';
import { echo, runPlainly } from './testing/run-plainly.ts';

/** Python that speaks the protocol itself, beside its runner. */
const FORGE = `
import os, struct, time
def frame(kind, payload, size=None):
    data = struct.pack('>IB', len(payload) if size is None else size, kind) + payload
    while data: data = data[os.write(3, data):]
def reply():
    size = struct.unpack('>IB', os.read(3, 5))[0]
    data = b''
    while len(data) < size: data += os.read(3, size - len(data))
    return data
`;

describe('how a program ends', () => {
  test('an endless loop is timed out and keeps what it printed', async () => {
    const outcome = await runPlainly('typescript', "console.log('before'); for (;;) {}\nexport {}", { timeoutMs: 1_500 });
    expect(outcome).toMatchObject({ status: 'timed_out', error: { code: 'TIMEOUT' }, output: 'before\n', resultJson: null });
    expect(outcome.executionTimeMs).toBeGreaterThanOrEqual(1_499);
    expect(outcome.executionTimeMs).toBeLessThan(6_000);
  });

  test('an abort cancels it, one that came before too', async () => {
    const abort = new AbortController();
    const running = runPlainly('python', 'import sys\nsys.stdout.write("before\\n")\nwhile True: pass', {
      options: { signal: abort.signal },
      hooks: { onOutput: () => abort.abort() },
    });
    expect(await running).toMatchObject({ status: 'cancelled', error: { code: 'CANCELLED' }, output: 'before\n' });
    expect(await runPlainly('python', 'print("ran")', { options: { signal: AbortSignal.abort() } })).toMatchObject({
      status: 'cancelled',
      output: '',
    });
  });

  test('compute time stands still while it is paused', async () => {
    let controls: ProgramControls | undefined;
    const onOutput = async (): Promise<void> => {
      controls?.pause();
      await delay(2_500);
      controls?.resume();
    };
    const code = 'import time\nprint("pause")\nend = time.process_time() + 0.1\nwhile time.process_time() < end: pass\n42';
    const outcome = await runPlainly('python', code, {
      timeoutMs: 2_000,
      hooks: {
        onControls: (given) => {
          controls = given;
        },
        onOutput: () => void onOutput(),
      },
    });
    expect(outcome).toMatchObject({ status: 'succeeded', resultJson: '42' });
    expect(outcome.executionTimeMs).toBeLessThan(2_000);
  });

  test('a program that closes its channel has ended itself', async () => {
    const outcome = await runPlainly('typescript', "require('node:fs').closeSync(3); for (;;) {}\nexport {}", { timeoutMs: 5_000 });
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'SANDBOX_CRASHED', message: expect.stringContaining('channel') } });
  });

  test('a flood of output ends at 8 MB, whatever its bytes', async () => {
    const outcome = await runPlainly('python', 'import os\nwhile True: os.write(1, b"\\xff" * 65536)');
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'OUTPUT_LIMIT' }, truncated: true });
    expect(outcome.outputBytes).toBeLessThan(10 * 1024 * 1024);
    expect(outcome.droppedBytes).toBe(outcome.outputBytes - 100 * 1024);
  });
});

describe('frames from inside', () => {
  test.each<[string, string, object]>([
    [
      'a forged result is a result, once',
      `${FORGE}frame(5, b'"forged"'); frame(5, b'2'); time.sleep(5)`,
      { status: 'succeeded', resultJson: '"forged"' },
    ],
    [
      'a result that is no JSON is refused',
      `${FORGE}frame(5, b'{"a":'); time.sleep(5)`,
      { status: 'failed', error: { code: 'RESULT_NOT_SERIALIZABLE' } },
    ],
    [
      'a result in bad UTF-8 is refused',
      `${FORGE}frame(5, b'"\\xff"'); time.sleep(5)`,
      { status: 'failed', error: { code: 'RESULT_NOT_SERIALIZABLE' } },
    ],
    [
      'a result as a depth bomb is refused',
      `${FORGE}frame(5, b'[' * 5000000 + b']' * 5000000); time.sleep(5)`,
      { status: 'failed', error: { code: 'RESULT_NOT_SERIALIZABLE' } },
    ],
    [
      'a length prefix of 1 GB is refused before a byte of it',
      `${FORGE}frame(3, b'', 1 << 30); time.sleep(5)`,
      { status: 'failed', error: { code: 'SANDBOX_CRASHED' }, violations: 1 },
    ],
    [
      'a result of 1 GB is refused before a byte of it',
      `${FORGE}frame(5, b'', 1 << 30); time.sleep(5)`,
      { status: 'failed', error: { code: 'RESULT_TOO_LARGE' } },
    ],
    [
      'an unknown type ends the program',
      `${FORGE}frame(99, b'{}'); time.sleep(5)`,
      { status: 'failed', error: { code: 'SANDBOX_CRASHED' } },
    ],
    [
      'a forged failure cannot take a code of the service',
      `${FORGE}frame(6, b'{"code":"TIMEOUT","message":"x","line":-1,"stack":7}'); time.sleep(5)`,
      { status: 'failed', error: { code: 'UNCAUGHT', message: 'x' } },
    ],
    ['a failure that says nothing is one', `${FORGE}frame(6, b'[]'); time.sleep(5)`, { status: 'failed', error: { code: 'UNCAUGHT' } }],
    [
      'a few broken frames are counted and ignored',
      `${FORGE}for bad in [b'', b'null', b'{"id":"1","tool":"a"}', b'{"id":1.5,"tool":"a"}', b'{"id":1}', b'[' * 100000]: frame(3, bad)\nframe(8, b'{}'); frame(7, b'{}')\n42`,
      { status: 'succeeded', resultJson: '42', violations: 8 },
    ],
    [
      'many are the end',
      `${FORGE}for i in range(500): frame(3, b'null')\ntime.sleep(5)`,
      { status: 'failed', error: { code: 'SANDBOX_CRASHED' } },
    ],
  ])('%s', async (_, code, expected) => {
    expect(await runPlainly('python', code)).toMatchObject(expected);
  });

  test('an id that was used is refused and answered once', async () => {
    const calls: string[] = [];
    const outcome = await runPlainly('python', `${FORGE}for _ in range(3): frame(3, b'{"id":7,"tool":"a.b","args":{}}')\nreply()\n42`, {
      hooks: {
        onCall: async (call) => {
          calls.push(call.tool);
          return await echo(call);
        },
      },
    });
    expect(outcome).toMatchObject({ status: 'succeeded', violations: 2 });
    expect(calls).toEqual(['a.b']);
  });

  test('__proto__ in arguments stays an own field and changes nothing', async () => {
    let args: unknown;
    const code = `${FORGE}frame(3, b'{"id":1,"tool":"a.b","args":{"__proto__":{"polluted":1}},"__proto__":{"tool":"x"}}')\nreply()\n1`;
    await runPlainly('python', code, {
      hooks: {
        onCall: async (call) => {
          args = call.args;
          return { ok: true, value: null };
        },
      },
    });
    expect(Object.keys(args as object)).toEqual(['__proto__']);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('tool calls', () => {
  test('at most 16 run at once, 256 in all', async () => {
    let running = 0;
    let most = 0;
    let calls = 0;
    const code = `
const answers = await Promise.allSettled(Array.from({ length: 300 }, (_, i) => tools.a.b({ i })));
const refused = answers.filter((one) => one.status === 'rejected');
export const __executionResult = [answers.length - refused.length, new Set(refused.map((one) => one.reason.code))];`;
    const outcome = await runPlainly('typescript', code, {
      hooks: {
        onCall: async (call) => {
          calls += 1;
          running += 1;
          most = Math.max(most, running);
          await delay(2);
          running -= 1;
          return await echo(call);
        },
      },
    });
    expect(JSON.parse(outcome.resultJson ?? 'null')).toEqual([256, ['CALL_LIMIT']]);
    expect([most, calls]).toEqual([16, 256]);
  });

  test('arguments and replies have their sizes', async () => {
    const code = `
const code = async (call) => { try { return (await call).length } catch (error) { return error.code } };
export const __executionResult = [await code(tools.a.b({ x: 'y'.repeat(1100000) })), await code(tools.a.big({})), await code(tools.a.fits({})), await code(tools.a.b([1])), await code(tools.a.b({ x: 1n }))];`;
    const outcome = await runPlainly('typescript', code, {
      hooks: { onCall: async ({ tool }) => ({ ok: true, value: 'z'.repeat(tool === 'a.big' ? 8 * 1024 * 1024 : 8 * 1024 * 1024 - 50) }) },
    });
    expect(JSON.parse(outcome.resultJson ?? 'null')).toEqual([
      'ARGUMENTS_TOO_LARGE',
      'REPLY_TOO_LARGE',
      8 * 1024 * 1024 - 50,
      'INVALID_ARGUMENTS',
      'INVALID_ARGUMENTS',
    ]);
    const forged = await runPlainly(
      'python',
      `${FORGE}frame(3, b'{"id":1,"tool":"a.b","args":{"x":"' + b'y' * 1050000 + b'"}}')\nreply().decode()`,
    );
    expect(forged.resultJson).toContain('ARGUMENTS_TOO_LARGE');
  });

  test('a call under way is aborted when the program ends', async () => {
    const aborted = Promise.withResolvers<void>();
    const outcome = await runPlainly(
      'typescript',
      'void tools.a.b({}); await new Promise((r) => setTimeout(r, 50)); export const __executionResult = 1',
      {
        hooks: {
          onCall: (_, signal) =>
            new Promise((resolve) => {
              signal.addEventListener('abort', () => {
                aborted.resolve();
                resolve({ ok: true, value: 1 });
              });
            }),
        },
      },
    );
    expect(outcome).toMatchObject({ status: 'succeeded', resultJson: '1' });
    await aborted.promise;
  });

  test('replies that nobody reads do not pile up', async () => {
    let calls = 0;
    const code = `${FORGE}for i in range(256): frame(3, b'{"id":%d,"tool":"a.b","args":{}}' % (i + 1))\ntime.sleep(1.5)\n1`;
    await runPlainly('python', code, {
      hooks: {
        onCall: async () => {
          calls += 1;
          return { ok: true, value: 'z'.repeat(4 * 1024 * 1024) };
        },
      },
    });
    expect(calls).toBeLessThan(40);
  });
});

test('a sandbox whose process is gone before the program was sent is told as such', async () => {
  const sandbox = await bootPlainSandbox('python');
  sandbox.kill();
  const { runProgram } = await import('./run-program.ts');
  const { IDENTITY_POSITIONS } = await import('./position-map.ts');
  const program = { code: '1', args: {}, files: {}, promisesResult: true, positions: IDENTITY_POSITIONS, timeoutMs: 5_000 };
  const outcome = await runProgram(
    sandbox,
    program,
    { onCall: echo, onDiscover: async () => ({ ok: true, value: 1 }) },
    { signal: new AbortController().signal },
  );
  expect(outcome).toMatchObject({ status: 'failed', error: { code: 'SANDBOX_CRASHED' } });
});
