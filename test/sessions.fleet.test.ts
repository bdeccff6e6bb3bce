import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger, type Database, openDatabase } from '@code-executor/platform';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ChaosFleet, openChaosFleet } from './chaos/chaos-fleet.ts';
import type { ServiceProcess } from './chaos/service-process.ts';
import { ask, makeKey } from './support/ask.ts';
import { dockerAnswers } from './support/containers.ts';

interface Answer {
  executionId: string;
  status: string;
  result: unknown;
  output: string;
  truncated: boolean;
  error: { code: string; message: string } | null;
  effects: string;
  approval: { id: string } | null;
}
interface Listed {
  sessionId: string;
  status: string;
  executions: number;
}

const answers = await dockerAnswers();
const POLL = { timeout: 30_000, interval: 100 };

describe.skipIf(!answers)(`sessions in the fleet${answers ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let fleet: ChaosFleet;
  let agent: string;
  let other: string;
  let db: Database;

  beforeAll(async () => {
    fleet = await openChaosFleet({ gateways: 2, workers: 2, proxies: 1 });
    db = await openDatabase({ url: fleet.postgres.url, directory: '', log: createLogger({ level: 'silent', service: 'test' }) });
    const service = { url: gateway(0), key: fleet.key } as Parameters<typeof makeKey>[0];
    agent = (await makeKey(service, 'agent')).key;
    other = (await makeKey(service, 'agent')).key;
    for (const key of [agent, other])
      await vi.waitFor(async () => expect((await call('GET', '/sessions', undefined, { at: 1, key })).status).toBe(200), POLL);
  }, 300_000);
  // A test that failed leaves its sessions to nobody else.
  afterEach(async () => {
    const { items } = (await call('GET', '/sessions')).body as { items: Listed[] };
    for (const { sessionId } of items) await end(sessionId);
  });
  afterAll(async () => {
    await db?.close();
    await fleet?.close();
  }, 60_000);

  const gateway = (number: number): string => fleet.gateways[number]?.url ?? '';
  const call = async (method: string, path: string, body?: unknown, { at = 0, key = agent } = {}) => {
    const answer = await ask({ url: gateway(at), key }, method, path, { key, body });
    return { status: answer.status, text: answer.text, body: answer.text === '' ? null : (answer.json() as unknown) };
  };
  /** Of a file: bytes in and out. */
  const file = (method: string, path: string, body?: Buffer | string, { at = 0, key = agent } = {}): Promise<Response> =>
    fetch(`${gateway(at)}${path}`, { method, headers: { authorization: `Bearer ${key}` }, ...(body === undefined ? {} : { body }) });
  const codeOf = async (answer: Response): Promise<string> => ((await answer.json()) as { error: { code: string } }).error.code;
  const run = async (sessionId: string, code: string, more: object = {}, options: { at?: number; key?: string } = {}): Promise<Answer> => {
    const answer = await call('POST', '/execute', { language: 'python', code, sessionId, ...more }, options);
    expect(answer.status, answer.text).toBe(200);
    return answer.body as Answer;
  };
  const end = (sessionId: string, options: { at?: number; key?: string } = {}) =>
    call('DELETE', `/sessions/${sessionId}`, undefined, options);
  const listed = async (sessionId: string, at = 0): Promise<Listed | undefined> =>
    ((await call('GET', '/sessions', undefined, { at })).body as { items: Listed[] }).items.find((each) => each.sessionId === sessionId);
  const untilStatus = (executionId: string, status: string) =>
    vi.waitFor(
      async () => expect(((await call('GET', `/executions/${executionId}`)).body as Answer).status, executionId).toBe(status),
      POLL,
    );
  /** The worker that has a session. */
  const ownerOf = async (sessionId: string): Promise<ServiceProcess> => {
    const { rows } = await sql<{ id: string }>`select worker_id as id from fleet_sessions where id = ${sessionId}`.execute(db.query());
    for (const worker of fleet.workers) {
      const { workerId } = (await (await fetch(`${worker.url}/health`)).json()) as { workerId: string };
      if (workerId === rows[0]?.id) return worker;
    }
    throw new Error(`nobody has ${sessionId}`);
  };
  /** What the next two executions say of a session that is lost. */
  const expectLost = async (sessionId: string, why: string): Promise<void> => {
    const told = await run(sessionId, 'x', {}, { at: 1 });
    expect(told).toMatchObject({ status: 'failed', error: { code: 'SESSION_LOST' }, effects: 'not_started' });
    expect(told.error?.message).toContain(why);
    expect((await run(sessionId, '"x" in globals()')).result).toBe(false);
    await end(sessionId);
  };

  test('files and variables stay from one execution to the next, through any gateway', async () => {
    await run('kept', 'import math\nx = 20\ndef double(n): return n * 2\nopen("notes.txt", "w").write("mine")');
    for (let round = 1; round <= 6; round += 1)
      expect((await run('kept', `x += 1\n[double(x), open("notes.txt").read()]`, {}, { at: round % 2 })).result).toEqual([
        (20 + round) * 2,
        'mine',
      ]);
    expect(await run('kept', '1 / 0', {}, { at: 1 })).toMatchObject({ status: 'failed', error: { code: 'UNCAUGHT' } });
    expect(await run('kept', 'no python here', {}, { at: 1 })).toMatchObject({ error: { code: 'SYNTAX_ERROR' } });
    expect((await run('kept', 'x')).result).toBe(26);
    expect(await listed('kept', 1)).toMatchObject({ status: 'idle', language: 'python', executions: 10, expiresAt: expect.any(String) });
    const typescript = { language: 'typescript' };
    await run('kept-ts', 'let n: number = 1; class P { x = 4 }; function inc() { n += 1; return n }', typescript);
    expect((await run('kept-ts', 'inc(); return [n, new P().x]', typescript, { at: 1 })).result).toEqual([2, 4]);
    expect(await call('POST', '/execute', { language: 'python', code: '1', sessionId: 'kept-ts' })).toMatchObject({ status: 400 });
    expect([(await end('kept')).status, (await end('kept-ts', { at: 1 })).status]).toEqual([204, 204]);
    expect(await end('kept')).toMatchObject({ status: 404, body: { error: { code: 'SESSION_NOT_FOUND' } } });
    // What was ended on purpose is nothing to tell of, and its sandbox goes.
    expect((await run('kept', '"x" in globals()')).result).toBe(false);
    await end('kept');
    await vi.waitFor(async () => {
      for (const { url } of fleet.workers)
        expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^code_executor_worker_sessions 0$/m);
    }, POLL);
  });

  test('one execution at a time: a second one is refused at once on either gateway, and after a cancellation the session is lost', async () => {
    await run('busy', 'x = 1');
    const started = await call('POST', '/execute', {
      language: 'python',
      code: 'import time; time.sleep(60)',
      sessionId: 'busy',
      wait: false,
    });
    const { executionId } = started.body as Answer;
    for (const at of [0, 1]) {
      const second = await call('POST', '/execute', { language: 'python', code: '2', sessionId: 'busy' }, { at });
      expect(second).toMatchObject({ status: 409, body: { error: { code: 'SESSION_BUSY' } } });
      expect(await codeOf(await file('GET', '/sessions/busy/files', undefined, { at }))).toBe('SESSION_BUSY');
      expect(await codeOf(await file('GET', '/sessions/busy/files/a', undefined, { at }))).toBe('SESSION_BUSY');
      expect(await codeOf(await file('PUT', '/sessions/busy/files/a', 'x', { at }))).toBe('SESSION_BUSY');
      expect(await end('busy', { at })).toMatchObject({ status: 409 });
      expect(await listed('busy', at)).toMatchObject({ status: 'busy', expiresAt: null });
    }
    await untilStatus(executionId, 'running');
    expect((await call('POST', `/executions/${executionId}/cancel`, {}, { at: 1 })).body).toMatchObject({ status: 'cancelled' });
    await expectLost('busy', 'CANCELLED');
  });

  test('two that come at once do not both get in', async () => {
    await run('race', 'import time');
    const both = await Promise.all(
      [0, 1].map((at) => call('POST', '/execute', { language: 'python', code: 'time.sleep(1); 1', sessionId: 'race' }, { at })),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    await end('race');
  });

  test('a repeated request is answered while the session is busy with it, and afterwards', async () => {
    const body = { language: 'python', code: 'import time; time.sleep(2); 7', sessionId: 'again', wait: false };
    const headers = { 'idempotency-key': 'again-1' };
    const send = (at: number) => ask({ url: gateway(at), key: agent }, 'POST', '/execute', { key: agent, headers, body });
    const first = await send(0);
    const { executionId } = first.json() as Answer;
    const repeated = await send(1);
    expect(repeated.json(), repeated.text).toMatchObject({ executionId });
    await untilStatus(executionId, 'succeeded');
    expect((await send(1)).json()).toMatchObject({ executionId });
    await end('again');
  });

  test('a key has so many sessions and no more, and another key none of them', async () => {
    const ids = ['l-1', 'l-2', 'l-3', 'l-4'];
    for (const [at, id] of ids.entries()) await run(id, 'secret = 1\nopen("f", "w").write("1")', {}, { at: at % 2 });
    expect(await call('POST', '/execute', { language: 'python', code: '1', sessionId: 'l-5' })).toMatchObject({
      status: 429,
      body: { error: { code: 'SESSION_LIMIT' } },
    });
    expect((await call('GET', '/sessions', undefined, { key: other })).body).toMatchObject({ items: [] });
    expect(await codeOf(await file('GET', '/sessions/l-1/files/f', undefined, { key: other }))).toBe('SESSION_NOT_FOUND');
    expect(await codeOf(await file('PUT', '/sessions/l-1/files/f', 'x', { key: other }))).toBe('SESSION_NOT_FOUND');
    expect((await end('l-1', { key: other })).status).toBe(404);
    expect((await run('l-1', '"secret" in globals()', {}, { key: other })).result).toBe(false);
    expect((await run('l-1', 'secret', {}, { at: 1 })).result).toBe(1);
    await end('l-1', { key: other });
    for (const id of ids) expect((await end(id)).status).toBe(204);
  });

  describe('files of a session', () => {
    test('go in by one gateway and come out by the other, byte by byte', async () => {
      await run('files', '1');
      const bytes = Buffer.from(Array.from({ length: 3_000_001 }, (_, index) => (index * 7) % 256));
      const put = await file('PUT', '/sessions/files/files/data/in.bin', bytes);
      expect([put.status, await put.json()]).toEqual([200, { path: 'data/in.bin', bytes: bytes.length }]);
      await run('files', 'import shutil; shutil.copy("data/in.bin", "out.bin"); 1', {}, { at: 1 });
      const out = await Promise.all([0, 1].map((at) => file('GET', '/sessions/files/files/out.bin', undefined, { at })));
      for (const answer of out) expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
      expect((await file('PUT', '/sessions/files/files/empty', '', { at: 1 })).status).toBe(200);
      expect(await (await file('GET', '/sessions/files/files/empty')).text()).toBe('');
      expect((await call('GET', '/sessions/files/files', undefined, { at: 1 })).body).toMatchObject({
        items: [
          { path: 'data/in.bin', bytes: bytes.length },
          { path: 'empty', bytes: 0 },
          { path: 'out.bin', bytes: bytes.length },
        ],
      });
      expect((await file('PUT', '/sessions/files/files/big', Buffer.alloc((64 << 20) + 1))).status).toBe(413);
      // Nothing of it stays in the database.
      await vi.waitFor(async () => {
        const { rows } = await sql`select 1 from session_transfers`.execute(db.query());
        expect(rows).toHaveLength(0);
      }, POLL);
      await end('files');
    });

    test('are reached by no link, FIFO or path of a hostile program', async () => {
      await run(
        'hostile',
        `
import os
os.symlink("/etc/passwd", "passwd"); os.symlink("/etc", "etc"); os.symlink("/tmp/planted", "planted"); os.mkfifo("fifo")
os.mkdir("dir"); open("dir/plain", "w").write("plain"); os.link("dir/plain", "hard")
try: os.mknod("device", 0o600 | 0o020000, os.makedev(1, 5))
except OSError: pass
`,
      );
      for (const path of ['passwd', 'etc/passwd', 'fifo', 'device', 'servers/discovery.ts', '..%2f..%2fetc%2fpasswd', 'dir', 'missing'])
        expect((await file('GET', `/sessions/hostile/files/${path}`)).status, path).toBe(404);
      for (const path of ['etc/x', 'servers/x', 'dir', 'dir%2f..%2fx', 'fifo/x'])
        expect((await file('PUT', `/sessions/hostile/files/${path}`, 'x')).status, path).toBe(400);
      expect((await file('PUT', '/sessions/hostile/files/planted', 'mine', { at: 1 })).status).toBe(200);
      const seen = await run('hostile', 'import os\n[os.path.islink("planted"), open("planted").read(), os.path.exists("/tmp/planted")]');
      expect(seen.result).toEqual([false, 'mine', false]);
      expect(await (await file('GET', '/sessions/hostile/files/hard')).text()).toBe('plain');
      await end('hostile');
    });
  });

  test('nobody uses it for too long: it is ended and says so once', async () => {
    await run('idle', 'x = 1');
    await sql`update fleet_sessions set last_used_at = last_used_at - interval '1 hour' where id = 'idle'`.execute(db.query());
    await vi.waitFor(async () => expect(await listed('idle')).toBeUndefined(), POLL);
    await expectLost('idle', '900 seconds');
  });

  test.each([
    ['a timeout', 'while True: pass', { timeoutMs: 500 }, 'TIMEOUT'],
    ['its exit', 'raise SystemExit(3)', {}, 'EXITED'],
  ])('after %s it is lost', async (_, code, more, error) => {
    await run('ends', 'x = 1');
    expect((await run('ends', code, more)).error?.code).toBe(error);
    await expectLost('ends', error);
  });

  test('a call that waits for a person waits in the session, which goes on after the decision', async () => {
    const policy = await call('POST', '/policies', { pattern: 'ledger.*', action: 'require_approval' }, { key: fleet.key });
    expect(policy.status).toBe(201);
    await sleep(1_000);
    await run('paused', 'let kept = 5', { language: 'typescript' });
    const code = `await tools.ledger.write({ nonce: 'session-1', sequence: 1, slowMs: 0 }); kept += 1; return kept`;
    const paused = (await call('POST', '/execute', { language: 'typescript', code, sessionId: 'paused' })).body as Answer;
    expect(paused).toMatchObject({ status: 'paused' });
    expect(await call('POST', '/execute', { language: 'typescript', code: '1', sessionId: 'paused' }, { at: 1 })).toMatchObject({
      status: 409,
      body: { error: { code: 'SESSION_BUSY' } },
    });
    const decided = await call('POST', `/approvals/${paused.approval?.id}`, { decision: 'approve' }, { at: 1, key: fleet.key });
    expect(decided.status, decided.text).toBe(200);
    const over = await call('POST', `/executions/${paused.executionId}/resume`, { wait: true }, { at: 1 });
    expect(over.body).toMatchObject({ status: 'succeeded', result: 6, effects: 'some' });
    expect((await run('paused', 'return kept', { language: 'typescript' })).result).toBe(6);
    await call('DELETE', `/policies/${(policy.body as { id: string }).id}`, undefined, { key: fleet.key });
    await end('paused');
    await sleep(1_000);
  });

  test('a restart of the proxy, of Redis and of PostgreSQL ends no session', async () => {
    await run('restarts', 'x = 1');
    await Promise.all([fleet.postgres.restart(), fleet.redis.restart()]);
    await fleet.proxies[0]?.kill();
    await fleet.proxies[0]?.start();
    await vi.waitFor(async () => {
      const answer = await call('POST', '/execute', { language: 'python', code: 'x += 1; x', sessionId: 'restarts' }, { at: 1 });
      expect(answer, answer.text).toMatchObject({ status: 200, body: { status: 'succeeded', result: 2 } });
    }, POLL);
    expect((await run('restarts', 'x')).result).toBe(2);
    await end('restarts');
  });

  test('its worker is told to stop: it is lost, and another worker says so', async () => {
    await run('drained', 'x = 1');
    const worker = await ownerOf('drained');
    expect(await worker.terminate()).toBe(0);
    await expectLost('drained', 'stopped');
    await worker.start();
  });

  test('its worker is killed: what ran ends with its effects, and the session is lost', async () => {
    const typescript = { language: 'typescript' };
    await run('killed', 'let x = 1', typescript);
    const code = `await tools.ledger.write({ nonce: 'session-2', sequence: 1, slowMs: 0 }); await new Promise((done) => setTimeout(done, 60_000))`;
    const started = await call('POST', '/execute', { ...typescript, code, sessionId: 'killed', wait: false });
    const { executionId } = started.body as Answer;
    await vi.waitFor(async () => expect((await fleet.ledger.entries()).filter(({ nonce }) => nonce === 'session-2')).toHaveLength(1), POLL);
    const worker = await ownerOf('killed');
    await worker.kill();
    await untilStatus(executionId, 'failed');
    expect((await call('GET', `/executions/${executionId}`)).body).toMatchObject({ error: { code: 'WORKER_LOST' }, effects: 'some' });
    expect(await run('killed', 'x', typescript)).toMatchObject({ error: { code: 'SESSION_LOST' }, effects: 'not_started' });
    expect((await run('killed', 'return typeof x', typescript)).result).toBe('undefined');
    await end('killed');
    await worker.start();
  });

  test('an idle session of a killed worker is lost, and its files are not found', async () => {
    await run('gone', 'x = 1');
    const worker = await ownerOf('gone');
    await worker.kill();
    const asked = await file('GET', '/sessions/gone/files/a');
    expect([asked.status, await codeOf(asked)]).toEqual([404, 'SESSION_NOT_FOUND']);
    await expectLost('gone', 'worker was lost');
    await worker.start();
  });

  test('its worker stands still beyond its lease: when it wakes it has the session no more', async () => {
    await run('frozen', 'x = 1');
    const worker = await ownerOf('frozen');
    worker.freeze();
    try {
      await vi.waitFor(async () => expect(await listed('frozen')).toBeUndefined(), POLL);
      await expectLost('frozen', 'worker was lost');
    } finally {
      worker.thaw();
    }
    await vi.waitFor(
      async () => expect(await (await fetch(`${worker.url}/metrics`)).text()).toMatch(/^code_executor_worker_sessions 0$/m),
      POLL,
    );
  });

  describe('what an execution leaves', () => {
    const list = async (executionId: string, at = 1) =>
      (await call('GET', `/executions/${executionId}/artifacts`, undefined, { at })).body as {
        items: { path: string; bytes: number }[];
        omitted: { path: string; reason: string }[];
      };
    const execute = async (code: string, more: object = {}): Promise<Answer> =>
      (await call('POST', '/execute', { language: 'python', code, ...more })).body as Answer;

    test('is listed and fetched as it was through any gateway, by whom the execution may be seen, until it is purged', async () => {
      const bytes = 'import os; os.makedirs("artifacts/deep er"); open("artifacts/deep er/a.bin","wb").write(bytes(range(256)) * 9000)';
      for (const ending of ['', '\nraise ValueError("x")', '\nwhile True: pass']) {
        const { executionId } = await execute(`${bytes}${ending}`, { timeoutMs: 2_000 });
        expect(await list(executionId)).toMatchObject({ items: [{ path: 'deep er/a.bin', bytes: 256 * 9_000 }], omitted: [] });
        const got = await file('GET', `/executions/${executionId}/artifacts/deep%20er/a.bin`, undefined, { at: 1 });
        const whole = Buffer.from(await got.arrayBuffer());
        expect(
          whole.equals(Buffer.concat(Array.from({ length: 9_000 }, () => Buffer.from(Array.from({ length: 256 }, (_, n) => n))))),
        ).toBe(true);
        expect((await file('GET', `/executions/${executionId}/artifacts/deep%20er/a.bin`, undefined, { key: other })).status).toBe(404);
        for (const path of ['0', 'index.json', '..%2f0', 'deep%20er'])
          expect((await file('GET', `/executions/${executionId}/artifacts/${path}`)).status).toBe(404);
        await sql`delete from executions where id = ${executionId}`.execute(db.query());
        const { rows } = await sql`select 1 from execution_artifact_parts where execution_id = ${executionId}`.execute(db.query());
        expect(rows).toHaveLength(0);
      }
    });

    test('and the whole output, where the answer has only part of it, in a session too', async () => {
      const code = 'for i in range(30000): print("line", i)';
      for (const more of [{}, { sessionId: 'prints' }]) {
        const { executionId, truncated } = await execute(code, more);
        expect(truncated).toBe(true);
        const text = await (await file('GET', `/executions/${executionId}/artifacts/output.txt`, undefined, { at: 1 })).text();
        expect(text).toBe(Array.from({ length: 30_000 }, (_, index) => `line ${index}\n`).join(''));
      }
      await end('prints');
    });

    test('is plain files alone, and within bounds', async () => {
      const { executionId } = await execute(`
import os, socket
os.mkdir("artifacts")
os.symlink("/etc/passwd", "artifacts/passwd"); os.symlink("/", "artifacts/root"); os.symlink("../main.py", "artifacts/inside")
os.mkfifo("artifacts/fifo"); socket.socket(socket.AF_UNIX).bind("artifacts/socket")
open("plain", "w").write("linked"); os.link("plain", "artifacts/hard")
try: os.mknod("artifacts/device", 0o600 | 0o020000, os.makedev(1, 5))
except OSError: pass
for n in range(3): open(f"artifacts/{n}", "wb").truncate(30 << 20)
for n in range(100): open(f"artifacts/small-{n:03}", "wb").close()
`);
      const { items, omitted } = await list(executionId);
      expect(items).toHaveLength(64);
      expect(items.filter(({ bytes }) => bytes > 0)).toEqual([
        { path: '0', bytes: 30 << 20 },
        { path: '1', bytes: 30 << 20 },
        { path: 'hard', bytes: 6 },
      ]);
      const left = omitted.map(({ path }) => path);
      for (const path of ['2', 'fifo', 'inside', 'passwd', 'root', 'socket']) expect(left).toContain(path);
    });
  });
});
