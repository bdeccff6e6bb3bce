import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { openDescriptors, tree } from '../bench/memory.ts';
import { ask, type Reply } from './support/ask.ts';
import { survivors } from './support/processes.ts';
import { recorded, recordingServer } from './support/recording-entry.ts';
import { type Answer, serviceForThisFile } from './support/service-suite.ts';
import { type Service, startService } from './support/start-service.ts';

const directory = mkdtempSync(join(tmpdir(), 'promises-'));
const serversFile = join(directory, 'mcp-servers.json');
const notes = join(directory, 'notes.txt');
writeFileSync(notes, '');
writeFileSync(serversFile, JSON.stringify({ mcpServers: { notes: recordingServer(notes, { readOnlyTools: ['count_notes'] }) } }));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const { service, execute, typescript } = serviceForThisFile({ EXECUTOR_MCP_SERVERS: serversFile });

const language = 'typescript';
const answerOf = (reply: Reply): Answer => reply.json() as Answer;
const read = async (of: Service, id: string): Promise<Answer> => (await of.get(`/executions/${id}`)).body as Answer;

/** Accepts it without waiting for its end. */
async function begin(of: Service, code: string, headers: Record<string, string> = {}): Promise<string> {
  const reply = await ask(of, 'POST', '/execute', { headers, body: { language, code, wait: false } });
  expect(reply.status, reply.text).toBe(202);
  return answerOf(reply).executionId;
}

async function untilEnded(of: Service, id: string): Promise<Answer> {
  await expect.poll(async () => (await read(of, id)).status, { timeout: 20_000 }).not.toMatch(/queued|running/);
  return await read(of, id);
}

const untilOutput = (of: Service, id: string, text: string) =>
  expect.poll(async () => (await read(of, id)).output, { timeout: 20_000 }).toContain(text);
const untilRecorded = (line: string) => expect.poll(() => recorded(notes), { timeout: 20_000 }).toContain(line);

describe('Idempotency-Key', () => {
  test('ten at once with the same key and body are one execution, and later ones too', async () => {
    const mark = randomUUID();
    const headers = { 'idempotency-key': randomUUID() };
    const body = { language, code: `await tools.notes.note({ text: '${mark}' });\nreturn Math.random()` };
    const send = () => ask(service(), 'POST', '/execute', { headers, body });
    const replies = await Promise.all(Array.from({ length: 10 }, send));
    replies.push(await send());
    for (const reply of replies) expect(reply.status, reply.text).toBe(200);
    const [first] = replies.map(answerOf);
    expect(first).toMatchObject({ status: 'succeeded', effects: 'some' });
    expect(new Set(replies.map((reply) => reply.text)).size).toBe(1);
    expect(replies.filter((reply) => reply.headers['idempotency-replayed'] === 'true')).toHaveLength(10);
    expect(recorded(notes).filter((line) => line === `note ${mark}`)).toHaveLength(1);
  });

  test('another body with it is refused and names what to do, the same body in another order is the same', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const first = await ask(service(), 'POST', '/execute', {
      headers,
      raw: '{"language":"typescript","code":"return 1","args":{"a":1,"b":2}}',
    });
    const same = await ask(service(), 'POST', '/execute', {
      headers,
      raw: '{ "args":{"b":2,"a":1},"code":"return 1","language":"typescript"}',
    });
    expect(answerOf(same).executionId).toBe(answerOf(first).executionId);
    const { total: before } = (await service().get('/executions')).body as { total: number };
    const other = await ask(service(), 'POST', '/execute', { headers, body: { language, code: 'return 2' } });
    expect(other.status).toBe(409);
    expect(other.json()).toMatchObject({ error: { code: 'IDEMPOTENCY_CONFLICT', message: expect.stringMatching(/Take a new key/) } });
    expect((await service().get('/executions')).body).toMatchObject({ total: before });
  });
});

test('a client that hangs up does not stop its program', async () => {
  const mark = randomUUID();
  const gone = new AbortController();
  const body = { language, code: `console.log('${mark}');\nawait new Promise((r) => setTimeout(r, 2_000));\nreturn 'went on'` };
  const asked = ask(service(), 'POST', '/execute', { body, signal: gone.signal });
  const running = async () =>
    (await service().get('/executions?status=running')).body as { items: { executionId: string }[]; total: number };
  await expect.poll(async () => (await running()).total).toBe(1);
  const { items } = await running();
  gone.abort();
  await expect(asked).rejects.toThrow();
  const answer = await untilEnded(service(), items[0]?.executionId ?? '');
  expect(answer).toMatchObject({ status: 'succeeded', result: 'went on', output: `${mark}\n` });
});

test('wait: false answers 202 at once with where to look', async () => {
  const started = performance.now();
  const reply = await ask(service(), 'POST', '/execute', {
    body: { language, code: 'await new Promise((r) => setTimeout(r, 3_000));\nreturn 42', wait: false },
  });
  expect(performance.now() - started).toBeLessThan(2_500);
  expect(reply.status).toBe(202);
  const { executionId } = answerOf(reply);
  expect(reply.headers.location).toBe(`/executions/${executionId}`);
  expect((await read(service(), executionId)).status).toMatch(/queued|running/);
  expect(await untilEnded(service(), executionId)).toMatchObject({ status: 'succeeded', result: 42 });
});

describe('cancelling', () => {
  const cancel = (of: Service, id: string) => ask(of, 'POST', `/executions/${id}/cancel`);
  const wait = 'await new Promise((r) => setTimeout(r, 60_000));';

  test.each<[string, string, string]>([
    ['no call', '', 'none'],
    ['a call that only reads', 'await tools.notes.count_notes({});', 'none'],
    ['a call that was answered', "await tools.notes.note({ text: 'cancelled later' });", 'some'],
  ])('a running program with %s keeps its output and tells its effects', async (_, call, effects) => {
    const id = await begin(service(), `${call}\nconsole.log('one');\n${wait}\nconsole.log('never')`);
    await untilOutput(service(), id, 'one');
    const reply = await cancel(service(), id);
    expect(reply.status, reply.text).toBe(200);
    expect(answerOf(reply)).toMatchObject({ status: 'cancelled', output: 'one\n', effects, error: { code: 'CANCELLED' } });
    expect(await read(service(), id)).toMatchObject({ status: 'cancelled', output: 'one\n', effects });
    expect((await cancel(service(), id)).json()).toMatchObject({ error: { code: 'EXECUTION_ENDED' } });
  });

  test('a program in the middle of a call does not know what became of it', async () => {
    const id = await begin(service(), "await tools.notes.slow_note({ text: 'cut', ms: 60_000 })");
    await untilRecorded('begin cut');
    expect(answerOf(await cancel(service(), id))).toMatchObject({
      status: 'cancelled',
      effects: 'unknown',
      toolCalls: [{ tool: 'notes.slow_note', outcome: 'CALL_ABORTED' }],
    });
  });

  test('who waits for a program that is cancelled is told', async () => {
    const waiting = typescript(`console.log('here');\n${wait}`);
    await expect.poll(async () => ((await service().get('/executions?status=running')).body as { total: number }).total).toBe(1);
    const { items } = (await service().get('/executions?status=running')).body as { items: { executionId: string }[] };
    await untilOutput(service(), items[0]?.executionId ?? '', 'here');
    await cancel(service(), items[0]?.executionId ?? '');
    expect(await waiting).toMatchObject({ status: 'cancelled', output: 'here\n' });
  });
});

describe('with one worker and room for two that wait', () => {
  const small = { EXECUTOR_QUEUE_LIMIT: '2', EXECUTOR_CONCURRENCY: '1', EXECUTOR_POOL_TYPESCRIPT: '2', EXECUTOR_POOL_PYTHON: '0' };
  const own = serviceForThisFile(small);

  test('more are refused with when to come back, and everything accepted finishes', async () => {
    const body = { language, code: 'await new Promise((r) => setTimeout(r, 1_500));\nreturn args.n' };
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        ask(own.service(), 'POST', '/execute', { body: { ...body, args: { n } } }).then((reply) => ({ n, reply })),
      ),
    );
    const accepted = replies.filter(({ reply }) => reply.status === 200);
    const refused = replies.filter(({ reply }) => reply.status !== 200);
    expect(accepted).toHaveLength(3);
    for (const { n, reply } of accepted) expect(answerOf(reply)).toMatchObject({ status: 'succeeded', result: n });
    for (const { reply } of refused) {
      expect(reply.status).toBe(503);
      expect(reply.json()).toMatchObject({
        error: { code: 'QUEUE_FULL', message: expect.stringMatching(/2 executions are waiting already\. Try again in \d+ s/) },
      });
      expect(Number(reply.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    }
    expect((await own.service().get('/executions')).body).toMatchObject({ total: 3 });
  });

  test('a queued program that is cancelled never starts', async () => {
    const running = await begin(own.service(), "console.log('runs');\nawait new Promise((r) => setTimeout(r, 60_000))");
    const queued = await begin(own.service(), "console.log('never')");
    expect(await read(own.service(), queued)).toMatchObject({ status: 'queued', effects: 'not_started' });
    const reply = await ask(own.service(), 'POST', `/executions/${queued}/cancel`);
    expect(answerOf(reply)).toMatchObject({ status: 'cancelled', output: '', effects: 'not_started', error: { code: 'CANCELLED' } });
    await ask(own.service(), 'POST', `/executions/${running}/cancel`);
    expect(await own.typescript('return 1')).toMatchObject({ status: 'succeeded', result: 1 });
    expect(await read(own.service(), queued)).toMatchObject({ status: 'cancelled', output: '' });
  });
});

describe('when the service dies', () => {
  const environment = {
    EXECUTOR_MCP_SERVERS: serversFile,
    EXECUTOR_CONCURRENCY: '4',
    EXECUTOR_POOL_TYPESCRIPT: '2',
    EXECUTOR_POOL_PYTHON: '1',
  };
  const linger = 'await new Promise((r) => setTimeout(r, 60_000));';

  test('kill -9: what waited runs, what ran is told truthfully, nothing is lost or called twice, no process is left', async () => {
    const dataDir = join(directory, 'killed');
    mkdirSync(dataDir);
    let own = await startService(dataDir, environment);
    try {
      const done = await begin(own, "console.log('kept'); return { kept: true }");
      const before = await untilEnded(own, done);
      const plain = await begin(own, `console.log('begun');\n${linger}`);
      const reading = await begin(own, `await tools.notes.count_notes({});\nconsole.log('begun');\n${linger}`);
      const wrote = await begin(own, `await tools.notes.note({ text: 'before the kill' });\nconsole.log('begun');\n${linger}`);
      const writing = await begin(own, "await tools.notes.slow_note({ text: 'the kill', ms: 60_000 })");
      const key = { 'idempotency-key': 'survives' };
      const queued = [
        await begin(own, 'return 1', key),
        await begin(own, 'return 2'),
        await begin(own, "await tools.notes.note({ text: 'after' }); return 3"),
      ];
      for (const id of [plain, reading, wrote]) await untilOutput(own, id, 'begun');
      await untilRecorded('begin the kill');
      const waiting = ask(own, 'POST', '/execute', { headers: { 'idempotency-key': 'waits' }, body: { language, code: 'return 4' } });
      await expect.poll(async () => ((await own.get('/health')).body as { queue: { queued: number } }).queue.queued).toBe(4);

      const processes = tree(own.pid);
      expect(processes.length).toBeGreaterThan(5);
      const hungUp = expect(waiting).rejects.toThrow();
      await own.stop('SIGKILL');
      await hungUp;
      expect(await survivors(processes, 20_000)).toEqual([]);

      own = await startService(dataDir, environment);
      const lost = {
        status: 'failed',
        error: { code: 'WORKER_LOST', message: expect.stringMatching(/effects says whether it may be run again/) },
      };
      expect(await read(own, plain)).toMatchObject({ ...lost, effects: 'none' });
      expect(await read(own, reading)).toMatchObject({ ...lost, effects: 'none' });
      expect(await read(own, wrote)).toMatchObject({ ...lost, effects: 'some' });
      expect(await read(own, writing)).toMatchObject({ ...lost, effects: 'unknown' });
      for (const [index, id] of queued.entries())
        expect(await untilEnded(own, id)).toMatchObject({ status: 'succeeded', result: index + 1 });
      const again = await ask(own, 'POST', '/execute', { headers: key, body: { language, code: 'return 1', wait: false } });
      expect(answerOf(again).executionId).toBe(queued[0]);
      const waited = await ask(own, 'POST', '/execute', { headers: { 'idempotency-key': 'waits' }, body: { language, code: 'return 4' } });
      expect(answerOf(waited)).toMatchObject({ status: 'succeeded', result: 4 });
      expect(await read(own, done)).toEqual(before);
      expect((await own.get('/executions')).body).toMatchObject({ total: 9 });
      for (const line of ['note before the kill', 'begin the kill', 'note after'])
        expect(recorded(notes).filter((one) => one === line)).toHaveLength(1);
      expect(recorded(notes)).not.toContain('end the kill');
    } finally {
      await own.stop();
    }
  }, 180_000);

  test('SIGTERM: short programs are answered, long ones end as lost with what they printed, and it is over within seconds', async () => {
    const dataDir = join(directory, 'stopped');
    mkdirSync(dataDir);
    let own = await startService(dataDir, environment);
    try {
      const long = await begin(own, `await tools.notes.note({ text: 'before the stop' });\nconsole.log('begun');\n${linger}`);
      const writing = await begin(own, "console.log('calls');\nawait tools.notes.slow_note({ text: 'the stop', ms: 60_000 })");
      await untilOutput(own, long, 'begun');
      await untilRecorded('begin the stop');
      const short = ask(own, 'POST', '/execute', {
        body: { language, code: "console.log('s');\nawait new Promise((r) => setTimeout(r, 1_500));\nreturn 'short'" },
      });
      await expect.poll(async () => ((await own.get('/executions?status=running')).body as { total: number }).total).toBe(3);

      const processes = tree(own.pid);
      const began = performance.now();
      const stopped = own.stop();
      expect(answerOf(await short)).toMatchObject({ status: 'succeeded', result: 'short' });
      await stopped;
      expect(performance.now() - began).toBeLessThan(20_000);
      expect(await survivors(processes, 10_000)).toEqual([]);

      own = await startService(dataDir, environment);
      const lost = {
        status: 'failed',
        error: { code: 'WORKER_LOST', message: expect.stringMatching(/was stopped while the program ran/) },
      };
      expect(await read(own, long)).toMatchObject({ ...lost, effects: 'some', output: 'begun\n' });
      expect(await read(own, writing)).toMatchObject({ ...lost, effects: 'unknown', output: 'calls\n' });
    } finally {
      await own.stop();
    }
  }, 180_000);

  test('SIGTERM while somebody waits for a long program: they are told where its end will be', async () => {
    const dataDir = join(directory, 'waited');
    mkdirSync(dataDir);
    let own = await startService(dataDir, environment);
    try {
      const waiting = ask(own, 'POST', '/execute', { body: { language, code: `console.log('begun');\n${linger}` } });
      await expect.poll(async () => ((await own.get('/executions?status=running')).body as { total: number }).total).toBe(1);
      const { items } = (await own.get('/executions')).body as { items: { executionId: string }[] };
      const id = items[0]?.executionId ?? '';
      await untilOutput(own, id, 'begun');
      const began = performance.now();
      const stopped = own.stop();
      const reply = await waiting;
      expect(reply.status).toBe(503);
      expect(reply.json()).toMatchObject({ error: { code: 'SHUTTING_DOWN', message: expect.stringContaining(`GET /executions/${id}`) } });
      await stopped;
      expect(performance.now() - began).toBeLessThan(20_000);
      own = await startService(dataDir, environment);
      expect(await read(own, id)).toMatchObject({ status: 'failed', output: 'begun\n', effects: 'none', error: { code: 'WORKER_LOST' } });
    } finally {
      await own.stop();
    }
  }, 180_000);
});

test('300 programs from 16 clients are all answered rightly and leave no process and no descriptor behind', async () => {
  const run = async (n: number): Promise<void> => {
    const isPython = n % 3 === 0;
    const code = isPython ? 'print(args["n"])\nargs["n"] * 2' : 'console.log(args.n);\nreturn args.n * 2';
    const answer = await execute({ language: isPython ? 'python' : language, code, args: { n }, timeoutMs: 120_000 });
    expect(answer).toMatchObject({ status: 'succeeded', result: n * 2, output: `${n}\n` });
  };
  const fromClients = async (count: number): Promise<void> => {
    let next = 0;
    const client = async (): Promise<void> => {
      while (next < count) await run(next++);
    };
    await Promise.all(Array.from({ length: 16 }, client));
  };
  const idle = async (): Promise<{ processes: number; descriptors: number }> => {
    let seen = { processes: -1, descriptors: -1 };
    // Three seconds without a change: until then the pool may be filling up.
    for (let steady = 0; steady < 30; ) {
      const now = { processes: tree(service().pid).length, descriptors: openDescriptors(service().pid) };
      steady = now.processes === seen.processes && now.descriptors === seen.descriptors ? steady + 1 : 0;
      seen = now;
      await sleep(100);
    }
    return seen;
  };
  await fromClients(48);
  const before = await idle();
  const { total } = (await service().get('/executions')).body as { total: number };
  await fromClients(300);
  const after = await idle();
  expect(after.processes).toBe(before.processes);
  // The database opens one more file now and then; what programs left would be hundreds.
  expect(after.descriptors).toBeLessThan(before.descriptors + 10);
  expect((await service().get('/executions')).body).toMatchObject({ total: total + 300 });
  expect((await service().get('/health')).body).toMatchObject({ queue: { queued: 0, running: 0 } });
}, 180_000);
