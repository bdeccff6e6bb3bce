import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ExecuteRequest, Principal } from '@code-executor/contracts';
import {
  createFleetExecutions,
  createQueueProducer,
  type ExecutionRecord,
  executionMigrations,
  type FleetExecutions,
  type QueueProducer,
} from '@code-executor/executions';
import { createLogger, type Database, openDatabase } from '@code-executor/platform';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { dockerAnswers, startPostgres, startRedis, type TestContainer } from '../../../test/support/containers.ts';
import { recorded, recordingServer } from '../../../test/support/recording-entry.ts';
import { type ServiceProcess, startProcess } from './testing/start-process.ts';

const answers = await dockerAnswers();
const principal: Principal = { id: 'key_test', workspaceId: 'wsp_default', role: 'agent' };
const never = new AbortController().signal;
const log = createLogger({ level: 'silent', service: 'test' });

describe.skipIf(!answers)(`a worker of the fleet${answers ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'worker-fleet-'));
  const notes = join(directory, 'notes.txt');
  const internal = { worker: secret(), gateway: secret(), grant: secret() };
  let postgres: TestContainer;
  let redis: TestContainer;
  let db: Database;
  let queue: QueueProducer;
  let executions: FleetExecutions;
  let proxy: ServiceProcess;
  let worker: ServiceProcess;

  beforeAll(async () => {
    writeFileSync(notes, '');
    mkdirSync(join(directory, 'proxy'));
    const servers = { mcpServers: { notes: recordingServer(notes, { readOnlyTools: ['count_notes'] }) } };
    writeFileSync(join(directory, 'mcp-servers.json'), JSON.stringify(servers));
    [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    proxy = await startProcess({
      main: mainOf('mcp-proxy'),
      logFile: join(directory, 'proxy.log'),
      environment: {
        DATABASE_URL: postgres.url,
        REDIS_URL: redis.url,
        EXECUTOR_DATA_DIR: join(directory, 'proxy'),
        EXECUTOR_MCP_SERVERS: join(directory, 'mcp-servers.json'),
        EXECUTOR_GATEWAY_INTERNAL_KEY: internal.gateway,
        EXECUTOR_WORKER_INTERNAL_KEY: internal.worker,
        EXECUTOR_GRANT_KEY: internal.grant,
      },
    });
    worker = await startProcess({
      main: mainOf('worker'),
      logFile: join(directory, 'worker.log'),
      environment: {
        REDIS_URL: redis.url,
        EXECUTOR_PROXY_URL: proxy.url,
        EXECUTOR_WORKER_INTERNAL_KEY: internal.worker,
        EXECUTOR_DATA_DIR: join(directory, 'worker'),
        EXECUTOR_POOL_TYPESCRIPT: '3',
        EXECUTOR_POOL_PYTHON: '1',
        EXECUTOR_CONCURRENCY: '8',
        EXECUTOR_DRAIN_SECONDS: '3',
      },
    });
    db = await openDatabase({ url: postgres.url, directory, log });
    await db.migrate('executions', executionMigrations);
    queue = createQueueProducer({ redis: redis.url, log });
    executions = createFleetExecutions({ db, redis: redis.url, queue, log, queueLimit: 1_000 });
    await vi.waitFor(() => expect([executions.workers().length, queue.healthy()]).toEqual([1, true]), { timeout: 10_000 });
  }, 180_000);

  afterAll(async () => {
    await worker?.stop('SIGKILL');
    await proxy?.stop('SIGKILL');
    await executions?.close();
    await queue?.close();
    await db?.close();
    await Promise.all([postgres?.stop(), redis?.stop()]);
    rmSync(directory, { recursive: true, force: true });
  });

  const submit = async (code: string, fields: Partial<ExecuteRequest> = {}): Promise<string> =>
    (await executions.submit(principal, { language: 'typescript', code, ...fields }, { requestId: 'req_test' })).executionId;
  const end = (id: string): Promise<ExecutionRecord> => executions.wait(principal, id, never);
  const run = async (code: string, fields?: Partial<ExecuteRequest>): Promise<ExecutionRecord> => end(await submit(code, fields));
  const untilNoted = (line: string) => expect.poll(() => recorded(notes), { timeout: 10_000 }).toContain(line);
  /** A program that has noted `mark`, waits, and notes once more. */
  const slow = (mark: string, waitMs: number): string =>
    `await tools.notes.note({ text: '${mark}' }); await new Promise((done) => setTimeout(done, ${waitMs})); await tools.notes.note({ text: '${mark} again' }); return 'over'`;

  test('runs what was queued, warm, and its answer is read from the row', async () => {
    const record = await run('console.log(1 + 1); return { n: 42 }');
    expect(record).toMatchObject({ status: 'succeeded', output: '2\n', resultJson: '{"n":42}', effects: 'none', metrics: { warm: true } });
    const python = await run('print("py")\n40 + 2', { language: 'python' });
    expect(python).toMatchObject({ status: 'succeeded', output: 'py\n', resultJson: '42' });
  });

  test("calls tools through the proxy by the wrappers of the fleet's catalog", async () => {
    const mark = randomUUID();
    const record = await run(`import { note } from '/workspace/servers/notes/note.js';\nawait note({ text: '${mark}' });\nreturn 1`);
    expect(record).toMatchObject({ status: 'succeeded', effects: 'some', toolCalls: [{ tool: 'notes.note', outcome: 'ok' }] });
    expect(recorded(notes)).toContain(`note ${mark}`);
  });

  test('tells of each execution in one wide line of its log, and counts it', async () => {
    const record = await run("throw new Error('no')");
    expect(record).toMatchObject({ status: 'failed', error: { code: 'UNCAUGHT' } });
    await expect
      .poll(() => worker.log(), { timeout: 5_000 })
      .toContainEqual(
        expect.objectContaining({
          msg: 'Execution ended',
          ...{ executionId: record.executionId, requestId: 'req_test', workspaceId: 'wsp_default', workerId: expect.any(String) },
          ...{ status: 'failed', errorCode: 'UNCAUGHT', effects: 'none', queueMs: record.metrics.queueMs, warm: record.metrics.warm },
        }),
      );
    const metrics = await (await fetch(`${worker.url}/metrics`)).text();
    expect(metrics).toMatch(/^code_executor_worker_executions_total\{language="typescript",status="failed",code="UNCAUGHT"\} 1$/m);
    expect(metrics).toMatch(/^code_executor_pool_claims_total\{outcome="hit"\} [1-9]/m);
    const ready = await fetch(`${worker.url}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([200, { ready: true, missing: [] }]);
  });

  test('says while a program runs what it prints, in order', async () => {
    const id = await submit('for (let i = 0; i < 5; i += 1) { console.log(i); await new Promise((done) => setTimeout(done, 150)); }');
    const texts: string[] = [];
    let firstMs = 0;
    const startedMs = performance.now();
    for await (const event of await executions.events(principal, id, 0, never)) {
      if (event.type !== 'output') continue;
      if (texts.length === 0) firstMs = performance.now() - startedMs;
      texts.push(event.data.text);
    }
    const tookMs = performance.now() - startedMs;
    expect(texts.join('')).toBe('0\n1\n2\n3\n4\n');
    expect(firstMs).toBeLessThan(tookMs - 300);
  });

  test('stops a program that is cancelled', async () => {
    const mark = randomUUID();
    const id = await submit(slow(mark, 30_000));
    await untilNoted(`note ${mark}`);
    const startedMs = performance.now();
    expect(await executions.cancel(principal, id)).toMatchObject({ status: 'cancelled', effects: 'some' });
    expect(performance.now() - startedMs).toBeLessThan(1_500);
  });

  test('goes on with a program, and ends it normally, while the proxy is away for longer than its lease', async () => {
    const mark = randomUUID();
    const id = await submit(slow(mark, 3_000));
    await untilNoted(`note ${mark}`);
    await proxy.stop('SIGKILL');
    await sleep(4_200);
    await proxy.start();
    expect(await end(id)).toMatchObject({ status: 'succeeded', resultJson: '"over"', effects: 'some' });
    expect(recorded(notes)).toContain(`note ${mark} again`);
  });

  test('loses no end to a database that restarts meanwhile', async () => {
    const mark = randomUUID();
    const id = await submit(
      `await tools.notes.note({ text: '${mark}' }); await new Promise((done) => setTimeout(done, 700)); return 'kept'`,
    );
    await untilNoted(`note ${mark}`);
    await postgres.restart();
    await expect.poll(async () => (await executions.get(principal, id).catch(() => null))?.status, { timeout: 20_000 }).toBe('succeeded');
  });

  test('that was stopped beyond its lease (SIGSTOP) writes nothing of it when it wakes, and calls nothing', async () => {
    const mark = randomUUID();
    const id = await submit(slow(mark, 2_000));
    await untilNoted(`note ${mark}`);
    const startedMs = performance.now();
    worker.signal('SIGSTOP');
    try {
      expect(await end(id)).toMatchObject({ status: 'failed', error: { code: 'WORKER_LOST' }, effects: 'some' });
      expect(performance.now() - startedMs).toBeLessThan(5_500);
      await sleep(Math.max(0, 6_000 - (performance.now() - startedMs)));
    } finally {
      worker.signal('SIGCONT');
    }
    await sleep(2_500);
    expect(recorded(notes)).not.toContain(`note ${mark} again`);
    expect(await end(id)).toMatchObject({ status: 'failed', error: { code: 'WORKER_LOST' } });
    expect(worker.log()).toContainEqual(expect.objectContaining({ executionId: id, msg: expect.stringContaining('void') }));
    // And it serves again.
    expect(await run('return 1')).toMatchObject({ status: 'succeeded' });
  });

  test('that is killed loses what it ran, and this is said within five seconds', async () => {
    const mark = randomUUID();
    const id = await submit(slow(mark, 20_000));
    await untilNoted(`note ${mark}`);
    const startedMs = performance.now();
    await worker.stop('SIGKILL');
    expect(await end(id)).toMatchObject({ status: 'failed', error: { code: 'WORKER_LOST' }, effects: 'some' });
    const tookMs = performance.now() - startedMs;
    process.stdout.write(`a killed worker's execution has ended after ${Math.round(tookMs)} ms\n`);
    expect(tookMs).toBeLessThan(5_000);
    await worker.start();
    expect(await run('return 1')).toMatchObject({ status: 'succeeded' });
  }, 90_000);

  test('that is told to stop finishes what it can, ends the rest truthfully, and leaves the queue to others', async () => {
    const [short, long] = [randomUUID(), randomUUID()];
    const shortId = await submit(slow(short, 1_500));
    const longId = await submit(slow(long, 30_000));
    await untilNoted(`note ${short}`);
    await untilNoted(`note ${long}`);
    const stopped = worker.stop('SIGTERM');
    await sleep(300);
    const lateId = await submit('return "late"');
    expect(await stopped).toBe(0);
    expect(await end(shortId)).toMatchObject({ status: 'succeeded', resultJson: '"over"' });
    expect(await end(longId)).toMatchObject({ status: 'failed', error: { code: 'WORKER_LOST' }, effects: 'some' });
    expect((await executions.get(principal, lateId)).status).toBe('queued');
    await worker.start();
    expect(await end(lateId)).toMatchObject({ status: 'succeeded', resultJson: '"late"' });
  }, 90_000);
});

const secret = (): string => randomBytes(32).toString('base64url');
const mainOf = (service: string): string => fileURLToPath(new URL(`../../${service}/src/main.ts`, import.meta.url));
