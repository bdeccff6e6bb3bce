import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROLES, SCOPES } from '@code-executor/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AskOptions, ask, type Reply } from './support/ask.ts';
import { recordingServer } from './support/recording-entry.ts';
import { ROUTE_RIGHTS, type RouteRight } from './support/route-rights.ts';
import { serviceForThisFile } from './support/service-suite.ts';

const directory = mkdtempSync(join(tmpdir(), 'every-route-'));
const serversFile = join(directory, 'mcp-servers.json');
writeFileSync(join(directory, 'notes.txt'), '');
writeFileSync(serversFile, JSON.stringify({ mcpServers: { notes: recordingServer(join(directory, 'notes.txt'), { trust: false }) } }));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const { service } = serviceForThisFile({ EXECUTOR_MCP_SERVERS: serversFile });

/** Roles from the least to the most. */
const LADDER = [...ROLES].reverse();
const ACTS = Object.keys(SCOPES);
let routes: string[];

interface Made {
  readonly id: string;
  readonly key: string;
}

async function make(body: Record<string, unknown>, key?: string): Promise<Made> {
  const reply = await ask(service(), 'POST', '/keys', { body: { name: 'test', ...body }, ...(key === undefined ? {} : { key }) });
  expect(reply.status, reply.text).toBe(201);
  return reply.json() as Made;
}

/** Asks a route as it is documented, of things that there are not, with nothing in the body. */
function knock(route: string, key: string | null): Promise<Reply> {
  const [method = '', template = ''] = route.split(' ');
  const path = template
    .replace('{*}', 'a.txt')
    .replace('{server}', 'nowhere')
    .replace('{tool}', 'nothing')
    .replace('{slug}', 'nowhere')
    .replace('{id}', 'nothing');
  return ask(service(), method, path, { key, signal: AbortSignal.timeout(30_000) } satisfies AskOptions);
}

const codeOf = (reply: Reply): string => {
  try {
    return (reply.json() as { error?: { code?: string } }).error?.code ?? 'none';
  } catch {
    return 'none';
  }
};
const reaches = (role: (typeof LADDER)[number], needed: RouteRight['role']): boolean =>
  needed === 'public' || LADDER.indexOf(role) >= LADDER.indexOf(needed);

beforeAll(async () => {
  const { paths } = (await ask(service(), 'GET', '/openapi.json', { key: null })).json() as { paths: Record<string, object> };
  routes = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
});

describe('every route', () => {
  test('has its right in the table, and the table has no other', () => {
    expect([...routes].sort()).toEqual(routes.filter((route) => Object.hasOwn(ROUTE_RIGHTS, route)).sort());
    expect(Object.keys(ROUTE_RIGHTS).filter((route) => !routes.includes(route) && !route.includes('/oauth/'))).toEqual([]);
  });

  test.each(LADDER)('lets a key of the role %s in where the table says so, and nowhere else', async (role) => {
    const { key } = await make({ role });
    for (const route of routes) {
      const reply = await knock(route, key);
      const may = reaches(role, ROUTE_RIGHTS[route]?.role ?? 'admin');
      expect([route, codeOf(reply) === 'FORBIDDEN', reply.status === 401], route).toEqual([route, !may, false]);
    }
  });

  test('lets nobody in without a key, nor with one that was revoked or has expired', async () => {
    const revoked = await make({ role: 'admin' });
    await ask(service(), 'DELETE', `/keys/${revoked.id}`);
    const expired = await make({ role: 'admin', expiresAt: new Date(Date.now() + 1_500).toISOString() });
    await sleep(1_600);
    for (const key of [null, revoked.key, expired.key, 'cex_nonsense']) {
      for (const route of routes) {
        if (ROUTE_RIGHTS[route]?.role === 'public') continue;
        expect([route, (await knock(route, key)).status]).toEqual([route, 401]);
      }
    }
  });

  test('is closed to an admin key with scopes but for what these say', async () => {
    for (const scope of ACTS) {
      const { key } = await make({ role: 'admin', scopes: [scope] });
      const open = [];
      for (const route of routes) {
        if (ROUTE_RIGHTS[route]?.role === 'public' || route === 'DELETE /executions') continue;
        if (codeOf(await knock(route, key)) !== 'FORBIDDEN') open.push(route);
      }
      const implied = ['any', scope, scope.replace(/:(write|decide)$/, ':read'), ...(scope === 'skills:write' ? ['tools:read'] : [])];
      const meant = routes.filter((route) => {
        const right = ROUTE_RIGHTS[route];
        return right?.role !== 'public' && route !== 'DELETE /executions' && right?.scope != null && implied.includes(right.scope);
      });
      expect([scope, open]).toEqual([scope, meant]);
    }
  }, 120_000);
});

describe('no key makes a wider one', () => {
  test('not an operator, not one with scopes, not one that ends', async () => {
    for (const role of ['operator', 'agent']) {
      const { key } = await make({ role });
      const reply = await ask(service(), 'POST', '/keys', { key, body: { name: 'wider', role: 'admin' } });
      expect([reply.status, codeOf(reply)]).toEqual([403, 'FORBIDDEN']);
    }
    const narrow = await make({ role: 'admin', scopes: ['keys:write', 'tools:read'] });
    const refused = async (body: Record<string, unknown>, key: string): Promise<string> =>
      codeOf(await ask(service(), 'POST', '/keys', { key, body: { name: 'wider', role: 'agent', ...body } }));
    expect(await refused({}, narrow.key)).toBe('FORBIDDEN');
    expect(await refused({ scopes: ['servers:notes'] }, narrow.key)).toBe('FORBIDDEN');
    expect(await refused({ scopes: ['tools:read', 'execute'] }, narrow.key)).toBe('FORBIDDEN');
    await make({ role: 'agent', scopes: ['tools:read', 'servers:notes'] }, narrow.key);
    const ends = await make({ role: 'admin', expiresAt: new Date(Date.now() + 3_600_000).toISOString() });
    expect(await refused({}, ends.key)).toBe('FORBIDDEN');
    expect(await refused({ expiresAt: new Date(Date.now() + 7_200_000).toISOString() }, ends.key)).toBe('FORBIDDEN');
    await make({ role: 'agent', expiresAt: new Date(Date.now() + 60_000).toISOString() }, ends.key);
  });

  test.each([['nothing:at_all'], ['servers:'], ['servers:a b'], ['admin']])('the scope %j is refused by name', async (scope) => {
    const reply = await ask(service(), 'POST', '/keys', { body: { name: 'x', role: 'agent', scopes: [scope] } });
    expect([reply.status, codeOf(reply)]).toEqual([400, 'INVALID_REQUEST']);
    expect(reply.text).toContain('servers:<slug>');
  });
});

describe('a key for one server', () => {
  test('reads, changes and decides nothing of another one, by its name or by an id', async () => {
    const document = JSON.stringify({
      ...{ openapi: '3.1.0', info: { title: 'notes', version: '1' } },
      paths: { '/notes': { get: { operationId: 'listNotes', responses: { 200: { description: 'ok' } } } } },
    });
    const integration = { slug: 'more-notes', kind: 'openapi', document, baseUrl: 'http://127.0.0.1:1' };
    const made = await ask(service(), 'POST', '/integrations', { body: integration });
    expect(made.status, made.text).toBe(201);
    const added = await ask(service(), 'POST', '/connections', {
      body: { integration: 'more-notes', name: 'work', owner: 'workspace', auth: { type: 'bearer', token: 'a token' } },
    });
    expect(added.status, added.text).toBe(201);
    const paused = (
      await ask(service(), 'POST', '/execute', { body: { language: 'typescript', code: "return await tools.notes.note({ text: 'x' })" } })
    ).json() as { executionId: string; approval: { id: string } };
    const policy = (await ask(service(), 'POST', '/policies', { body: { pattern: 'notes.learn', action: 'block' } })).json() as {
      id: string;
    };
    const { key } = await make({ role: 'admin', scopes: ['servers:elsewhere'] });
    const code = async (method: string, path: string, body?: unknown): Promise<string> =>
      codeOf(await ask(service(), method, path, { key, ...(body === undefined ? {} : { body }) }));
    for (const list of ['/tools', '/integrations', '/connections', '/approvals']) {
      expect((await ask(service(), 'GET', list)).text, list).toContain('notes');
      expect((await ask(service(), 'GET', list, { key })).text, list).toContain('"items":[]');
    }
    const { id: connectionId } = added.json() as { id: string };
    for (const method of ['GET', 'DELETE']) expect(await code(method, `/connections/${connectionId}`)).toBe('CONNECTION_NOT_FOUND');
    expect(await code('PATCH', `/connections/${connectionId}`, { default: true })).toBe('CONNECTION_NOT_FOUND');
    expect(await code('GET', '/integrations/notes')).toBe('FORBIDDEN');
    expect(await code('DELETE', '/integrations/notes')).toBe('FORBIDDEN');
    expect(await code('POST', '/tools/invoke/notes/look', {})).toBe('FORBIDDEN');
    expect(await code('GET', `/approvals/${paused.approval.id}`)).toBe('FORBIDDEN');
    expect(await code('POST', `/approvals/${paused.approval.id}`, { decision: 'approve' })).toBe('FORBIDDEN');
    expect(await code('PATCH', `/policies/${policy.id}`, { action: 'allow' })).toBe('FORBIDDEN');
    expect(await code('DELETE', `/policies/${policy.id}`)).toBe('FORBIDDEN');
    expect(await code('POST', '/policies', { pattern: '*', action: 'allow' })).toBe('FORBIDDEN');
    expect(await code('POST', '/policies', { pattern: 'elsewhere.*', action: 'block' })).toBe('none');
    await ask(service(), 'POST', `/executions/${paused.executionId}/cancel`);
  });
});

describe('an agent', () => {
  test("sees nothing of another's executions, sessions, files and approvals, and can touch none of it", async () => {
    const own = await make({ role: 'agent' });
    const other = await make({ role: 'agent' });
    const execute = async (body: Record<string, unknown>) => {
      const reply = await ask(service(), 'POST', '/execute', { key: own.key, body: { language: 'typescript', ...body } });
      return reply.json() as { executionId: string; status: string; approval: { id: string } | null };
    };
    const ran = await execute({ code: "await Bun.write('/workspace/artifacts/secret.txt', 'secret'); return 1", sessionId: 'mine' });
    const paused = await execute({ code: "return await tools.notes.note({ text: 'secret' })" });
    expect([ran.status, paused.status]).toEqual(['succeeded', 'paused']);
    const approval = paused.approval?.id ?? '';
    const seen = async (path: string, method = 'GET', body?: unknown): Promise<[number, string]> => {
      const reply = await ask(service(), method, path, { key: other.key, ...(body === undefined ? {} : { body }) });
      for (const mine of [ran.executionId, paused.executionId, 'secret']) if (reply.status < 400) expect(reply.text).not.toContain(mine);
      return [reply.status, codeOf(reply)];
    };
    for (const id of [ran.executionId, paused.executionId]) {
      for (const path of ['', '/events', '/artifacts', '/artifacts/secret.txt'])
        expect([path, ...(await seen(`/executions/${id}${path}`))]).toEqual([path, 404, 'EXECUTION_NOT_FOUND']);
      for (const path of ['/cancel', '/resume'])
        expect([path, ...(await seen(`/executions/${id}${path}`, 'POST'))]).toEqual([path, 404, 'EXECUTION_NOT_FOUND']);
    }
    for (const list of ['/executions', '/sessions', '/approvals', '/approvals?status=pending']) expect((await seen(list))[0]).toBe(200);
    expect(await seen(`/approvals/${approval}`)).toEqual([404, 'APPROVAL_NOT_FOUND']);
    expect(await seen(`/approvals/${approval}`, 'POST', { decision: 'approve' })).toEqual([403, 'FORBIDDEN']);
    expect((await seen('/sessions/mine/files'))[0]).toBe(404);
    expect((await seen('/sessions/mine', 'DELETE'))[0]).toBe(404);
    // Nor does it decide for itself, by either way.
    const ask1 = (path: string) => ask(service(), 'POST', path, { key: own.key, body: { decision: 'approve' } });
    expect(codeOf(await ask1(`/approvals/${approval}`))).toBe('FORBIDDEN');
    expect(codeOf(await ask1(`/executions/${paused.executionId}/resume`))).toBe('FORBIDDEN');
    await ask(service(), 'POST', `/executions/${paused.executionId}/cancel`, { key: own.key });
  });

  test('whose key is revoked while its program runs calls nothing more', async () => {
    await ask(service(), 'POST', '/policies', { body: { pattern: 'notes.count_notes', action: 'allow' } });
    const agent = await make({ role: 'agent' });
    const code = `
      await tools.notes.count_notes({});
      for (let round = 0; round < 100; round += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        try { await tools.notes.count_notes({}); } catch (error) { return [error.code, round]; }
      }`;
    const started = await ask(service(), 'POST', '/execute', { key: agent.key, body: { language: 'typescript', code, wait: false } });
    const { executionId } = started.json() as { executionId: string };
    const events = async (): Promise<string> => (await ask(service(), 'GET', `/audit?execution=${executionId}`)).text;
    await expect.poll(events, { timeout: 20_000 }).toContain('"outcome":"ok"');
    await ask(service(), 'DELETE', `/keys/${agent.id}`);
    const ended = async () => (await ask(service(), 'GET', `/executions/${executionId}`)).json() as { status: string; result: unknown };
    await expect.poll(async () => (await ended()).status, { timeout: 20_000 }).toBe('succeeded');
    expect((await ended()).result).toEqual(['UNAUTHENTICATED', expect.any(Number)]);
  });
});

describe('the record', () => {
  test('has every act of the above with who, what and how it ended, the refused ones too, and no secret', async () => {
    const marker = `key-${Date.now()}`;
    const made = (await ask(service(), 'POST', '/keys', { body: { name: marker, role: 'agent' } })).json() as Made;
    await ask(service(), 'GET', '/policies', { key: made.key });
    const policy = (
      await ask(service(), 'POST', '/policies', { body: { pattern: 'notes.look', action: 'block' }, headers: { 'x-request-id': marker } })
    ).json() as { id: string };
    await ask(service(), 'DELETE', `/policies/${policy.id}`);
    const items = async (query: string) =>
      ((await ask(service(), 'GET', `/audit?limit=5&${query}`)).json() as { items: Record<string, unknown>[] }).items;
    expect((await items('type=key.create'))[0]).toMatchObject({ target: made.id, outcome: 'ok', details: { name: marker, role: 'agent' } });
    expect(await items(`principal=${made.id}`)).toMatchObject([
      { type: 'access.refused', target: 'GET /policies', outcome: 'FORBIDDEN', principal: { role: 'agent', name: marker } },
    ]);
    expect(await items('type=policy')).toMatchObject([
      { type: 'policy.remove', target: policy.id, outcome: 'ok' },
      { type: 'policy.create', target: policy.id, requestId: marker, details: { pattern: 'notes.look', action: 'block' } },
      ...[expect.anything(), expect.anything(), expect.anything()],
    ]);
    const exported = await ask(service(), 'GET', '/audit/export');
    expect(exported.headers['content-type']).toContain('application/x-ndjson');
    const lines = exported.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; at: string });
    expect(lines.length).toBeGreaterThan(100);
    expect(new Set(lines.map(({ type }) => type))).toEqual(expect.objectContaining({}));
    expect(lines.map(({ at }) => at)).toEqual(lines.map(({ at }) => at).sort());
    for (const secret of [made.key, service().key]) expect(exported.text).not.toContain(secret);
    expect((await ask(service(), 'GET', '/audit/verify')).json()).toMatchObject({ whole: true, brokenAt: null });
  });
});
