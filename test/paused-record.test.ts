import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask } from './support/ask.ts';
import { recorded, recordingServer } from './support/recording-entry.ts';
import type { Answer } from './support/service-suite.ts';
import { type Service, startService } from './support/start-service.ts';

let directory: string;
let notes: string;
let service: Service;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'paused-'));
  notes = join(directory, 'notes');
  writeFileSync(notes, '');
  mkdirSync(join(directory, 'data'));
  const servers = { mcpServers: { notes: recordingServer(notes, { trust: true, readOnlyTools: ['count_notes'] }) } };
  writeFileSync(join(directory, 'data', 'mcp-servers.json'), JSON.stringify(servers));
  service = await startService(join(directory, 'data'));
  await json('POST', '/policies', { pattern: 'notes.note', action: 'require_approval' });
}, 150_000);
afterAll(async () => {
  await service?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const json = async (method: string, path: string, body?: unknown): Promise<unknown> => (await ask(service, method, path, { body })).json();
const run = async (code: string): Promise<Answer> => (await json('POST', '/execute', { language: 'typescript', code })) as Answer;
const stateOf = async (id: string): Promise<Answer> => (await json('GET', `/executions/${id}`)) as Answer;
const resume = async (id: string, body: object): Promise<Answer> => (await json('POST', `/executions/${id}/resume`, body)) as Answer;
const decimals = (value: number): number => String(value).split('.')[1]?.length ?? 0;

test('a paused execution says what it has caused so far, and its clock stands', async () => {
  const paused = await run(`
    await tools.notes.count_notes({});
    await tools.notes.note({ text: 'first' });
    return await tools.notes.note({ text: 'second' });`);
  expect(paused).toMatchObject({ status: 'paused', effects: 'none' });
  const shown = await stateOf(paused.executionId);
  await sleep(300);
  const later = await stateOf(paused.executionId);
  expect(later.executionTime).toBe(shown.executionTime);
  expect(later.metrics.totalMs).toBeGreaterThan(shown.metrics.totalMs);
  for (const value of [later.executionTime, later.metrics.totalMs, later.metrics.queueMs]) expect(decimals(value)).toBeLessThan(4);
  const { items } = (await json('GET', '/executions?status=paused')) as { items: Answer[] };
  expect(items).toMatchObject([{ executionId: paused.executionId, effects: 'none', executionTime: shown.executionTime }]);

  const again = await resume(paused.executionId, { decision: 'approve' });
  expect(again).toMatchObject({ status: 'paused', effects: 'some' });
  expect(again.executionTime).toBeGreaterThan(later.executionTime);
  // So it is after a restart that nothing announced.
  await service.stop('SIGKILL');
  service = await startService(join(directory, 'data'));
  expect(await stateOf(paused.executionId)).toMatchObject({ status: 'paused', effects: 'some', executionTime: again.executionTime });
  const ended = await resume(paused.executionId, { decision: 'approve' });
  expect(ended).toMatchObject({ status: 'succeeded', effects: 'some' });
  expect(recorded(notes).filter((line) => line.startsWith('note '))).toEqual(['note first', 'note second']);
}, 120_000);

test('its effects are unknown as long as a call beside the one that waits is under way', async () => {
  const paused = await run(`
    const slow = tools.notes.slow_note({ text: 'slow', ms: 1500 });
    await tools.notes.note({ text: 'beside' });
    return await slow;`);
  expect(paused).toMatchObject({ status: 'paused', effects: 'unknown' });
  await expect.poll(async () => (await stateOf(paused.executionId)).effects, { timeout: 20_000 }).toBe('some');
  expect(await resume(paused.executionId, { decision: 'deny' })).toMatchObject({ status: 'failed', effects: 'some' });
}, 60_000);
