import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONFIDENTIAL_CLIENT, startAuthorizationServer } from '../packages/tools/src/testing/authorization-server.ts';
import { ask, makeKey } from './support/ask.ts';
import { type Service, startService } from './support/start-service.ts';

interface Answer {
  executionId: string;
  status: string;
  result: unknown;
  output: string;
  error: { code: string; message: string } | null;
  approval: { id: string; tool: string; arguments: unknown } | null;
}
interface Failure {
  error: { code: string; message: string };
}

const SECRET = 'hand-me-over-4711-canary';

let directory: string;
let service: Service;
let agent: { key: string; id: string };
let operator: { key: string; id: string };
let upstream: Server;
let upstreamUrl: string;
const seen: string[] = [];

beforeAll(async () => {
  upstream = createServer((request, response) => {
    seen.push(String(request.headers.authorization ?? ''));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(request.url === '/openapi.json' ? documentOf(upstreamUrl) : { pets: 3 }));
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  upstreamUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  directory = mkdtempSync(join(tmpdir(), 'administration-tools-'));
  mkdirSync(join(directory, 'data'));
  service = await startService(join(directory, 'data'), { EXECUTOR_ADMIN_TOOLS: 'true', EXECUTOR_OUTBOUND_ALLOW: '127.0.0.1' });
  agent = await makeKey(service, 'agent');
  operator = await makeKey(service, 'operator');
}, 150_000);

afterAll(async () => {
  await service?.stop();
  upstream?.close();
  rmSync(directory, { recursive: true, force: true });
});

const documentOf = (url: string) => ({
  openapi: '3.1.0',
  info: { title: 'Pets', version: '1' },
  servers: [{ url }],
  components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
  security: [{ token: [] }],
  paths: { '/pets': { get: { operationId: 'countPets', responses: { 200: { description: 'how many' } } } } },
});

const json = async (method: string, path: string, body?: unknown, key: string | null = agent.key) => {
  const answer = await ask(service, method, path, { key, body });
  return { status: answer.status, body: answer.text === '' ? null : answer.json() };
};
const run = async (code: string, key = agent.key): Promise<Answer> =>
  (await json('POST', '/execute', { language: 'typescript', code }, key)).body as Answer;
const decide = (id: string, body: unknown, key = service.key) => json('POST', `/approvals/${id}`, body, key);
const resume = async (id: string): Promise<Answer> => (await json('POST', `/executions/${id}/resume`, {})).body as Answer;
const asked = (answer: Answer): string => {
  expect(answer).toMatchObject({ status: 'paused' });
  return answer.approval?.id ?? 'none';
};
/** What a program's call ends in, after the decision of this key. */
async function approved(code: string, key = service.key): Promise<Answer> {
  const paused = await run(`try { return await ${code} } catch (error) { return { code: error.code, message: error.message } }`);
  expect(await decide(asked(paused), { decision: 'approve' }, key)).toMatchObject({ status: 200 });
  return await resume(paused.executionId);
}
const call = (tool: string, args: unknown = {}): string => `tools.executor[${JSON.stringify(tool)}](${JSON.stringify(args)})`;

describe('the tools of administration', () => {
  test('let an agent look without asking anybody, and show it no secrets and nobody else', async () => {
    const looked = await run(`return {
      integrations: await ${call('integrations.list')}, connections: await ${call('connections.list')},
      policies: await ${call('policies.list')}, preview: await ${call('policies.preview', { tool: 'executor.policies.add' })} };`);
    expect(looked).toMatchObject({
      status: 'succeeded',
      result: { integrations: [], connections: [], preview: { action: 'require_approval' } },
    });
    const { totalTools } = (await json('GET', '/health')).body as { totalTools?: number };
    expect(totalTools ?? 0).toBe(0);
  });

  test('let an agent add an API with an admin’s yes: its tools are there in the next execution', async () => {
    const paused = await run(`return await ${call('integrations.add', { slug: 'pets', url: `${upstreamUrl}/openapi.json` })}`);
    const id = asked(paused);
    expect(paused.approval).toMatchObject({ tool: 'executor.integrations.add', arguments: { slug: 'pets' } });
    expect(await decide(id, { decision: 'approve' }, agent.key)).toMatchObject({ status: 403 });
    for (const scope of ['always', 'execution']) expect(await decide(id, { decision: 'approve', scope })).toMatchObject({ status: 400 });
    expect(await decide(id, { decision: 'approve' })).toMatchObject({ status: 200 });
    expect(await resume(paused.executionId)).toMatchObject({ status: 'succeeded', result: { slug: 'pets', toolCount: 1 } });
    expect(await run('return await tools.pets.countPets({})')).toMatchObject({ status: 'succeeded', result: { pets: 3 } });

    const { body } = await json('GET', '/audit?type=integration.create', undefined, service.key);
    const [act] = (body as { items: { principal: { role: string }; target: string; details: { askedBy: string; approvalId: string } }[] })
      .items;
    expect(act).toMatchObject({ target: 'pets', principal: { role: 'admin' }, details: { askedBy: agent.id, approvalId: id } });
  }, 60_000);

  test('do nothing where a person says no, or says yes without the role that it takes', async () => {
    const wanted = call('integrations.add', { slug: 'denied', url: `${upstreamUrl}/openapi.json` });
    const paused = await run(`try { return await ${wanted} } catch (error) { return error.code }`);
    await decide(asked(paused), { decision: 'deny' }, operator.key);
    expect(await resume(paused.executionId)).toMatchObject({ result: 'APPROVAL_DENIED' });
    expect(await approved(wanted, operator.key)).toMatchObject({ result: { code: 'FORBIDDEN' } });
    expect(await json('GET', '/integrations/denied', undefined, service.key)).toMatchObject({ status: 404 });
  }, 60_000);

  test('take no command, and no document without where its calls go', async () => {
    const commanded = await run(
      `try { return await ${call('integrations.add', { slug: 'shell', command: 'sh' })} } catch (error) { return error.code }`,
    );
    expect(commanded).toMatchObject({ status: 'succeeded', result: 'INVALID_ARGUMENTS' });
    const document = JSON.stringify(documentOf(upstreamUrl));
    expect(await approved(call('integrations.add', { slug: 'text', document }))).toMatchObject({ result: { code: 'INVALID_REQUEST' } });
  }, 60_000);

  test('add a rule that a person has read whole, and none that opens themselves', async () => {
    const added = await approved(call('policies.add', { pattern: 'pets.countPets', action: 'block' }));
    expect(added).toMatchObject({ result: { pattern: 'pets.countPets', action: 'block' } });
    const { id } = added.result as { id: string };
    const other = { id, pattern: 'harmless.*', action: 'block' };
    expect(await approved(call('policies.remove', other))).toMatchObject({ result: { code: 'POLICY_NOT_FOUND' } });
    const own = await approved(call('policies.remove', { id, pattern: 'pets.countPets', action: 'block' }));
    expect(own).toMatchObject({ result: { removed: id } });
    for (const pattern of ['executor.*', 'executor.policies.add', 'executor@work.*'])
      expect(await approved(call('policies.add', { pattern, action: 'allow' }))).toMatchObject({ result: { code: 'FORBIDDEN' } });
    // Cut off for whoever approves: nobody has read it.
    const when = [{ path: '$.repo', oneOf: Array.from({ length: 200 }, (_, index) => `${index}`.repeat(100)) }];
    const long = await approved(call('policies.add', { pattern: 'pets.*', action: 'allow', when }));
    expect(long).toMatchObject({ result: { code: 'INVALID_ARGUMENTS' } });
  }, 120_000);

  test('are opened by no wide rule, only by one for the very tool, with the rights of whoever wrote it', async () => {
    const refresh = call('integrations.refresh', { slug: 'pets' });
    const ids: string[] = [];
    for (const pattern of ['*', 'executor.*', 'executor.integrations.*']) {
      ids.push(((await json('POST', '/policies', { pattern, action: 'allow' }, service.key)).body as { id: string }).id);
      await decide(asked(await run(`return await ${refresh}`)), { decision: 'deny' });
    }
    const exact = { pattern: 'executor.integrations.refresh', action: 'allow' };
    ids.push(((await json('POST', '/policies', exact, service.key)).body as { id: string }).id);
    expect(await run(`return (await ${refresh}).slug`)).toMatchObject({ status: 'succeeded', result: 'pets' });
    for (const id of ids) await json('DELETE', `/policies/${id}`, undefined, service.key);
  }, 60_000);

  test('are gone where a policy blocks them', async () => {
    const { body } = await json('POST', '/policies', { pattern: 'executor.*', action: 'block' }, service.key);
    expect(await json('POST', '/tools/invoke/executor/integrations.list', {})).toMatchObject({
      status: 403,
      body: { error: { code: 'TOOL_BLOCKED' } },
    });
    await json('DELETE', `/policies/${(body as { id: string }).id}`, undefined, service.key);
    expect(await json('POST', '/tools/invoke/executor/integrations.list', {})).toMatchObject({ status: 200 });
  });
});

describe('a handoff', () => {
  const wanted = { integration: 'pets', name: 'work', auth: { type: 'bearer' } };
  const made = async (more: object = {}): Promise<{ path: string; code: string }> => {
    const { result } = await approved(call('connections.createHandoff', { ...wanted, ...more }), operator.key);
    const { url = 'http://none/', code = '' } = result as { url?: string; code?: string };
    return { path: new URL(url).pathname, code };
  };

  test('is a page where a person enters a secret, which calls are made with and nobody sees', async () => {
    const { path } = await made();
    const page = await ask(service, 'GET', path, { key: null, headers: { accept: 'text/html' } });
    expect(page.status).toBe(200);
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    expect(page.text).not.toContain('pets');
    for (const key of [agent.key, null]) {
      expect([401, 403]).toContain((await json('GET', path, undefined, key)).status);
      expect([401, 403]).toContain((await json('POST', path, { values: { token: SECRET } }, key)).status);
    }
    expect(await json('GET', path, undefined, service.key)).toMatchObject({
      status: 200,
      body: { status: 'open', integration: 'pets', url: expect.stringContaining(upstreamUrl), fields: ['token'], askedBy: agent.id },
    });
    const wrong = await json('POST', path, { values: { password: SECRET } }, service.key);
    expect(wrong).toMatchObject({ status: 400 });
    expect(JSON.stringify(wrong.body)).not.toContain(SECRET);
    const entered = await json('POST', path, { values: { token: SECRET } }, service.key);
    expect(entered).toMatchObject({ status: 201, body: { integration: 'pets', name: 'work', owner: 'workspace' } });
    expect(JSON.stringify(entered.body)).not.toContain(SECRET);

    expect(await json('POST', path, { values: { token: 'another' } }, service.key)).toMatchObject({
      status: 409,
      body: { error: { code: 'HANDOFF_USED' } } satisfies { error: Partial<Failure['error']> },
    });
    expect(await run(`return [await tools.pets.countPets({}), await ${call('connections.list')}]`)).toMatchObject({
      result: [{ pets: 3 }, [{ address: 'pets@work', status: 'active' }]],
    });
    expect(seen).toContain(`Bearer ${SECRET}`);
    const audit = JSON.stringify((await json('GET', '/audit?limit=200', undefined, service.key)).body);
    expect(audit).toContain('handoff.create');
    expect(audit).not.toContain(SECRET);
    expect(readFileSync(service.logFile, 'utf8')).not.toContain(SECRET);
    const database = join(directory, 'data', 'database');
    for (const file of readdirSync(database, { recursive: true, withFileTypes: true })) {
      if (file.isFile()) expect(readFileSync(join(file.parentPath, file.name)).includes(SECRET)).toBe(false);
    }
  }, 120_000);

  test('is for the integration as it was: after another took its place, it takes nothing', async () => {
    const { path } = await made({ name: 'later' });
    expect(await json('DELETE', '/integrations/pets', undefined, service.key)).toMatchObject({ status: 204 });
    const elsewhere = { slug: 'pets', document: documentOf(upstreamUrl), baseUrl: `${upstreamUrl}/elsewhere` };
    expect(await json('POST', '/integrations', elsewhere, service.key)).toMatchObject({ status: 201 });
    expect(await json('POST', path, { values: { token: SECRET } }, service.key)).toMatchObject({
      status: 409,
      body: { error: { code: 'HANDOFF_USED' } },
    });
  }, 60_000);

  test('for OAuth leads a person to the consent page of the provider, again until they came back, and the agent sees no token', async () => {
    const provider = await startAuthorizationServer();
    try {
      const flow = { authorizationUrl: `${provider.url}/authorize`, tokenUrl: `${provider.url}/token`, scopes: { read: 'reads' } };
      const document = {
        ...documentOf(upstreamUrl),
        components: { securitySchemes: { login: { type: 'oauth2', flows: { authorizationCode: flow } } } },
        security: [{ login: ['read'] }],
      };
      const added = await json('POST', '/integrations', { slug: 'mail', document, baseUrl: upstreamUrl, trust: true }, service.key);
      expect(added.status).toBe(201);
      // Where it leads is the integration's word, or the person's: the agent has none in it.
      const astray = { integration: 'mail', name: 'mine', auth: { type: 'oauth2', authorizationUrl: 'https://evil.example' } };
      const refused = await run(`try { return await ${call('connections.createHandoff', astray)} } catch (error) { return error.code }`);
      expect(refused).toMatchObject({ status: 'succeeded', result: 'INVALID_ARGUMENTS' });
      const { path } = await made({ integration: 'mail', name: 'mine', auth: { type: 'oauth2', scopes: ['read'] } });
      const state = async () => (await json('GET', path, undefined, service.key)).body as { status: string };
      expect(await state()).toMatchObject({ status: 'open', fields: [], optionalFields: ['clientId', 'clientSecret', 'issuer'] });

      const enter = (values: object) => json('POST', path, { values }, service.key);
      expect((await enter({ clientSecret: 'alone' })).status).toBe(400);
      expect((await enter({ token: SECRET })).status).toBe(400);
      const made_ = await enter(CONFIDENTIAL_CLIENT);
      expect(made_).toMatchObject({ status: 201, body: { status: 'needs_authorization', name: 'mine', auth: { type: 'oauth2' } } });
      const { id } = made_.body as { id: string };
      // They closed the window: the same page leads there again, and makes no second connection.
      expect(await state()).toMatchObject({ status: 'open' });
      expect((await enter({})).body).toMatchObject({ id, status: 'needs_authorization' });

      const begun = await json('POST', `/connections/${id}/oauth/start`, {}, service.key);
      const back = await provider.consent((begun.body as { url: string }).url);
      expect((await ask(service, 'GET', back.pathname + back.search, { key: null })).status).toBe(200);
      expect(await state()).toMatchObject({ status: 'used' });
      expect((await enter({})).status).toBe(409);

      const looked = await run(`return [await tools.mail.countPets({}), await ${call('connections.list', { integration: 'mail' })}]`);
      expect(looked).toMatchObject({ result: [{ pets: 3 }, [{ address: 'mail@mine', status: 'active' }]] });
      const [token = 'none'] = provider.issued.access;
      expect(seen).toContain(`Bearer ${token}`);
      for (const secret of [token, ...provider.issued.refresh, CONFIDENTIAL_CLIENT.clientSecret]) {
        expect(JSON.stringify(looked)).not.toContain(secret);
        expect(readFileSync(service.logFile, 'utf8')).not.toContain(secret);
      }
    } finally {
      await provider.close();
    }
  }, 120_000);

  test('is answered in no words where there is none', async () => {
    const path = '/connections/handoffs/hnd_00000000000000000000000000';
    expect(await json('GET', path, undefined, service.key)).toMatchObject({ status: 404, body: { error: { code: 'HANDOFF_NOT_FOUND' } } });
  });
});
