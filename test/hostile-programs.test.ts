import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { ask } from './support/ask.ts';
import { type Answer, serviceForThisFile } from './support/service-suite.ts';
import { startService } from './support/start-service.ts';

/** What hostile programs come to over HTTP; what they try against the sandbox itself is `packages/sandbox/src/sandbox.testsuite.ts`. */
const asRoot = process.getuid?.() === 0;
const directory = mkdtempSync(join(tmpdir(), 'hostile-programs-'));
const callsFile = join(directory, 'calls.txt');
const serversFile = writeServers(directory);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe.skipIf(asRoot)('hostile programs over HTTP (not as root)', { timeout: 120_000 }, () => {
  const { service, dataDir, execute, typescript, python } = serviceForThisFile({ EXECUTOR_MCP_SERVERS: serversFile });

  test.each<[string, Record<string, unknown>, string, string]>([
    ['a heap of JavaScript', ts('const a = []; for (;;) a.push(new Array(1e5).fill(1))'), 'failed', 'MEMORY_LIMIT'],
    ['buffers', ts('const a = []; for (;;) a.push(Buffer.alloc(1 << 20, 1))'), 'failed', 'MEMORY_LIMIT'],
    ['one buffer of 3 GB', ts('return new Uint8Array(3e9).length'), 'failed', 'UNCAUGHT'],
    [
      'children',
      py(
        'import os, time\nfor _ in range(30):\n    if os.fork() == 0:\n        held = bytearray(b"x" * (40 << 20)); time.sleep(60)\ntime.sleep(60)',
      ),
      'failed',
      'MEMORY_LIMIT',
    ],
    [
      'files and a heap',
      py(
        'for n in range(2):\n    open(f"/workspace/{n}", "wb").write(bytes(60 << 20))\nheld = []\nwhile True: held.append(b"x" * (1 << 20))',
      ),
      'failed',
      'MEMORY_LIMIT',
    ],
    ['a fork bomb', py('import os\nwhile True:\n    try: os.fork()\n    except OSError: pass', 1_000), 'timed_out', 'TIMEOUT'],
    ['a flood', py('import os\nwhile True: os.write(1, b"\\xff" * 60000); os.write(2, b"b" * 60000)'), 'failed', 'OUTPUT_LIMIT'],
    ['Atomics.wait', ts('Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)', 500), 'timed_out', 'TIMEOUT'],
    ['SIGSTOP to itself', py('import os\nos.kill(os.getpid(), 19)', 500), 'timed_out', 'TIMEOUT'],
    ['SIGKILL to itself', py('import os\nos.kill(os.getpid(), 9)'), 'failed', 'SANDBOX_CRASHED'],
    [
      'a forged end of the service’s own',
      py(
        'import os\nb = b\'{"code":"WORKER_LOST","message":"forged"}\'\nos.write(3, len(b).to_bytes(4, "big") + b"\\6" + b)\nwhile True: pass',
      ),
      'failed',
      'UNCAUGHT',
    ],
    ['a frame of a gigabyte', py('import os\nos.write(3, b"\\x40\\0\\0\\0\\3")\nwhile True: pass'), 'failed', 'SANDBOX_CRASHED'],
    [
      'a result with an unpaired surrogate, forged',
      py('import os\nb = b\'"\\xed\\xa0\\x80"\'\nos.write(3, len(b).to_bytes(4, "big") + b"\\5" + b)\nwhile True: pass'),
      'failed',
      'RESULT_NOT_SERIALIZABLE',
    ],
  ])('%s ends with its true status, without effects, and the next program is answered', async (_, body, status, code) => {
    const answer = await execute(body);
    expect({ status: answer.status, code: answer.error?.code, effects: answer.effects }, answer.error?.message).toEqual({
      status,
      code,
      effects: 'none',
    });
    const stored = (await service().get(`/executions/${answer.executionId}`)).body as Answer;
    expect({ status: stored.status, code: stored.error?.code }).toEqual({ status, code });
    expect(await python('6 * 7')).toMatchObject({ status: 'succeeded', result: 42 });
  });

  test('nothing of the service can be found inside: not its key, its directory, its port, its processes', async () => {
    const { port } = new URL(service().url);
    const answer = await python(
      `
import os, socket
key, data = args["key"].encode(), args["data"].encode()
found = []
for base, folders, names in os.walk("/"):
    if base.startswith(("/usr", "/proc/sys", "/proc/irq", "/opt/runtimes")): folders[:] = []; continue
    for name in names:
        path = os.path.join(base, name)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            try: text = os.read(fd, 1 << 20)
            finally: os.close(fd)
        except OSError: continue
        if key in text: found.append(["key", path])
        if data in text and not path.endswith(("mountinfo", "main.py")): found.append(["data", path])
try: socket.create_connection(("127.0.0.1", ${port}), 2); found.append("port")
except OSError: pass
found`,
      // Sent in two halves: the program's own arguments lie in its memory.
      { args: { key: service().key.slice(4, 30), data: dataDir().slice(5) }, timeoutMs: 100_000 },
    );
    expect(answer.error).toBeNull();
    expect(answer.result).toEqual([]);
  });

  test('hostile arguments reach a tool as data or are refused with a code, and pollute nothing', async () => {
    const answer = await typescript(`
      const codes = {};
      const attempt = async (name, act) => { try { codes[name] = await act() } catch (error) { codes[name] = error.code ?? String(error) } };
      await attempt('proto', () => tools.echo.say({ text: 'x', ['__proto__']: { polluted: 1 } }));
      await attempt('own proto', () => tools.echo.say(JSON.parse('{"text":"x","__proto__":{"polluted":1}}')));
      await attempt('wrong type', () => tools.echo.say({ text: 5 }));
      await attempt('unknown', () => tools.echo.say({ text: 'x', evil: 1 }));
      await attempt('array', () => tools.echo.say(['x']));
      await attempt('too large', () => tools.echo.say({ text: 'x'.repeat(2e6) }));
      await attempt('surrogate', () => tools.echo.say({ text: 'a\\ud800' }));
      let deep = {}; for (let i = 0; i < 900; i++) deep = { deep };
      await attempt('deep', () => tools.echo.say({ text: 'x', deep }));
      for (const name of ['constructor', '__proto__', '../../x', 'toString', '', 'say\\u0000', 'x'.repeat(400)]) await attempt('tool ' + name.slice(0, 12), () => tools.echo[name]({}));
      await attempt('server', () => tools['../../etc'].passwd({}));
      return codes;`);
    expect(answer.error).toBeNull();
    const codes = answer.result as Record<string, unknown>;
    const { surrogate, ...refused } = codes;
    expect(refused).toMatchObject({
      'own proto': 'INVALID_ARGUMENTS',
      'wrong type': 'INVALID_ARGUMENTS',
      unknown: 'INVALID_ARGUMENTS',
      array: 'INVALID_ARGUMENTS',
      'too large': 'ARGUMENTS_TOO_LARGE',
    });
    for (const [name, code] of Object.entries(refused)) {
      if (name === 'proto') continue; // A literal of that name is data where it is computed: refused, or the tool's plain answer.
      expect(JSON.stringify(code), name).toMatch(
        /INVALID_ARGUMENTS|ARGUMENTS_TOO_LARGE|TOOL_NOT_FOUND|SERVER_NOT_FOUND|not a function|undefined/,
      );
    }
    expect(surrogate).toBeDefined();
    expect(await python('1')).toMatchObject({ result: 1 });
  });

  test('a forged result with line feeds, and between them what looks like a record, stays in the one line of its own execution', async () => {
    const forged = '{"executionId":"exe_of_nobody","status":"succeeded"}';
    const bytes = `[\\n${forged}\\r\\n,1]`;
    const answer = await python(`import os\nb = b'${bytes}'\nos.write(3, len(b).to_bytes(4, "big") + b"\\5" + b)\nwhile True: pass`);
    expect(answer).toMatchObject({ status: 'succeeded', result: [JSON.parse(forged), 1] });
    const { text } = await ask(service(), 'GET', '/executions/export');
    const lines = text.split(/[\r\n]/).filter(Boolean);
    const records = lines.map((line) => JSON.parse(line) as { executionId: string; result: unknown });
    expect(records.filter(({ executionId }) => executionId === 'exe_of_nobody')).toEqual([]);
    expect(records.find(({ executionId }) => executionId === answer.executionId)?.result).toEqual(answer.result);
  });

  test('a dispatched call shows in the effects of a program that was killed', async () => {
    const answer = await python('import code_executor\ncode_executor.call("echo.say", {"text": "x"})\nwhile True: pass', {
      timeoutMs: 4_000,
    });
    expect(answer).toMatchObject({ status: 'timed_out', effects: 'some', toolCalls: [{ tool: 'echo.say', outcome: 'ok' }] });
    const lost = await python('import code_executor\ncode_executor.call("echo.hang", {"text": "x"})', { timeoutMs: 4_000 });
    expect(lost).toMatchObject({ status: 'timed_out', effects: 'unknown' });
  });

  test('health and a simple program are answered while two each of spinning, allocating, forking and flooding programs run', async () => {
    const stop = performance.now() + 6_000;
    const hostile = [
      ts('for (;;) {}', 3_000),
      py('held = []\nwhile True: held.append(bytearray(1 << 20))', 3_000),
      py('import os\nwhile True:\n    try:\n        if os.fork() == 0:\n            while True: pass\n    except OSError: pass', 3_000),
      ts("for (;;) console.log('x'.repeat(1000))", 3_000),
    ];
    const repeat = async (body: Record<string, unknown>): Promise<void> => {
      while (performance.now() < stop) await execute(body);
    };
    const load = [...hostile, ...hostile].map(repeat);
    await sleep(500);
    const [health, simple] = await Promise.all([
      durations(stop, () => service().get('/health')),
      durations(stop, () => typescript('return 2 + 2')),
    ]);
    await Promise.all(load);
    // The targets are 50 ms and 3 × idle + 10 ms (`npm run bench`); here only what no busy machine excuses.
    expect(quantile(health, 0.99)).toBeLessThan(500);
    expect(quantile(simple, 0.5)).toBeLessThan(1_000);
    expect(simple.length).toBeGreaterThan(10);
  });

  test('a program that left sixty processes leaves none: there are as many as before, those of the pool', async () => {
    const count = (): number => descendantsOf(service().pid).length;
    const before = await steady(count);
    const bomb = execute(py('import os\nwhile True:\n    try: os.fork()\n    except OSError: pass', 4_000));
    await expect.poll(count, { timeout: 15_000 }).toBeGreaterThan(before + 30);
    expect((await bomb).status).toBe('timed_out');
    await expect.poll(count, { timeout: 30_000 }).toBeLessThanOrEqual(before);
  });
});

describe.skipIf(asRoot)('kill -9 of the service (not as root)', { timeout: 180_000 }, () => {
  test('leaves no process and no mount; the next start on the directory tells the truth of what ran', async () => {
    const data = join(directory, 'killed');
    mkdirSync(data);
    const first = await startService(data, { EXECUTOR_MCP_SERVERS: serversFile });
    const before = listing(data);
    const start = async (body: Record<string, unknown>): Promise<string> =>
      ((await first.post('/execute', { ...body, wait: false })).body as Answer).executionId;
    const spin = 'while True: pass';
    const pure = await start(py(`import os\nfor _ in range(4): os.fork()\n${spin}`));
    const called = await start(py(`import code_executor\ncode_executor.call("echo.say", {"text": "killed"})\n${spin}`, 60_000));
    const hanging = await start(py('import code_executor\ncode_executor.call("echo.hang", {"text": "killed"})', 60_000));
    await expect
      .poll(
        () =>
          readFileSync(callsFile, 'utf8')
            .match(/killed \w+/g)
            ?.sort(),
        { timeout: 30_000 },
      )
      .toEqual(['killed hang', 'killed say']);
    await expect.poll(() => descendantsOf(first.pid).length, { timeout: 30_000 }).toBeGreaterThan(20);
    // The answer of `say` is on its way to the journal.
    await sleep(1_000);
    const processes = descendantsOf(first.pid);
    process.kill(first.pid, 'SIGKILL');
    await expect.poll(() => processes.filter(isAlive), { timeout: 10_000 }).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(data);

    const second = await startService(data, { EXECUTOR_MCP_SERVERS: serversFile });
    try {
      const ended = async (id: string): Promise<Answer> => (await second.get(`/executions/${id}`)).body as Answer;
      for (const [id, effects] of [
        [pure, 'none'],
        [called, 'some'],
        [hanging, 'unknown'],
      ] as const) {
        expect(await ended(id), effects).toMatchObject({ status: 'failed', error: { code: 'WORKER_LOST' }, effects });
      }
      expect((await second.post('/execute', py('6 * 7'))).body).toMatchObject({ status: 'succeeded', result: 42 });
      expect(listing(data)).toEqual(before);
    } finally {
      const left = descendantsOf(second.pid);
      await second.stop();
      await expect.poll(() => left.filter(isAlive), { timeout: 10_000 }).toEqual([]);
    }
  });
});

/** The time is long where the end comes of something else: a busy machine gives a hostile program little of it. */
function ts(code: string, timeoutMs = 60_000): Record<string, unknown> {
  return { language: 'typescript', code, timeoutMs };
}

function py(code: string, timeoutMs = 60_000): Record<string, unknown> {
  return { language: 'python', code, timeoutMs };
}

async function durations(stop: number, act: () => Promise<unknown>): Promise<number[]> {
  const measured: number[] = [];
  while (performance.now() < stop) {
    const before = performance.now();
    await act();
    measured.push(performance.now() - before);
    await sleep(20);
  }
  return measured;
}

function quantile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(part * (values.length - 1))] ?? 0;
}

/** The value once it has not changed for three seconds: until then the pool may be filling up. */
async function steady(look: () => number): Promise<number> {
  let seen = look();
  for (let same = 0; same < 30; ) {
    await sleep(100);
    same = look() === seen ? same + 1 : 0;
    seen = look();
  }
  return seen;
}

function descendantsOf(pid: number): number[] {
  const parents = new Map(
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((name) => [Number(name), Number(/\) \S (\d+)/.exec(textOf(`/proc/${name}/stat`))?.[1] ?? 0)]),
  );
  const below = (each: number): boolean => each > 1 && (each === pid || below(parents.get(each) ?? 0));
  return [...parents.keys()].filter((each) => each !== pid && below(each));
}

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`) && !/^State:\s+[ZX]/m.test(textOf(`/proc/${pid}/status`));

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // Gone meanwhile.
  }
}

/** The data directory without what a database and a log write for themselves. */
function listing(data: string): string[] {
  return readdirSync(data, { recursive: true })
    .map(String)
    .filter((path) => !/^(?:database|pglite|pgdata|postgres)|service\.log/.test(path))
    .sort();
}

/** A server of our own: `say` answers, `hang` never does. Both may write, for all the operator has said. */
function writeServers(into: string): string {
  const program = join(into, 'echo-server.mjs');
  writeFileSync(
    program,
    `import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
const inputSchema = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'], additionalProperties: false };
const answers = {
  initialize: ({ protocolVersion }) => ({ protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'echo', version: '1' } }),
  'tools/list': () => ({ tools: ['say', 'hang'].map((name) => ({ name, description: name, inputSchema })) }),
  'tools/call': ({ name, arguments: { text } }) => {
    appendFileSync(process.argv[2], text.slice(0, 100) + ' ' + name + '\\n');
    return name === 'hang' ? null : { content: [{ type: 'text', text }] };
  },
  ping: () => ({}),
};
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  const result = id === undefined ? null : answers[method]?.(params);
  if (result) process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result }) + '\\n');
});
`,
  );
  writeFileSync(callsFile, '');
  const file = join(into, 'mcp-servers.json');
  writeFileSync(file, JSON.stringify({ mcpServers: { echo: { command: process.execPath, args: [program, callsFile], trust: true } } }));
  return file;
}
