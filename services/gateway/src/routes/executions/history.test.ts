import { afterEach, beforeEach, expect, test } from 'vitest';
import { KEYS, type OpenGateway, openGateway } from '../../testing/open-gateway.ts';

let gateway: OpenGateway;
beforeEach(async () => {
  gateway = await openGateway();
});
afterEach(() => gateway.app.close());

const run = (code: string) => gateway.ask('POST', '/execute', { body: { language: 'typescript', code } });
const asOperator = { key: KEYS.operator };
const asAdmin = { key: KEYS.admin };
const codeOf = (answer: { status: number; json(): { error: { code: string } } }) => [answer.status, answer.json().error.code];

test('an operator exports the history as JSON Lines, each as GET /executions/:id answers it', async () => {
  await run('return 42');
  await run('return 43');
  const answer = await gateway.ask('GET', '/executions/export', asOperator);
  expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/x-ndjson; charset=utf-8']);
  const lines = answer.text.split('\n');
  expect(lines.pop()).toBe('');
  const single = await Promise.all(gateway.executions.ids().map((id) => gateway.ask('GET', `/executions/${id}`, asOperator)));
  expect(lines).toEqual(single.map(({ text }) => text));
});

test('a history with nothing in it is an empty answer', async () => {
  await run('return 42');
  const answer = await gateway.ask('GET', '/executions/export?status=failed', asOperator);
  expect([answer.status, answer.text]).toEqual([200, '']);
});

test('an export is for operators, a purge for admins', async () => {
  expect(codeOf(await gateway.ask('GET', '/executions/export'))).toEqual([403, 'FORBIDDEN']);
  expect(codeOf(await gateway.ask('GET', '/executions/export', { key: null }))).toEqual([401, 'UNAUTHENTICATED']);
  expect(codeOf(await gateway.ask('DELETE', '/executions?before=2026-01-01T00:00:00Z', asOperator))).toEqual([403, 'FORBIDDEN']);
});

test.each([
  '/executions/export?status=done',
  '/executions/export?from=yesterday',
  '/executions/export?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z',
  '/executions/export?limit=3',
])('%s is refused by name', async (url) => {
  const answer = await gateway.ask('GET', url, asOperator);
  expect(codeOf(answer)).toEqual([400, 'INVALID_REQUEST']);
  expect(answer.json().error.message).toMatch(/"(status|from|to|limit)"/);
});

test('a database that is away is an answer of its own', async () => {
  await run('return 42');
  gateway.executions.failure = new Error('the database is away');
  expect(codeOf(await gateway.ask('GET', '/executions/export', asOperator))).toEqual([500, 'INTERNAL']);
});

test('an export that cannot go on is cut off, so that nobody takes it for a whole one', async () => {
  const { url } = await gateway.listen();
  for (let count = 0; count < 3; count += 1) await run('return 42');
  // The key goes away after the first line.
  const authenticate = gateway.keys.authenticate.bind(gateway.keys);
  let asked = 0;
  gateway.keys.authenticate = async (key) => {
    asked += 1;
    return asked > 2 ? null : authenticate(key);
  };
  const response = await fetch(`${url}/executions/export`, { headers: { authorization: `Bearer ${KEYS.operator}` } });
  expect(response.status).toBe(200);
  await expect(response.text()).rejects.toThrow();
  expect(gateway.logLines.join('')).toContain('an export was broken off');
});

test('an admin deletes what ended before a time that has to be said', async () => {
  await run('return 42');
  for (const url of ['/executions', '/executions?before=now'])
    expect(codeOf(await gateway.ask('DELETE', url, asAdmin))).toEqual([400, 'INVALID_REQUEST']);
  const kept = await gateway.ask('DELETE', '/executions?before=2026-01-01T00:00:00Z', asAdmin);
  expect([kept.status, kept.json()]).toEqual([200, { purged: 0, complete: true }]);
  const purged = await gateway.ask('DELETE', `/executions?before=${new Date(Date.now() + 1_000).toISOString()}`, asAdmin);
  expect(purged.json()).toEqual({ purged: 1, complete: true });
  expect(gateway.executions.ids()).toEqual([]);
});
