import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type Answer, serviceForThisFile } from './support/service-suite.ts';

const { service, execute } = serviceForThisFile({
  EXECUTOR_SESSION_IDLE_SECONDS: '4',
  EXECUTOR_SESSIONS: '8',
  EXECUTOR_SESSIONS_PER_PRINCIPAL: '3',
});

const ask = (method: string, path: string, body?: string | Buffer, key = service().key): Promise<Response> =>
  fetch(`${service().url}${path}`, { method, headers: { authorization: `Bearer ${key}` }, ...(body === undefined ? {} : { body }) });
const codeOf = async (response: Response): Promise<string> => ((await response.json()) as { error: { code: string } }).error.code;

/** How many processes of the sandbox are alive: its init and the interpreter. */
const LIVING = `
import os
def state(pid):
  try: return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]
  except OSError: return "Z"
sum(state(p) != "Z" for p in os.listdir("/proc") if p.isdigit())`;

/** A session that is ended after the test. */
async function inSession(
  language: 'typescript' | 'python',
  act: (run: (code: string, more?: Record<string, unknown>) => Promise<Answer>, sessionId: string) => Promise<void>,
): Promise<void> {
  const sessionId = `s-${Math.random().toString(36).slice(2)}`;
  try {
    await act((code, more) => execute({ language, code, sessionId, ...more }), sessionId);
  } finally {
    await ask('DELETE', `/sessions/${sessionId}`);
  }
}

describe('what a session keeps', () => {
  test('Python: variables, functions, imports and files, also after a program that failed', () =>
    inSession('python', async (run) => {
      await run('import math\nx = 20\ndef double(n): return n * 2\nopen("notes.txt", "w").write("kept")');
      expect(await run('1 / 0')).toMatchObject({ status: 'failed', error: { code: 'UNCAUGHT' } });
      expect(await run('syntax error here')).toMatchObject({ status: 'failed', error: { code: 'SYNTAX_ERROR' } });
      expect((await run('[double(x), math.floor(1.5), open("notes.txt").read()]')).result).toEqual([40, 1, 'kept']);
      expect((await run('import asyncio\nawait asyncio.sleep(0)\nreturn args["n"] + x', { args: { n: 1 } })).result).toBe(21);
      expect((await run('import lib\nlib.version', { files: { 'lib.py': 'version = 1' } })).result).toBe(1);
      expect((await run('import lib\nlib.version', { files: { 'lib.py': 'version = 2' } })).result).toBe(2);
    }));

  test('TypeScript: what is declared at the top, globals and files', () =>
    inSession('typescript', async (run) => {
      await run(
        'let n: number = 1; const [a, { b }] = [2, { b: 3 }]; class P { x = 4 }\nenum E { One = 5 }\nfunction inc() { n += 1; return n }\nglobalThis.g = 6; n',
      );
      expect((await run('n = 10; inc(); return [n, a, b, new P().x, E.One, g]')).result).toEqual([11, 2, 3, 4, 5, 6]);
      expect((await run('const a = 7; const kept = () => a; return a')).result).toBe(7);
      expect(await run('throw new Error("x")')).toMatchObject({ error: { code: 'UNCAUGHT', line: 1, column: 7 } });
      expect((await run('[a, kept()]')).result).toEqual([7, 7]);
      expect((await run("import { v } from './lib/v.ts'; v", { files: { 'lib/v.ts': 'export const v = 1' } })).result).toBe(1);
      expect((await run("import { v } from './lib/v.ts'; v", { files: { 'lib/v.ts': 'export const v = 2' } })).result).toBe(2);
      expect((await run('console.log("out"); process.stdout.write("put\\n"); 1')).output).toBe('out\nput\n');
    }));

  test('is not seen by other sessions, and not by executions without one', () =>
    inSession('python', async (run) => {
      await run('x = 1\nopen("f", "w").write("1")');
      await inSession('python', async (other) => {
        expect((await other('import os\n["x" in globals(), os.path.exists("f")]')).result).toEqual([false, false]);
      });
      expect((await execute({ language: 'python', code: '"x" in globals()' })).result).toBe(false);
    }));

  test('is listed, and gone when it is deleted', () =>
    inSession('python', async (run, sessionId) => {
      await run('x = 1');
      const list = (await (await ask('GET', '/sessions')).json()) as { items: { sessionId: string }[] };
      expect(list.items).toContainEqual(expect.objectContaining({ sessionId, language: 'python', status: 'idle', executions: 1 }));
      expect((await ask('DELETE', `/sessions/${sessionId}`)).status).toBe(204);
      expect(await codeOf(await ask('DELETE', `/sessions/${sessionId}`))).toBe('SESSION_NOT_FOUND');
      expect((await run('"x" in globals()')).result).toBe(false);
    }));
});

describe('the bounds of a session', () => {
  test('one execution at a time: a second one is refused at once, and a repeated one is answered', () =>
    inSession('python', async (run, sessionId) => {
      const started = performance.now();
      const first = run('import time; time.sleep(1.5); 1');
      await sleep(300);
      const second = await service().post('/execute', { language: 'python', code: '2', sessionId });
      expect(second).toMatchObject({ status: 409, body: { error: { code: 'SESSION_BUSY' } } });
      expect(performance.now() - started).toBeLessThan(1_400);
      for (const [method, path] of [
        ['GET', ''],
        ['GET', '/a'],
        ['PUT', '/a'],
      ] as const) {
        expect(await codeOf(await ask(method, `/sessions/${sessionId}/files${path}`, method === 'PUT' ? 'x' : undefined))).toBe(
          'SESSION_BUSY',
        );
      }
      expect((await first).result).toBe(1);
      expect((await run('2')).result).toBe(2);
    }));

  test('requests that cannot be meant are refused by name', () =>
    inSession('python', async (run, sessionId) => {
      await run('1');
      const bodies = [
        { sessionId: 'a/b' },
        { sessionId: 'x'.repeat(65) },
        { sessionId: '' },
        { language: 'node' },
        { language: 'typescript' },
      ];
      for (const body of bodies) {
        const answer = await service().post('/execute', { language: 'python', code: '1', sessionId, ...body });
        expect(answer, JSON.stringify(body)).toMatchObject({ status: 400, body: { error: { code: 'INVALID_REQUEST' } } });
      }
    }));

  test('a principal has so many and no more', async () => {
    const ids = ['l-1', 'l-2', 'l-3'];
    for (const sessionId of ids) await execute({ language: 'python', code: '1', sessionId });
    const answer = await service().post('/execute', { language: 'python', code: '1', sessionId: 'l-4' });
    expect(answer).toMatchObject({ status: 429, body: { error: { code: 'SESSION_LIMIT' } } });
    await Promise.all(ids.map((id) => ask('DELETE', `/sessions/${id}`)));
  });

  test.each([
    ['a timeout', 'while True: pass', { timeoutMs: 300 }, 'TIMEOUT'],
    ['its exit', 'raise SystemExit(3)', {}, 'EXITED'],
    ['a crash', 'import os; os.kill(os.getpid(), 11)', {}, 'SANDBOX_CRASHED'],
    ['memory', 'x = []\nwhile True: x.append(bytearray(1 << 20))', {}, null],
  ])('after %s it is lost: the next execution says so once and runs nothing, the one after begins anew', (_, code, more, error) =>
    inSession('python', async (run) => {
      await run('x = 1');
      const end = await run(code, more);
      expect(end.status).not.toBe('succeeded');
      if (error === null) return;
      expect(end.error?.code).toBe(error);
      expect(await run('x')).toMatchObject({ status: 'failed', error: { code: 'SESSION_LOST' }, effects: 'not_started' });
      expect((await run('"x" in globals()')).result).toBe(false);
    }),
  );

  test('a cancelled execution ends it', () =>
    inSession('python', async (run, sessionId) => {
      await run('x = 1');
      const answer = await service().post('/execute', { language: 'python', code: 'import time; time.sleep(20)', sessionId, wait: false });
      await sleep(300);
      await service().post(`/executions/${(answer.body as Answer).executionId}/cancel`, {});
      expect((await run('x')).error?.code).toBe('SESSION_LOST');
    }));

  test('nobody uses it: it expires, and says so', () =>
    inSession('python', async (run) => {
      await run('x = 1');
      await sleep(5_000);
      expect((await run('x')).error).toMatchObject({ code: 'SESSION_LOST', message: expect.stringContaining('4 seconds') });
    }));
});

describe('a hostile program in a session', () => {
  test('leaves no process, however it hides, and its children cannot answer for the next one', () =>
    inSession('python', async (run) => {
      await run(`
import os, time, struct
for n in range(8):
  if os.fork() == 0:
    os.setsid()
    if os.fork() != 0: os._exit(0)
    for fd in range(3, 64):
      try: os.close(fd)
      except OSError: pass
    while True:
      for fd in range(3, 12):
        try: os.write(fd, struct.pack(">IB", 8, 5) + b'"forged"')
        except OSError: pass
      time.sleep(0.001)
`);
      const answer = await run(`import time\ntime.sleep(0.2)\n${LIVING}`);
      expect(answer.error).toBeNull();
      expect(answer.result).toBe(2);
    }));

  test('forks without end: what it left is ended all the same', () =>
    inSession('python', async (run) => {
      await run(`
import os
if os.fork() == 0:
  while True:
    try:
      if os.fork() == 0: continue
    except OSError: pass
1`);
      const answer = await run(LIVING);
      expect(answer.result).toBe(2);
    }));

  test('sends frames ahead: none of them is one of the next execution', () =>
    inSession('python', async (run) => {
      const forged =
        'import os, struct\nfor _ in range(50):\n  os.write(3, struct.pack(">IB", 1, 5) + b"7")\n  os.write(3, struct.pack(">IB", 2, 1) + b"{}")\n8';
      expect((await run(forged)).result).toBe(7);
      const next = await run('9');
      expect(next.result === 9 || next.error?.code === 'SESSION_LOST').toBe(true);
    }));

  test('reaches nothing by links that lie in the way of its files', () =>
    inSession('python', async (run, sessionId) => {
      await run(`
import os
os.symlink("/etc/passwd", "passwd"); os.symlink("/etc", "etc"); os.symlink("/tmp/planted", "planted"); os.mkfifo("fifo")
os.mkdir("dir"); open("dir/plain", "w").write("plain")
`);
      for (const path of [
        'passwd',
        'etc/passwd',
        'fifo',
        'servers/discovery.ts',
        '..%2f..%2fetc%2fpasswd',
        'dir',
        'dir%2f..%2f..%2fetc/passwd',
      ]) {
        expect((await ask('GET', `/sessions/${sessionId}/files/${path}`)).status, path).toBe(404);
      }
      for (const path of ['etc/x', 'servers/x', 'dir', 'dir%2f..%2fx', 'fifo/x']) {
        expect((await ask('PUT', `/sessions/${sessionId}/files/${path}`, 'x')).status, path).toBe(400);
      }
      expect((await ask('PUT', `/sessions/${sessionId}/files/planted`, 'mine')).status).toBe(200);
      expect((await run('import os\n[os.path.islink("planted"), open("planted").read(), os.path.exists("/tmp/planted")]')).result).toEqual([
        false,
        'mine',
        false,
      ]);
      expect(await (await ask('GET', `/sessions/${sessionId}/files/dir/plain`)).text()).toBe('plain');
    }));

  test("of another principal has a session of the same name of its own, and none of the first one's files", () =>
    inSession('python', async (run, sessionId) => {
      await run('secret = 1\nopen("f", "w").write("1")');
      const other = (await service().post('/keys', { name: 'other', role: 'agent' })).body as { key: string };
      expect(await codeOf(await ask('GET', `/sessions/${sessionId}/files/f`, undefined, other.key))).toBe('SESSION_NOT_FOUND');
      expect(await codeOf(await ask('DELETE', `/sessions/${sessionId}`, undefined, other.key))).toBe('SESSION_NOT_FOUND');
      const answer = await fetch(`${service().url}/execute`, {
        method: 'POST',
        headers: { authorization: `Bearer ${other.key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ language: 'python', code: '"secret" in globals()', sessionId }),
      });
      expect(((await answer.json()) as Answer).result).toBe(false);
      await ask('DELETE', `/sessions/${sessionId}`, undefined, other.key);
      expect((await run('secret')).result).toBe(1);
    }));
});

describe('files of a session', () => {
  test('go in and come out byte by byte, and are listed', () =>
    inSession('typescript', async (run, sessionId) => {
      await run('1');
      const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256));
      const put = await ask('PUT', `/sessions/${sessionId}/files/data/in.bin`, bytes);
      expect([put.status, await put.json()]).toEqual([200, { path: 'data/in.bin', bytes: 300_000 }]);
      await run("require('node:fs').copyFileSync('data/in.bin', 'out.bin'); 1");
      expect(Buffer.from(await (await ask('GET', `/sessions/${sessionId}/files/out.bin`)).arrayBuffer()).equals(bytes)).toBe(true);
      const list = (await (await ask('GET', `/sessions/${sessionId}/files`)).json()) as { items: unknown[] };
      expect(list.items).toEqual([
        { path: 'data/in.bin', bytes: 300_000 },
        { path: 'out.bin', bytes: 300_000 },
      ]);
      expect((await ask('PUT', `/sessions/${sessionId}/files/empty`, '')).status).toBe(200);
      expect(await (await ask('GET', `/sessions/${sessionId}/files/empty`)).text()).toBe('');
    }));

  test('that are too large are refused, and leave nothing', () =>
    inSession('python', async (run, sessionId) => {
      await run('1');
      expect((await ask('PUT', `/sessions/${sessionId}/files/big`, Buffer.alloc((64 << 20) + 1))).status).toBe(413);
      expect((await ask('PUT', `/sessions/${sessionId}/files/one`, Buffer.alloc(60 << 20))).status).toBe(200);
      expect((await ask('PUT', `/sessions/${sessionId}/files/two`, Buffer.alloc(60 << 20))).status).toBe(200);
      expect(await codeOf(await ask('PUT', `/sessions/${sessionId}/files/three`, Buffer.alloc(60 << 20)))).toBe('FILE_TOO_LARGE');
      expect((await run('import os\nsorted(n for n in os.listdir(".") if n not in ("servers", "main.py"))')).result).toEqual([
        'one',
        'two',
      ]);
    }));
});
