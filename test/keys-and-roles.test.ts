import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { ask, makeKey } from './support/ask.ts';
import { followEvents } from './support/events.ts';
import { refusalsOf } from './support/expect-refusal.ts';
import { serviceForThisFile } from './support/service-suite.ts';

const { service } = serviceForThisFile();
const expectRefusal = refusalsOf(service);

const code = 'return 1';
const language = 'typescript';

describe('keys', () => {
  const body = { code, language };
  const known = /This key is unknown, expired or revoked/;

  test('none, none that is a bearer token, and one that is unknown', async () => {
    await expectRefusal(['POST', '/execute', { key: null, body }], 401, 'UNAUTHENTICATED', /send `Authorization: Bearer <key>`/);
    await expectRefusal(['POST', '/execute', { key: null, raw: '{"not json' }], 401, 'UNAUTHENTICATED', /send `Authorization/);
    const basic = { authorization: 'Basic YTpi' };
    await expectRefusal(
      ['POST', '/execute', { key: null, headers: basic, body }],
      401,
      'UNAUTHENTICATED',
      /not of the form `Bearer <key>`/,
    );
    await expectRefusal(['POST', '/execute', { key: 'cek_wrong', body }], 401, 'UNAUTHENTICATED', known);
    await expectRefusal(['POST', '/execute', { key: service().key.slice(0, -1), body }], 401, 'UNAUTHENTICATED', known);
    await expectRefusal(['GET', '/executions?access_token=x', { key: null }], 401, 'UNAUTHENTICATED', /send `Authorization/);
  });

  test('one that was revoked', async () => {
    const { key, id } = await makeKey(service(), 'agent');
    expect((await ask(service(), 'POST', '/execute', { key, body })).status).toBe(200);
    expect((await ask(service(), 'DELETE', `/keys/${id}`)).status).toBe(200);
    await expectRefusal(['POST', '/execute', { key, body }], 401, 'UNAUTHENTICATED', known);
    await expectRefusal(['GET', '/tools', { key }], 401, 'UNAUTHENTICATED', known);
  });

  test('one that expired', async () => {
    const expiresMs = Date.now() + 5_000;
    const expiresAt = new Date(expiresMs).toISOString();
    const { key } = (await ask(service(), 'POST', '/keys', { body: { name: 'short', role: 'agent', expiresAt } })).json() as {
      key: string;
    };
    expect((await ask(service(), 'GET', '/tools', { key })).status).toBe(200);
    await sleep(expiresMs - Date.now() + 100);
    await expectRefusal(['POST', '/execute', { key, body }], 401, 'UNAUTHENTICATED', known);
  });

  test('one that is revoked while its program runs: who waits and who follows learn nothing more, and the program ends as it would', async () => {
    const { key, id } = await makeKey(service(), 'agent');
    const slow = {
      language,
      code: "for (let n = 0; n < 18; n++) { console.log('secret', n); await new Promise((r) => setTimeout(r, 1_000)) }\nreturn 'secret result'",
    };
    const waiting = ask(service(), 'POST', '/execute', { key, body: slow });
    const executionId = await newestRunning();
    const stream = await followEvents(service(), executionId, { key });
    await stream.until(({ type }) => type === 'output');
    expect((await ask(service(), 'DELETE', `/keys/${id}`)).status).toBe(200);

    const refused = await waiting;
    expect(refused.status, refused.text).toBe(401);
    expect(refused.json()).toMatchObject({ error: { code: 'UNAUTHENTICATED', message: expect.stringContaining(executionId) } });
    expect(refused.text).not.toContain('secret result');

    const events = await stream.ended;
    expect(events.at(-1)).toMatchObject({ type: 'error', data: { code: 'UNAUTHENTICATED', message: expect.stringMatching(known) } });
    expect((await service().get(`/executions/${executionId}`)).body).toMatchObject({ status: 'succeeded', result: 'secret result' });
  }, 60_000);
});

async function newestRunning(): Promise<string> {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    const { body } = await service().get('/executions?limit=1&status=running');
    const [item] = (body as { items: { executionId: string }[] }).items;
    if (item !== undefined) return item.executionId;
    await sleep(50);
  }
  throw new Error('no execution runs');
}

describe('roles', () => {
  let agent: string;
  let other: string;
  let operator: string;
  beforeAll(async () => {
    agent = (await makeKey(service(), 'agent')).key;
    other = (await makeKey(service(), 'agent')).key;
    operator = (await makeKey(service(), 'operator')).key;
  });

  test('an execution of another agent is not there for an agent, and is for an operator', async () => {
    const { executionId } = (await ask(service(), 'POST', '/execute', { key: agent, body: { code, language } })).json() as {
      executionId: string;
    };
    for (const [method, path] of [
      ['GET', `/executions/${executionId}`],
      ['GET', `/executions/${executionId}/events`],
      ['POST', `/executions/${executionId}/cancel`],
      ['POST', `/executions/${executionId}/resume`],
    ] as const) {
      await expectRefusal([method, path, { key: other }], 404, 'EXECUTION_NOT_FOUND', /no execution/i);
    }
    const absent = executionId.replace(/.{5}$/, '00000');
    const messageOf = async (id: string): Promise<string> =>
      ((await ask(service(), 'GET', `/executions/${id}`, { key: other })).json() as { error: { message: string } }).error.message.replace(
        id,
        'ID',
      );
    expect(await messageOf(executionId)).toBe(await messageOf(absent));
    expect((await ask(service(), 'GET', '/executions', { key: other })).json()).toMatchObject({ items: [], total: 0 });
    expect((await ask(service(), 'GET', `/executions/${executionId}`, { key: operator })).status).toBe(200);
    await expectRefusal(
      ['POST', `/executions/${executionId}/cancel`, { key: agent }],
      409,
      'EXECUTION_ENDED',
      /has ended already: succeeded/,
    );
    await expectRefusal(
      ['POST', `/executions/${executionId}/resume`, { key: agent }],
      409,
      'EXECUTION_NOT_PAUSED',
      /never waited for an approval/,
    );
  });

  test('an operator key that is narrowed to running programs reads no execution but its own, by no way there is', async () => {
    const made = await ask(service(), 'POST', '/keys', { body: { name: 'runner', role: 'operator', scopes: ['execute'] } });
    const { key } = made.json() as { key: string };
    const run = async (by: string): Promise<string> =>
      ((await ask(service(), 'POST', '/execute', { key: by, body: { code, language } })).json() as { executionId: string }).executionId;
    const read = (id: string) =>
      ask(service(), 'POST', '/mcp', {
        key,
        headers: { accept: 'application/json, text/event-stream' },
        body: { jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: `execution://${id}` } },
      });
    const resume = (id: string) =>
      ask(service(), 'POST', '/mcp', {
        key,
        headers: { accept: 'application/json, text/event-stream' },
        body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'resume', arguments: { executionId: id } } },
      });
    const foreign = await run(agent);
    await expectRefusal(['GET', `/executions/${foreign}`, { key }], 403, 'FORBIDDEN', /executions:read/);
    expect((await read(foreign)).text).toContain('EXECUTION_NOT_FOUND');
    expect((await resume(foreign)).text).toContain('EXECUTION_NOT_FOUND');
    for (const act of ['resume', 'cancel'])
      await expectRefusal(['POST', `/executions/${foreign}/${act}`, { key }], 404, 'EXECUTION_NOT_FOUND', /no execution/i);
    expect((await read(await run(key))).text).toContain('succeeded');
  });

  test.each<[string, string, string, unknown]>([
    ['GET', '/integrations', 'operator', undefined],
    ['GET', '/policies', 'operator', undefined],
    ['GET', '/metrics', 'operator', undefined],
    ['POST', '/integrations', 'admin', { slug: 'mine', kind: 'mcp', command: 'sh' }],
    ['DELETE', '/integrations/mine', 'admin', undefined],
    ['POST', '/integrations/mine/refresh', 'admin', {}],
    ['POST', '/policies', 'admin', { pattern: '*', action: 'allow' }],
    ['DELETE', '/policies/pol_1', 'admin', undefined],
    ['GET', '/keys', 'admin', undefined],
    ['POST', '/keys', 'admin', { name: 'more', role: 'admin' }],
    ['DELETE', '/keys/key_1', 'admin', undefined],
  ])('%s %s is not for agents', async (method, path, needed, body) => {
    await expectRefusal(
      [method, path, { key: agent, body }],
      403,
      'FORBIDDEN',
      new RegExp(`needs the role ${needed}; this key has the role agent`),
    );
    if (needed === 'admin')
      await expectRefusal([method, path, { key: operator, body }], 403, 'FORBIDDEN', /needs the role admin; .* operator/);
  });
});
