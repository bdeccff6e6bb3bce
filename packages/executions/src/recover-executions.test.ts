import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ExecutionEvent, Principal } from '@code-executor/contracts';
import { openDatabase } from '@code-executor/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPurging } from './purge-executions.ts';
import { createExecutionStore } from './store/execution-store.ts';
import { executionMigrations } from './store/migrations.ts';
import { createTestExecutions, testLog } from './testing/open-test-executions.ts';

const principal: Principal = { id: 'key_test', workspaceId: 'wsp_default', role: 'agent' };
const never = new AbortController().signal;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'code-executor-recover-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** Ids of a running and of two waiting executions of a process that is dead now. */
async function leaveUnfinished(database: string): Promise<string[]> {
  const program = fileURLToPath(new URL('./testing/die-mid-run.ts', import.meta.url));
  const child = spawn(process.execPath, [program, database], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [line] = await once(createInterface({ input: child.stdout }), 'line');
    return JSON.parse(line) as string[];
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
}

test('after kill -9 the running execution is lost with its true effects, and the waiting ones run', async () => {
  const database = join(directory, 'db');
  const [running = '', ...waiting] = await leaveUnfinished(database);
  const db = await openDatabase({ directory: database, log: testLog });
  await db.migrate('executions', executionMigrations);
  try {
    const asked: string[] = [];
    const { executions } = createTestExecutions(db, {
      effectsOf: async (executionId) => {
        asked.push(executionId);
        return 'some';
      },
    });
    expect(await executions.start()).toEqual({ queuedAgain: 2, lost: 1, waiting: 0 });

    expect(asked).toEqual([running]);
    expect(await executions.get(principal, running)).toMatchObject({ status: 'failed', error: { code: 'WORKER_LOST' }, effects: 'some' });
    const events: ExecutionEvent[] = [];
    for await (const event of await executions.events(principal, running, 0, never)) events.push(event);
    expect(events.at(-1)).toMatchObject({ type: 'ended', data: { status: 'failed' } });
    await expect(executions.events(principal, running, 4, never)).rejects.toMatchObject({ code: 'EVENTS_GONE' });

    const records = await Promise.all(waiting.map((id) => executions.wait(principal, id, never)));
    expect(records).toMatchObject([
      { status: 'succeeded', output: 'second\n' },
      { status: 'succeeded', output: 'third\n' },
    ]);
    await executions.close();

    const again = createTestExecutions(db).executions;
    expect(await again.start()).toEqual({ queuedAgain: 0, lost: 0, waiting: 0 });
    await again.close();

    const store = createExecutionStore(db);
    const claim = await store.claim(waiting[0] ?? '', 'worker_late', new Date());
    expect(claim).toBeNull();

    const now = Date.now() + 30 * 24 * 60 * 60 * 1000;
    const purging = startPurging({ retentionDays: 31 }, { store, log: testLog, now: () => now });
    expect(await purging.runOnce()).toBe(0);
    await purging.stop();
    const later = startPurging({ retentionDays: 29 }, { store, log: testLog, now: () => now });
    expect(await later.runOnce()).toBe(3);
    await later.stop();
    await expect(again.get(principal, running)).rejects.toMatchObject({ code: 'EXECUTION_NOT_FOUND' });
  } finally {
    await db.close();
  }
});
