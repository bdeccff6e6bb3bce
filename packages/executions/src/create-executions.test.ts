import { type ExecuteRequest, type ExecutionEvent, newId, type Principal } from '@code-executor/contracts';
import type { Database } from '@code-executor/platform';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ExecutionEnded } from './end-execution.ts';
import type { ExecutionRecord } from './port.ts';
import { createTestExecutions, openTestDatabase, type TestExecutions } from './testing/open-test-executions.ts';

const alice: Principal = { id: 'key_alice', workspaceId: 'wsp_default', role: 'agent' };
const bob: Principal = { id: 'key_bob', workspaceId: 'wsp_default', role: 'agent' };
const operator: Principal = { id: 'key_operator', workspaceId: 'wsp_default', role: 'operator' };
const foreign: Principal = { id: 'key_foreign', workspaceId: 'wsp_other', role: 'admin' };

let database: Awaited<ReturnType<typeof openTestDatabase>>;
let db: Database;
let main: TestExecutions;

beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
  main = createTestExecutions(db);
  await main.executions.start();
});

afterAll(async () => {
  await main.executions.close({ graceMs: 0 });
  await database.remove();
});

const never = new AbortController().signal;

async function submit(code: string, fields: Partial<ExecuteRequest> = {}, principal = alice, key?: string, target = main) {
  return await target.executions.submit(
    principal,
    { code, language: 'typescript', ...fields },
    { requestId: 'req_test', idempotencyKey: key },
  );
}

async function run(code: string, fields: Partial<ExecuteRequest> = {}, principal = alice, target = main): Promise<ExecutionRecord> {
  const { executionId } = await submit(code, fields, principal, undefined, target);
  return await target.executions.wait(principal, executionId, never);
}

async function collect(events: AsyncIterable<ExecutionEvent>): Promise<ExecutionEvent[]> {
  const all: ExecutionEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const rows = async (): Promise<number> => {
  const { count } = await db
    .query<{ executions: { id: string } }>()
    .selectFrom('executions')
    .select(({ fn }) => fn.countAll().as('count'))
    .executeTakeFirstOrThrow();
  return Number(count);
};

describe('an execution', () => {
  test('is answered with its output and result, and reads the same from the database', async () => {
    const record = await run('echo hello; echo "result {\\"n\\":12345678901234567890}" >&3');
    expect(record).toMatchObject({
      status: 'succeeded',
      output: 'hello\n',
      resultJson: '{"n":12345678901234567890}',
      error: null,
      effects: 'none',
      toolCalls: [],
      language: 'typescript',
      metrics: { outputBytes: 6, outputTokens: 2, warm: false },
    });
    expect(record.metrics.totalMs).toBeGreaterThanOrEqual(record.executionTime);
    expect(await main.executions.get(alice, record.executionId)).toEqual(record);
  });

  test('keeps NUL, the escape character itself and other unicode in its output', async () => {
    const record = await run("printf 'a\\000b\\020c\\0200 \\342\\234\\223\\n'");
    expect(record.output).toBe('a\u0000b\u0010c\u00100 ✓\n');
    expect(await main.executions.get(alice, record.executionId)).toEqual(record);
  });

  test('keeps a result of 6 MB to the last character', async () => {
    const { resultJson, executionId } = await run(
      `(printf 'result "'; head -c 5000000 /dev/zero | tr '\\0' x; i=0; while [ $i -lt 50000 ]; do printf '😀1234567890'; i=$((i+1)); done; echo '"') >&3`,
    );
    expect(resultJson).toHaveLength(5_000_000 + 600_000 + 2);
    expect((await main.executions.get(alice, executionId)).resultJson).toBe(resultJson);
  });

  test('that does not parse ends as failed, without a sandbox and not started', async () => {
    const before = main.runtime.counts.claimed;
    const record = await run('#!broken');
    expect(record).toMatchObject({ status: 'failed', effects: 'not_started', error: { code: 'SYNTAX_ERROR', line: 1 } });
    expect(main.runtime.counts.claimed).toBe(before);
  });

  test('that runs too long keeps what it printed', async () => {
    const record = await run('echo early; sleep 20', { timeoutMs: 1_500 });
    expect(record).toMatchObject({ status: 'timed_out', output: 'early\n', error: { code: 'TIMEOUT' } });
  });

  test('sums up its tool calls in the order they were issued, and what they may have changed', async () => {
    const record = await run('for t in read write fail; do echo "call $t" >&3; read reply; echo "$reply"; done');
    expect(record.toolCalls.map(({ tool, outcome }) => [tool, outcome])).toEqual([
      ['read', 'ok'],
      ['write', 'ok'],
      ['fail', 'TOOL_FAILED'],
    ]);
    expect(record.effects).toBe('some');
  });

  test('that ends while a call is under way has unknown effects', async () => {
    const record = await run('echo "call write" >&3; read reply; echo "call hang" >&3; sleep 0.1');
    expect(record.effects).toBe('unknown');
    expect(record.toolCalls.map(({ tool, outcome }) => [tool, outcome])).toEqual([
      ['write', 'ok'],
      ['hang', 'CALL_ABORTED'],
    ]);
  });

  test('without a sandbox to be had ends truthfully', async () => {
    const target = createTestExecutions(db, {
      runtime: {
        pool: {
          claim: async () => {
            const { AppError } = await import('@code-executor/platform');
            throw new AppError('SANDBOX_UNAVAILABLE', 'User namespaces are off.');
          },
        },
      },
    });
    await target.executions.start();
    const record = await run('echo hi', {}, alice, target);
    expect(record).toMatchObject({
      status: 'failed',
      effects: 'not_started',
      error: { code: 'SANDBOX_UNAVAILABLE', message: 'User namespaces are off.' },
    });
    await target.executions.close();
  });

  test('is told about once, with its numbers', async () => {
    const events: ExecutionEnded[] = [];
    const unsubscribe = main.executions.onExecutionEnded((event) => events.push(event));
    const { executionId } = await run('echo "result 4" >&3');
    await expect.poll(() => events).toHaveLength(1);
    unsubscribe();
    expect(events[0]).toMatchObject({
      executionId,
      requestId: 'req_test',
      status: 'succeeded',
      errorCode: null,
      resultBytes: 1,
      toolCalls: 0,
    });
  });

  test('leaves no sandbox behind', () => {
    expect(main.runtime.counts.killed).toBe(main.runtime.counts.claimed);
  });
});

describe('submitting', () => {
  test.each([
    ['a language there is no runtime for', { language: 'cobol' }, 'UNSUPPORTED_LANGUAGE'],
    ['code over 256 KB', { code: 'x'.repeat(256 * 1024 + 1) }, 'CODE_TOO_LARGE'],
    ['code with NUL', { code: 'a\u0000b' }, 'INVALID_REQUEST'],
    ['code with half a surrogate pair', { code: 'a\ud800b' }, 'INVALID_REQUEST'],
    ['a timeout of 0', { timeoutMs: 0 }, 'INVALID_REQUEST'],
    ['a timeout of 1.5', { timeoutMs: 1.5 }, 'INVALID_REQUEST'],
    ['a timeout over the maximum', { timeoutMs: 300_001 }, 'INVALID_REQUEST'],
    ['a file outside of /workspace', { files: { '../x': '' } }, 'INVALID_REQUEST'],
    ['an absolute file', { files: { '/etc/x': '' } }, 'INVALID_REQUEST'],
    ['a file in place of a wrapper', { files: { 'servers/fs/x.ts': '' } }, 'INVALID_REQUEST'],
    ['a file that is a folder too', { files: { 'a/b': '', a: '' } }, 'INVALID_REQUEST'],
    ['files that differ in case only', { files: { 'a/b.ts': '', 'a/B.ts': '' } }, 'INVALID_REQUEST'],
    ['a session', { sessionId: 's' }, 'INVALID_REQUEST'],
  ] satisfies [string, Partial<ExecuteRequest>, string][])('%s is refused and nothing is written', async (_title, fields, code) => {
    const before = await rows();
    await expect(submit('echo', fields)).rejects.toMatchObject({ code });
    expect(await rows()).toBe(before);
    expect(main.executions.depth()).toEqual({ queued: 0, running: 0 });
  });

  test('into a full queue is refused with the time to come back, and nothing is written', async () => {
    const target = createTestExecutions(db, { concurrency: 1, maximumDepth: 1 });
    await target.executions.start();
    const first = await submit('sleep 20', {}, alice, undefined, target);
    const second = await submit('echo second', {}, alice, 'full-queue', target);
    const before = await rows();
    await expect(submit('echo third', {}, alice, undefined, target)).rejects.toMatchObject({
      code: 'QUEUE_FULL',
      details: { retryAfterSeconds: expect.any(Number) },
    });
    expect(await rows()).toBe(before);
    expect(await submit('echo second', {}, alice, 'full-queue', target)).toEqual({ executionId: second.executionId, replayed: true });
    await target.executions.cancel(alice, first.executionId);
    expect(await target.executions.wait(alice, second.executionId, never)).toMatchObject({ status: 'succeeded', output: 'second\n' });
    await target.executions.close();
  });

  test('after the service began to stop is refused', async () => {
    const target = createTestExecutions(db);
    await target.executions.start();
    await target.executions.close();
    await expect(submit('echo', {}, alice, undefined, target)).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
  });
});

describe('an Idempotency-Key', () => {
  test('gives concurrent duplicates one execution, whatever the order of their fields', async () => {
    const before = await rows();
    const answers = await Promise.all([
      submit('echo once', { timeoutMs: 5_000, args: { a: 1, b: { c: 2, d: 3 } } }, alice, 'key-1'),
      submit('echo once', { args: { b: { d: 3, c: 2 }, a: 1 }, timeoutMs: 5_000 }, alice, 'key-1'),
      submit('echo once', { timeoutMs: 5_000, args: { a: 1, b: { c: 2, d: 3 } } }, alice, 'key-1'),
    ]);
    expect(new Set(answers.map(({ executionId }) => executionId)).size).toBe(1);
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(await rows()).toBe(before + 1);
    const records = await Promise.all(answers.map(({ executionId }) => main.executions.wait(alice, executionId, never)));
    expect(new Set(records).size).toBe(1);
  });

  test('with another body is a conflict, and another principal may use the same one', async () => {
    const { executionId } = await submit('echo one', {}, alice, 'key-2');
    await expect(submit('echo two', {}, alice, 'key-2')).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    const other = await submit('echo two', {}, bob, 'key-2');
    expect(other).toMatchObject({ replayed: false });
    expect(other.executionId).not.toBe(executionId);
  });

  test('is forgotten after 24 hours', async () => {
    let now = Date.now();
    const target = createTestExecutions(db, { now: () => now });
    await target.executions.start();
    const { executionId } = await submit('echo', {}, alice, 'key-3', target);
    now += 24 * 60 * 60 * 1000 - 1_000;
    expect(await submit('echo', {}, alice, 'key-3', target)).toEqual({ executionId, replayed: true });
    now += 2_000;
    expect(await submit('echo', {}, alice, 'key-3', target)).toMatchObject({ replayed: false });
    await target.executions.close();
  });

  test.each(['', 'a b', 'ü', 'x'.repeat(256)])('%j is refused', async (key) => {
    await expect(submit('echo', {}, alice, key)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });
});

describe('who sees what', () => {
  test("another agent's and another workspace's execution answers like one that never was", async () => {
    const { executionId } = await run('echo secret');
    const unknown = newId('exe');
    for (const [principal, id] of [
      [bob, executionId],
      [foreign, executionId],
      [alice, unknown],
      [alice, "x' or 1=1"],
    ] as const) {
      const error = { code: 'EXECUTION_NOT_FOUND', message: `There is no execution ${id}.` };
      await expect(main.executions.get(principal, id)).rejects.toMatchObject(error);
      await expect(main.executions.wait(principal, id, never)).rejects.toMatchObject(error);
      await expect(main.executions.cancel(principal, id)).rejects.toMatchObject(error);
      await expect(main.executions.events(principal, id, 0, never)).rejects.toMatchObject(error);
    }
    expect(await main.executions.get(operator, executionId)).toMatchObject({ output: 'secret\n' });
  });

  test('a running execution of somebody else is as invisible as an ended one', async () => {
    const { executionId } = await submit('sleep 20');
    await expect(main.executions.get(bob, executionId)).rejects.toMatchObject({ code: 'EXECUTION_NOT_FOUND' });
    await expect(main.executions.cancel(bob, executionId)).rejects.toMatchObject({ code: 'EXECUTION_NOT_FOUND' });
    expect(await main.executions.cancel(operator, executionId)).toMatchObject({ status: 'cancelled' });
  });

  test('the history is newest first, paged without a gap, and each sees their own', async () => {
    const carol: Principal = { id: 'key_carol', workspaceId: 'wsp_paging', role: 'agent' };
    const dave: Principal = { id: 'key_dave', workspaceId: 'wsp_paging', role: 'agent' };
    const ids: string[] = [];
    for (const principal of [carol, dave, carol, dave, carol]) ids.push((await run('echo x', {}, principal)).executionId);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await main.executions.list({ ...carol, role: 'operator' }, { limit: 2, cursor });
      expect(page.total).toBe(5);
      seen.push(...page.items.map(({ executionId }) => executionId));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(new Set(seen)).toEqual(new Set(ids));
    expect(seen).toHaveLength(5);
    expect((await main.executions.list(carol, { limit: 10 })).items).toHaveLength(3);
    expect(await main.executions.list(carol, { limit: 10, status: 'failed' })).toEqual({ items: [], total: 0, nextCursor: null });
    await expect(main.executions.list(carol, { limit: 10, cursor: 'nonsense' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });
});

describe('cancelling', () => {
  test('a running program kills it and keeps what it printed', async () => {
    const { executionId } = await submit('echo early; sleep 20; echo late');
    const events = await main.executions.events(alice, executionId, 0, never);
    for await (const event of events) if (event.type === 'output') break;
    const startedAt = performance.now();
    const record = await main.executions.cancel(alice, executionId);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(record).toMatchObject({ status: 'cancelled', output: 'early\n', error: { code: 'CANCELLED' }, effects: 'none' });
    await expect(main.executions.cancel(alice, executionId)).rejects.toMatchObject({ code: 'EXECUTION_ENDED' });
  });

  test('a waiting one ends it at once, and it never runs', async () => {
    const target = createTestExecutions(db, { concurrency: 1 });
    await target.executions.start();
    const first = await submit('sleep 2', {}, alice, undefined, target);
    const second = await submit('echo ran', {}, alice, undefined, target);
    expect(await target.executions.get(alice, second.executionId)).toMatchObject({ status: 'queued', effects: 'not_started' });
    const record = await target.executions.cancel(alice, second.executionId);
    expect(record).toMatchObject({ status: 'cancelled', output: '', effects: 'not_started' });
    await target.executions.wait(alice, first.executionId, never);
    expect(target.runtime.counts.claimed).toBe(1);
    await target.executions.close();
  });

  test('the waiting of a client does not stop the execution', async () => {
    const { executionId } = await submit('sleep 0.2; echo done');
    const waiting = new AbortController();
    const answer = main.executions.wait(alice, executionId, waiting.signal);
    waiting.abort();
    await expect(answer).rejects.toThrow();
    expect(await main.executions.wait(alice, executionId, never)).toMatchObject({ status: 'succeeded', output: 'done\n' });
  });
});

test('a service that stops ends what still runs as lost, with its output, and leaves what waits for the next start', async () => {
  const target = createTestExecutions(db, { concurrency: 1 });
  await target.executions.start();
  const running = await submit('echo early; sleep 20', {}, alice, undefined, target);
  const waiting = await submit('echo later', {}, alice, undefined, target);
  const record = target.executions.wait(alice, running.executionId, never);
  for await (const event of await target.executions.events(alice, running.executionId, 0, never)) if (event.type === 'output') break;
  await target.executions.close({ graceMs: 0 });
  expect(await record).toMatchObject({ status: 'failed', error: { code: 'WORKER_LOST' }, output: 'early\n', effects: 'none' });

  const next = createTestExecutions(db);
  expect(await next.executions.start()).toMatchObject({ lost: 0, queuedAgain: 1 });
  expect(await next.executions.wait(alice, waiting.executionId, never)).toMatchObject({ status: 'succeeded', output: 'later\n' });
  await next.executions.close();
});

describe('the events', () => {
  test('arrive line by line while the program runs, and are the same after its end', async () => {
    const { executionId } = await submit(
      'for i in 1 2 3; do echo "line $i"; sleep 0.05; done; sleep 2; echo "call read" >&3; read r; printf end',
    );
    const live: ExecutionEvent[] = [];
    const statusesSeen: string[] = [];
    for await (const event of await main.executions.events(alice, executionId, 0, never)) {
      live.push(event);
      if (event.type === 'output') statusesSeen.push((await main.executions.get(alice, executionId)).status);
    }
    expect(live.map(({ id }) => id)).toEqual(live.map((_, index) => index + 1));
    expect(live.map((event) => (event.type === 'output' ? event.data.text : event.type))).toEqual([
      'status',
      'status',
      'line 1\n',
      'line 2\n',
      'line 3\n',
      'tool_call',
      'end',
      'ended',
    ]);
    expect(statusesSeen.slice(0, 3)).toEqual(['running', 'running', 'running']);
    expect(await collect(await main.executions.events(alice, executionId, 0, never))).toEqual(live);
    expect(await collect(await main.executions.events(alice, executionId, 4, never))).toEqual(live.slice(4));
    expect(await collect(await main.executions.events(alice, executionId, live.length, never))).toEqual([]);
  });

  test.each([-1, 1.5, Number.NaN, 1_000])('after %d are refused', async (afterId) => {
    const { executionId } = await run('echo');
    await expect(main.executions.events(alice, executionId, afterId, never)).rejects.toMatchObject({ code: 'INVALID_EVENT_ID' });
  });

  test('the end is told only when it can be read', async () => {
    const { executionId } = await submit('echo x');
    for await (const event of await main.executions.events(alice, executionId, 0, never)) {
      if (event.type === 'ended') expect(await main.executions.get(alice, executionId)).toMatchObject({ status: 'succeeded' });
    }
  });

  test('a follower that goes away is let go', async () => {
    const { executionId } = await submit('sleep 0.3');
    const leaving = new AbortController();
    const following = collect(await main.executions.events(alice, executionId, 0, leaving.signal));
    leaving.abort();
    expect((await following).length).toBeLessThanOrEqual(2);
    await main.executions.wait(alice, executionId, never);
  });
});
