import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { executionMigrations } from '@code-executor/executions';
import { createLogger, openDatabase } from '@code-executor/platform';
import { toolMigrations } from '@code-executor/tools';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Service, startService } from '../support/start-service.ts';
import { DAY_MS, insertOld, journalCounts } from './old-executions.ts';

const log = createLogger({ level: 'silent', service: 'test' });
const directory = mkdtempSync(join(tmpdir(), 'history-'));
const open = () => openDatabase({ directory: join(directory, 'database'), log });
let service: Service;
let oldest: string[];
let failed: string[];

beforeAll(async () => {
  const db = await open();
  await db.migrate('executions', executionMigrations);
  await db.migrate('tools', toolMigrations);
  // More than one batch of a purge, and more than one page of an export.
  oldest = await insertOld(db, 700, 9);
  failed = await insertOld(db, 3, 5, 'failed');
  await db.close();
  service = await startService(directory, { EXECUTOR_POOL_TYPESCRIPT: '0', EXECUTOR_POOL_PYTHON: '0' });
}, 180_000);

afterAll(async () => {
  await service?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const ask = (path: string, method = 'GET') =>
  fetch(`${service.url}${path}`, { method, headers: { authorization: `Bearer ${service.key}` } });
const exported = async (query = '') => {
  const response = await ask(`/executions/export${query}`);
  expect(response.status).toBe(200);
  return (await response.text()).split('\n').filter(Boolean);
};
const idsOf = (lines: string[]): string[] => lines.map((line) => (JSON.parse(line) as { executionId: string }).executionId);
const daysAgo = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString();

test('the whole history comes oldest first, with results digit for digit', async () => {
  const lines = await exported();
  expect(idsOf(lines)).toEqual([...oldest, ...failed]);
  expect(lines[0]).toContain('"output":"printed","result":12345678901234567890,');
});

test('the history is cut by time and status', async () => {
  expect(idsOf(await exported('?status=failed'))).toEqual(failed);
  expect(idsOf(await exported(`?from=${daysAgo(6)}`))).toEqual(failed);
  expect(idsOf(await exported(`?to=${daysAgo(6)}`))).toEqual(oldest);
  expect(await exported(`?from=${daysAgo(8)}&to=${daysAgo(6)}`)).toEqual([]);
});

test('a purge on demand takes what ended before, leaves what has just ended, and leaves the record of tool calls whole', async () => {
  const ran = await service.post('/execute', { language: 'typescript', code: 'return 1' });
  expect(ran.body).toMatchObject({ status: 'succeeded' });
  const purged = await ask(`/executions?before=${daysAgo(6)}`, 'DELETE');
  expect([purged.status, await purged.json()]).toEqual([200, { purged: 700, complete: true }]);
  expect(idsOf(await exported()).slice(0, 3)).toEqual(failed);
  // A time to come is as good as now, less the minute in which ends of calls may still be written.
  const rest = await ask(`/executions?before=${daysAgo(-1)}`, 'DELETE');
  expect(await rest.json()).toEqual({ purged: 3, complete: true });
  expect(await exported()).toHaveLength(1);

  await service.stop();
  const db = await open();
  try {
    expect(await journalCounts(db)).toEqual({ orphans: 1_406, calls: 1_406, outcomes: 703 });
  } finally {
    await db.close();
  }
});
