import { expect, test } from 'vitest';
import { FRAME } from '../channel/frame-channel.ts';
import type { Arena } from './arena.ts';
import { endingCases, fails, succeeds } from './ending-case.ts';

/** Writes frames past the runner, straight to the channel. */
const TYPESCRIPT = `
const fs = require('node:fs');
const send = (type, text, length) => { const body = Buffer.from(text); const head = Buffer.alloc(5); head.writeUInt32BE(length ?? body.length); head[4] = type;
  let all = Buffer.concat([head, body]); while (all.length > 0) { try { all = all.subarray(fs.writeSync(3, all)) } catch (e) { if (e.code !== 'EAGAIN') throw e } } };
const rest = () => { for (;;) {} };
`;
const PYTHON = `
import os, struct
def send(kind, text, length=None):
    data = text if isinstance(text, bytes) else text.encode()
    data = struct.pack(">IB", len(data) if length is None else length, kind) + data
    while data: data = data[os.write(3, data):]
`;
const GIGABYTE = 1 << 30;

/** A forged frame can do no more than the program may itself: end its own execution, or make calls it is entitled to. */
export function channelCases(arena: () => Arena): void {
  endingCases(arena, {
    'a forged result before the real one is the result, once': succeeds(
      'typescript',
      `${TYPESCRIPT} send(${FRAME.RESULT}, '"forged"'); send(${FRAME.RESULT}, '"again"'); return 'real'`,
      'forged',
    ),
    'a forged result of Python is the result, once': succeeds(
      'python',
      `${PYTHON}send(${FRAME.RESULT}, '"forged"'); send(${FRAME.FAILURE}, '{"message":"late"}')\n"real"`,
      'forged',
    ),
    'a forged failure has no code that only the service gives': fails(
      'typescript',
      `${TYPESCRIPT} send(${FRAME.FAILURE}, '{"code":"WORKER_LOST","message":"mine","__proto__":{"admin":true},"line":-1,"column":1e99}'); rest()`,
      'UNCAUGHT',
      { message: /^mine$/ },
    ),
    'a failure that is no JSON is a failure': fails(
      'python',
      `${PYTHON}send(${FRAME.FAILURE}, b"\\xff\\xfe{{{")\nwhile True: pass`,
      'UNCAUGHT',
    ),
    'a result that is no JSON is refused': fails(
      'python',
      `${PYTHON}send(${FRAME.RESULT}, "{not json}")\nwhile True: pass`,
      'RESULT_NOT_SERIALIZABLE',
    ),
    'a result of two JSON texts is refused': fails(
      'python',
      `${PYTHON}send(${FRAME.RESULT}, "1 2")\nwhile True: pass`,
      'RESULT_NOT_SERIALIZABLE',
    ),
    'a result that nests five million deep is refused': fails(
      'typescript',
      `${TYPESCRIPT} send(${FRAME.RESULT}, '['.repeat(5e6) + ']'.repeat(5e6)); rest()`,
      'RESULT_NOT_SERIALIZABLE',
    ),
    'a result with `__proto__` is data': succeeds(
      'typescript',
      `${TYPESCRIPT} send(${FRAME.RESULT}, '{"__proto__":{"polluted":1},"a":1}'); rest()`,
      JSON.parse('{"__proto__":{"polluted":1},"a":1}'),
    ),
    'a length of a gigabyte ends the program before a byte of it is kept': fails(
      'typescript',
      `${TYPESCRIPT} send(${FRAME.CALL}, '', ${GIGABYTE}); rest()`,
      'SANDBOX_CRASHED',
      {
        message: /frame_too_large/,
        violations: 1,
        mostMb: 100,
      },
    ),
    'a result of a gigabyte is too large before a byte of it is kept': fails(
      'python',
      `${PYTHON}send(${FRAME.RESULT}, "", ${GIGABYTE})\nwhile True: pass`,
      'RESULT_TOO_LARGE',
      {
        message: /1073741824 bytes/,
        mostMb: 50,
      },
    ),
    'a length that is never filled is timed out': {
      language: 'python',
      code: `${PYTHON}send(${FRAME.CALL}, "{", 1000)\nwhile True: pass`,
      status: 'timed_out',
      error: 'TIMEOUT',
      timeoutMs: 400,
      calls: 0,
    },
    'frames that only the service sends end the program': fails(
      'typescript',
      `${TYPESCRIPT} send(${FRAME.RUN}, '{"code":"1"}'); rest()`,
      'SANDBOX_CRASHED',
      { message: /unknown_type/ },
    ),
    'replies from inside end the program': fails(
      'python',
      `${PYTHON}send(${FRAME.REPLY}, '{"id":1,"ok":true,"value":1}')\nwhile True: pass`,
      'SANDBOX_CRASHED',
    ),
    'a type that does not exist ends the program': fails('python', `${PYTHON}send(255, "{}")\nwhile True: pass`, 'SANDBOX_CRASHED'),
    'a second READY and a second STARTED are violations and nothing more': succeeds(
      'typescript',
      `${TYPESCRIPT} send(${FRAME.READY}, '{}'); send(${FRAME.STARTED}, '{"promisesResult":false}'); return 5`,
      5,
      { violations: 2 },
    ),
    'a forged STARTED cannot make a program out of one that promised a result': fails(
      'typescript',
      `${TYPESCRIPT} send(${FRAME.STARTED}, '{"promisesResult":false}'); process.exit(0)`,
      'EXITED',
    ),
    'a flood of frames that mean nothing ends the program': fails(
      'typescript',
      `${TYPESCRIPT} const many = Buffer.concat(Array(1000).fill(Buffer.from([0, 0, 0, 2, 1, 123, 125]))); for (;;) fs.writeSync(3, many)`,
      'SANDBOX_CRASHED',
      { message: /too often/ },
    ),
    'a depth bomb in a call reaches no tool': succeeds(
      'typescript',
      `${TYPESCRIPT} send(${FRAME.CALL}, '{"id":1,"tool":"a.b","args":' + '['.repeat(4e5) + ']'.repeat(4e5) + '}'); send(${FRAME.DISCOVER}, '['.repeat(2e5)); return 1`,
      1,
      { violations: 1, calls: 0 },
    ),
    'arguments that nest too deep are refused with a code': succeeds(
      'typescript',
      `let deep = {}; for (let i = 0; i < 500; i++) deep = { deep };
       const { tools } = globalThis; try { await tools.a.b(deep) } catch (error) { return error.code }`,
      'INVALID_ARGUMENTS',
      { calls: 0, timeoutMs: 2_000 },
    ),
    'arguments of Python that nest too deep are refused with a code': succeeds(
      'python',
      'import code_executor\ndeep = {}\nfor _ in range(500): deep = {"deep": deep}\ntry: code_executor.call("a.b", deep)\nexcept code_executor.ToolError as error: answer = error.code\nanswer',
      'INVALID_ARGUMENTS',
      { calls: 0, timeoutMs: 2_000 },
    ),
    'ids that are no positive integers, and those used before, reach no tool': succeeds(
      'typescript',
      `${TYPESCRIPT} for (const id of [7, 7, -1, 0, 1.5, '8', null, 9e99, [9], {}]) send(${FRAME.CALL}, JSON.stringify({ id, tool: 'a.b', args: {} })); return 1`,
      1,
      { violations: 9, calls: 1 },
    ),
    'a call without a tool, or with arguments that are no object, reaches no tool': succeeds(
      'python',
      `${PYTHON}for body in ('{"id":1}', '{"id":2,"tool":5}', '{"id":3,"tool":"%s","args":{}}' % ("x" * 600), '{"id":4,"tool":"a.b","args":[1]}', '[]', 'null', '', '"x"'): send(${FRAME.CALL}, body)\n1`,
      1,
      { calls: 0 },
    ),
    'closing the channel and going on ends the program': fails('python', 'import os\nos.close(3)\nwhile True: pass', 'SANDBOX_CRASHED'),
    'closing the channel of TypeScript and going on ends the program': fails(
      'typescript',
      "require('node:fs').closeSync(3); for (;;) {}",
      'SANDBOX_CRASHED',
    ),
    'shutting the channel down before the result ends without one': fails(
      'python',
      'import socket\nsocket.socket(fileno=3).shutdown(socket.SHUT_RDWR)\n1',
      'EXITED',
      {
        output: /^$/,
      },
    ),
    'another file in the place of the channel ends without a result': fails(
      'python',
      'import os\nos.dup2(os.open("/dev/null", os.O_RDWR), 3)\n"lost"',
      'EXITED',
    ),
    'reading away the reply of a call hurts the program alone': {
      language: 'python',
      code: `${PYTHON}send(${FRAME.CALL}, '{"id":1,"tool":"a.b","args":{}}')\nos.read(3, 7)\nimport code_executor\ncode_executor.call("a.b", {})`,
      status: 'timed_out',
      error: 'TIMEOUT',
      timeoutMs: 500,
    },
    'a child has no channel to speak on': succeeds(
      'python',
      `${PYTHON}import time\nif os.fork() == 0:\n    send(${FRAME.RESULT}, '"of the child"')\ntime.sleep(0.2)\n"of the program"`,
      'of the program',
      { violations: 0 },
    ),
  });

  test('a call after the result is never made', async () => {
    const bout = await arena().typescript(
      `${TYPESCRIPT} send(${FRAME.RESULT}, '1'); for (let id = 1; id < 100; id++) send(${FRAME.CALL}, JSON.stringify({ id, tool: 'a.b', args: {} })); rest()`,
    );
    expect([bout.status, bout.result, bout.calls]).toEqual(['succeeded', 1, []]);
  });

  test('`__proto__` and other names in arguments arrive as data and pollute nothing', async () => {
    const bout = await arena().python(
      `${PYTHON}send(${FRAME.CALL}, '{"id":1,"__proto__":{"tool":"x.y"},"tool":"a.b","args":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}')\nimport time\ntime.sleep(0.2)\n1`,
    );
    expect(bout.calls).toHaveLength(1);
    expect(bout.calls[0]?.tool).toBe('a.b');
    expect(Object.keys(bout.calls[0]?.args as object)).toEqual(['__proto__', 'constructor']);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('a program that asks 100,000 times and reads nothing is bounded by its budget', async () => {
    const before = process.memoryUsage().rss;
    const bout = await arena().python(
      `${PYTHON}for id in range(1, 100_000): send(${FRAME.CALL}, '{"id":%d,"tool":"a.b","args":{}}' % id)\n1`,
      { timeoutMs: 5_000 },
    );
    expect(bout.calls.length).toBeLessThanOrEqual(256);
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1024 * 1024);
  });
}
