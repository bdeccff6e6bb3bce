import { newId } from '@code-executor/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AcceptedExecution, endWithoutProgram } from '../execution.ts';
import { openTestDatabase } from '../testing/open-test-executions.ts';
import { createExecutionStore, type ExecutionStore } from './execution-store.ts';
import type { EndedExecution } from './finish-statement.ts';

let database: Awaited<ReturnType<typeof openTestDatabase>>;
let store: ExecutionStore;

beforeAll(async () => {
  database = await openTestDatabase();
  store = createExecutionStore(database.db);
});

afterAll(async () => {
  await database.remove();
});

const accepted = (fields: Partial<AcceptedExecution> = {}): AcceptedExecution => ({
  id: newId('exe'),
  workspaceId: 'wsp_default',
  principalId: 'key_test',
  requestId: 'req_test',
  language: 'typescript',
  code: 'return 1',
  args: {},
  files: {},
  timeoutMs: 30_000,
  typecheck: false,
  createdAt: new Date(),
  ...fields,
});

const ended = (id: string, token: number, resultJson: string | null = null): EndedExecution => ({
  id,
  token,
  endedAt: new Date(),
  queueMs: 1,
  totalMs: 2,
  outputTokens: 0,
  outcome: { ...endWithoutProgram('succeeded', null, 'none'), resultJson },
  eventsJson: '[]',
});

test('what is claimed is what was accepted, and one of many who claim it gets it', async () => {
  const execution = accepted({
    code: 'a\u0010b ü 😀',
    args: { text: '\u0000\ud800', ['__proto__']: 1 },
    files: { 'lib/a.ts': 'x' },
    typecheck: true,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  });
  await store.insert({ execution, startedBy: null });
  const claims = await Promise.all([1, 2, 3].map((worker) => store.claim(execution.id, `worker_${worker}`, new Date())));
  expect(claims.filter((claim) => claim !== null)).toEqual([{ ...execution, token: 1 }]);
});

test('an end is written once, and a stale token writes nothing', async () => {
  const { id } = accepted();
  await store.insert({ execution: accepted({ id }), startedBy: null });
  await store.claim(id, 'worker_1', new Date());
  expect(await store.finish(ended(id, 0, '"stale"'))).toBe(false);
  expect(await Promise.all([store.finish(ended(id, 1, '"first"')), store.finish(ended(id, 0, '"stale"'))])).toEqual([true, false]);
  expect(await store.finish(ended(id, 1, '"second"'))).toBe(false);
  expect((await store.find(id, { workspaceId: 'wsp_default' }))?.record.resultJson).toBe('"first"');
});

test('a long result of a stale holder is never read', async () => {
  const { id } = accepted();
  const long = (letter: string): string => JSON.stringify(letter.repeat(300_000));
  await store.insert({ execution: accepted({ id }), startedBy: 'worker_1' });
  expect(await store.finish(ended(id, 7, long('s')))).toBe(false);
  expect(await store.finish(ended(id, 1, long('r')))).toBe(true);
  expect((await store.find(id, { workspaceId: 'wsp_default' }))?.record.resultJson).toBe(long('r'));
});

test('a row written as running is no longer to be claimed', async () => {
  const execution = accepted();
  await store.insert({ execution, startedBy: 'worker_1' });
  expect(await store.claim(execution.id, 'worker_2', new Date())).toBeNull();
});

test('rows that are written together are each what they were', async () => {
  const all = Array.from({ length: 40 }, (_, index) => accepted({ code: `return ${index}` }));
  await Promise.all(all.map((execution) => store.insert({ execution, startedBy: null })));
  const claimed = await Promise.all(all.map(({ id }) => store.claim(id, 'worker_1', new Date())));
  expect(claimed.map((claim) => claim?.code)).toEqual(all.map(({ code }) => code));
  const written = await Promise.all(all.map(({ id }, index) => store.finish(ended(id, 1, `${index}`))));
  expect(written).toEqual(all.map(() => true));
  const found = await Promise.all(all.map(({ id }) => store.find(id, { workspaceId: 'wsp_default' })));
  expect(found.map((each) => each?.record.resultJson)).toEqual(all.map((_, index) => `${index}`));
});
