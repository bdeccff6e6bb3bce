import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../support/ask.ts';
import { startRemoteServer } from '../support/remote-server.ts';
import { serviceForThisFile } from '../support/service-suite.ts';
import { startService } from '../support/start-service.ts';
import { type NotesApi, notesDocument, startNotesApi, TOKEN } from './support/notes-api.ts';

interface Integration {
  slug: string;
  kind: string;
  state: string;
  reason: string | null;
  toolCount: number;
  warnings: string[];
  document: { title: string; version: string; baseUrl: string | null; operations: number } | null;
  added?: string[];
  removed?: string[];
  changed?: string[];
}

describe('integrations from documents', () => {
  const { service, typescript, python } = serviceForThisFile({ EXECUTOR_POOL_TYPESCRIPT: '1', EXECUTOR_POOL_PYTHON: '1' });
  let api: NotesApi;
  beforeAll(async () => {
    api = await startNotesApi();
    api.document = notesDocument();
  });
  afterAll(() => api?.close());

  const add = async (body: Record<string, unknown>): Promise<Integration> => {
    const { status, body: answer } = await service().post('/integrations', body);
    expect(status, JSON.stringify(answer)).toBe(201);
    return answer as Integration;
  };
  const refusal = async (path: string, body: unknown) => {
    const { status, body: answer } = await service().post(path, body);
    return { status, ...(answer as { error: { code: string; message: string } }).error };
  };
  const refresh = async (slug: string, body: Record<string, unknown> = {}) => {
    const { status, body: answer } = await service().post(`/integrations/${slug}/refresh`, body);
    expect(status, JSON.stringify(answer)).toBe(200);
    return answer as Integration;
  };
  const invoke = async (server: string, tool: string, args: unknown) => {
    const { status, body } = await service().post(`/tools/invoke/${server}/${tool}`, { args });
    return { status, body: body as { result?: unknown; error?: { code: string; message: string; details?: unknown } } };
  };
  const integration = async (slug: string) => (await service().get(`/integrations/${slug}`)).body as Integration;

  it('finds the kind of a document by its address, and gives a tool for each operation', async () => {
    const added = await add({ slug: 'notes', url: `${api.origin}/openapi.json` });
    expect(added).toMatchObject({
      slug: 'notes',
      kind: 'openapi',
      toolCount: 6,
      document: { title: 'Notes', version: '1.2.3', baseUrl: `${api.origin}/v1`, operations: 6 },
    });
    expect(added.warnings.join()).toContain('is on this machine itself');
    await expect.poll(async () => (await integration('notes')).state).toBe('ready');
    expect(await refusal('/integrations', { slug: 'notes', url: `${api.origin}/openapi.json` })).toMatchObject({
      status: 409,
      code: 'INTEGRATION_EXISTS',
    });
  });

  it('sends path, query, header and cookie where the document says, from both languages', async () => {
    const args = { id: 'a/b', filter: { tag: 'x y' }, 'X-Trace': 't1', theme: 'dark' };
    const { result } = await typescript(`return await tools.notes.getNote(${JSON.stringify(args)})`);
    expect(result).toMatchObject({ method: 'GET', path: '/v1/notes/a/b' });
    const arrived = api.arrived.at(-1);
    expect(arrived?.path).toBe('/v1/notes/a%2Fb');
    expect(arrived?.query.get('filter[tag]')).toBe('x y');
    expect(arrived?.headers).toMatchObject({ 'x-trace': 't1', cookie: expect.stringContaining('theme=dark') });
    const again = await python('from servers.notes import getNote\ngetNote(id="7")');
    expect(again.result).toMatchObject({ path: '/v1/notes/7' });
  });

  it('lets reading calls through, gates the others, and counts no effects by what a document says of itself', async () => {
    const read = await typescript(`return await tools.notes.getNote({ id: '1' })`);
    // The operator has not said that it is free of effects: that a document says GET is a hint.
    expect(read.effects).toBe('some');
    const { status, body } = await invoke('notes', 'deleteNote', { id: '1' });
    expect([status, JSON.stringify(body)]).toEqual([202, expect.stringContaining('execution_paused')]);
  });

  it('sends JSON, forms and files as the document says', async () => {
    await add({ slug: 'trusted', url: `${api.origin}/openapi.json`, trust: true, readOnlyTools: ['getNote'] });
    const run = await typescript(`
      await tools.trusted.addNote({ body: { text: 'hi' } });
      await tools.trusted.sendForm({ body: { a: 'b c' } });
      await tools.trusted.upload({ body: { title: 'T', file: { filename: 'a.txt', base64: '${Buffer.from('content of a').toString('base64')}' } } });
      return await tools.trusted.getNote({ id: '1' });`);
    expect(run, JSON.stringify(run.error)).toMatchObject({ status: 'succeeded', effects: 'some' });
    const [json, form, file] = api.arrived.slice(-4);
    expect([json?.headers['content-type'], json?.body.toString()]).toEqual(['application/json', '{"text":"hi"}']);
    expect(form?.headers['content-type']).toContain('application/x-www-form-urlencoded');
    expect(new URLSearchParams(form?.body.toString()).get('a')).toBe('b c');
    expect(file?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/);
    expect(file?.body.toString()).toMatch(/filename="a.txt"[\s\S]*content of a/);
    expect((await typescript(`return await tools.trusted.getNote({ id: '1' })`)).effects).toBe('none');
  });

  it('makes a call with the credential of the connection that its address names, and shows it nowhere', async () => {
    const unknown = await invoke('trusted', 'whoAmI', {});
    expect([unknown.status, unknown.body.error?.code]).toEqual([502, 'TOOL_FAILED']);
    expect(unknown.body.error?.details).toMatchObject({ status: 401 });
    const made = await service().post('/connections', {
      integration: 'trusted',
      name: 'work',
      owner: 'workspace',
      auth: { type: 'bearer', token: TOKEN },
    });
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    expect(await invoke('trusted@work', 'whoAmI', {})).toMatchObject({ status: 200, body: { result: { path: '/v1/me' } } });
    expect(api.arrived.at(-1)?.headers.authorization).toBe(`Bearer ${TOKEN}`);
    api.answer = { status: 403, body: JSON.stringify({ message: `Bearer ${TOKEN} may not`, again: encodeURIComponent(TOKEN) }) };
    const refused = await invoke('trusted@work', 'whoAmI', {});
    api.answer = null;
    expect(refused.body.error).toMatchObject({ code: 'TOOL_FAILED', details: { status: 403 } });
    expect(JSON.stringify(refused.body)).not.toContain(TOKEN);
    expect((await invoke('trusted@home', 'whoAmI', {})).body.error).toMatchObject({ code: 'CONNECTION_NOT_FOUND' });
  });

  it('says what an upstream refused, with its status and its answer', async () => {
    api.answer = { status: 422, headers: { 'retry-after': '7' }, body: '{"message": "text is too short", "errors": [1]}' };
    const { body } = await invoke('trusted', 'addNote', { body: { text: '' } });
    api.answer = null;
    expect(body.error).toMatchObject({
      code: 'TOOL_FAILED',
      message: expect.stringContaining('text is too short'),
      details: { tool: 'trusted.addNote', status: 422, value: { errors: [1] }, meta: { retryAfterSeconds: 7 } },
    });
  });

  it('refuses an answer that is too large or nests too deep', async () => {
    api.answer = { status: 200, body: JSON.stringify('x'.repeat(9_000_000)) };
    expect((await invoke('trusted', 'getNote', { id: '1' })).body.error?.code).toBe('REPLY_TOO_LARGE');
    api.answer = { status: 200, body: `${'['.repeat(500)}${']'.repeat(500)}` };
    expect((await invoke('trusted', 'getNote', { id: '1' })).body.error?.code).toBe('REPLY_TOO_LARGE');
    api.answer = null;
  });

  it('names what a refresh brings, and sends a changed operation back to approval, one that goes elsewhere too', async () => {
    expect((await invoke('notes', 'getNote', { id: '1' })).status).toBe(200);
    const document = notesDocument();
    document.paths['/archive/{id}'] = { get: document.paths['/notes/{id}']?.get };
    document.paths['/notes/{id}'] = {};
    document.paths['/health'] = { get: { operationId: 'health', responses: { 200: { description: 'ok' } } } };
    api.document = document;
    const refreshed = await refresh('notes');
    expect(refreshed).toMatchObject({ added: ['health'], removed: ['deleteNote'], changed: ['getNote'], toolCount: 6 });
    expect(refreshed.warnings.join()).toContain('getNote: its definition changed');
    expect((await invoke('notes', 'getNote', { id: '1' })).status).toBe(202);
    expect((await service().post('/policies', { pattern: 'notes.getNote', action: 'allow' })).status).toBe(201);
    expect(await invoke('notes', 'getNote', { id: '1' })).toMatchObject({ status: 200, body: { result: { path: '/v1/archive/1' } } });
    expect(await refresh('notes')).toMatchObject({ added: [], removed: [], changed: [] });
  });

  it('does not follow a document that sends calls, or asks for tokens, elsewhere than before: connections were made for the first', async () => {
    const elsewhere = await startNotesApi();
    try {
      const oauth = (origin: string) => ({
        o: { type: 'oauth2', flows: { clientCredentials: { tokenUrl: `${origin}/token`, scopes: {} } } },
      });
      const document = { ...notesDocument(), servers: [{ url: `${api.origin}/v1` }] };
      const first = { ...document, components: { securitySchemes: oauth(api.origin) } };
      api.document = first;
      await add({ slug: 'moving', url: `${api.origin}/openapi.json`, trust: true });
      const auth = { type: 'bearer', token: TOKEN };
      expect((await service().post('/connections', { integration: 'moving', name: 'main', owner: 'workspace', auth })).status).toBe(201);
      const moved = { ...first, servers: [{ url: `${elsewhere.origin}/v1` }] };
      api.document = moved;
      expect(await refusal('/integrations/moving/refresh', {})).toMatchObject({
        code: 'INTEGRATION_INVALID',
        message: expect.stringContaining(elsewhere.origin),
      });
      const otherTokens = { ...document, components: { securitySchemes: oauth(elsewhere.origin) } };
      expect(await refusal('/integrations/moving/refresh', { document: otherTokens })).toMatchObject({
        code: 'INTEGRATION_INVALID',
        message: expect.stringContaining('authorization server'),
      });
      await invoke('moving', 'getNote', { id: '1' });
      expect(api.arrived.at(-1)?.headers.authorization).toBe(`Bearer ${TOKEN}`);
      expect(elsewhere.arrived).toEqual([]);
      // Where an admin says so, it goes there.
      expect((await refresh('moving', { baseUrl: `${elsewhere.origin}/v1` })).document?.baseUrl).toBe(`${elsewhere.origin}/v1`);
      await refresh('moving');
      await invoke('moving', 'getNote', { id: '1' });
      expect(elsewhere.arrived.at(-1)?.headers.authorization).toBe(`Bearer ${TOKEN}`);
    } finally {
      await elsewhere.close();
      await ask(service(), 'DELETE', '/integrations/moving');
    }
  });

  it('goes on with what it knows when the document is gone', async () => {
    api.document = null;
    expect(await refusal('/integrations/notes/refresh', {})).toMatchObject({ code: 'INTEGRATION_UNREACHABLE' });
    expect(await invoke('notes', 'health', {})).toMatchObject({ status: 200 });
  });

  it('takes an upload, says where calls go when the document does not, and takes that from a refresh', async () => {
    const { servers: _, ...document } = notesDocument();
    const added = await add({ slug: 'uploaded', kind: 'openapi', document });
    expect(added.warnings.join()).toContain('does not say where the API is');
    expect((await invoke('uploaded', 'getNote', { id: '1' })).body.error).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
    expect(await refresh('uploaded', { baseUrl: `${api.origin}/other` })).toMatchObject({ added: [], changed: [] });
    expect(await invoke('uploaded', 'getNote', { id: '1' })).toMatchObject({ status: 200, body: { result: { path: '/other/notes/1' } } });
    expect(await refusal('/integrations/uploaded/refresh', {})).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
    expect(await refresh('uploaded', { document: JSON.stringify({ ...document, paths: { '/x': document.paths['/me'] } }) })).toMatchObject({
      removed: expect.arrayContaining(['getNote', 'upload']),
    });
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['JSON that breaks off', { document: '{"openapi": "3.0.0",\n "paths": {' }, /line \d+/],
    ['YAML with a bad indent', { document: 'openapi: 3.0.0\ninfo:\n  title: x\n bad: y\n' }, /line 4/],
    [
      'an operation that refers to nothing',
      { document: { ...notesDocument(), paths: { '/x': { $ref: '#/nowhere' } } } },
      /x is left out: .*\$ref leads nowhere/,
    ],
    ['no operation at all', { document: { openapi: '3.0.0', info: { title: 'x', version: '1' }, paths: {} } }, /no operation/],
    ['something else', { document: '<html>hello</html>' }, /of no kind that is known here .* starts with "<html>hello/],
    ['a document of another kind', { kind: 'graphql', document: notesDocument() }, /./],
  ])('refuses %s and says where and why', async (_, fields, message) => {
    expect(await refusal('/integrations', { slug: 'wrong', ...fields })).toMatchObject({
      status: 400,
      code: 'INTEGRATION_INVALID',
      message: expect.stringMatching(message),
    });
    expect((await service().get('/integrations/wrong')).status).toBe(404);
  });

  it.each<[Record<string, unknown>, RegExp]>([
    [{}, /exactly one of "url", "document" and "command"/],
    [{ url: 'https://a.example', document: '{}' }, /exactly one/],
    [{ document: '{}', headers: { a: 'b' } }, /POST \/connections/],
    [{ document: '{}', command: 'x' }, /exactly one/],
    [{ kind: 'soap', document: '{}' }, /kind/],
    [{ document: '{}', baseUrl: 'ftp://a.example' }, /baseUrl/],
    [{ kind: 'mcp', url: 'https://a.example', baseUrl: 'https://b.example' }, /baseUrl/],
  ])('refuses %j', async (fields, message) => {
    const { status, message: said } = await refusal('/integrations', { slug: 'wrong', ...fields });
    expect([status, said]).toEqual([400, expect.stringMatching(message)]);
  });

  it('refuses to fetch from inside where the address does not say so plainly', async () => {
    for (const url of [`http://0x7f000001:${api.port}/openapi.json`, 'http://169.254.169.254/latest'])
      expect(await refusal('/integrations', { slug: 'inside', url })).toMatchObject({ code: 'OUTBOUND_REFUSED' });
  });

  it('shows an API that is down as broken with the reason, and ready again after a call that got through', async () => {
    const other = await startNotesApi();
    await add({ slug: 'mortal', document: notesDocument(), baseUrl: other.origin });
    await expect.poll(async () => (await integration('mortal')).state).toBe('ready');
    await other.close();
    const lost = await typescript(`return await tools.mortal.getNote({ id: '1' }).catch((error) => [error.code, error.message])`);
    expect(lost.result).toEqual(['UPSTREAM_UNAVAILABLE', expect.stringContaining('mortal')]);
    expect(lost.effects).toBe('none');
    expect(await integration('mortal')).toMatchObject({ state: 'broken', reason: expect.stringContaining('could not be reached') });
    const back = await startNotesApi(other.port);
    expect((await invoke('mortal', 'getNote', { id: '1' })).status).toBe(200);
    expect(await integration('mortal')).toMatchObject({ state: 'ready', reason: null });
    expect(back.arrived.map(({ method }) => method).every((method) => method === 'GET' || method === 'HEAD')).toBe(true);
    await back.close();
  });

  it('introspects a GraphQL endpoint, runs queries and gates mutations', async () => {
    const added = await add({ slug: 'graph', url: `${api.origin}/graphql` });
    expect(added).toMatchObject({ kind: 'graphql', toolCount: 3 });
    const { result } = await typescript(`return await tools.graph.query_note({ id: '1' })`);
    expect(JSON.stringify(result)).toContain('first');
    const list = await invoke('graph', 'mutation.addNote', { text: 'x' });
    expect(list.status).toBe(202);
  });

  it('tells what lies at an address', async () => {
    api.document = notesDocument();
    const remote = await startRemoteServer('streamable', 'none');
    const detect = (url: string) => service().post('/integrations/detect', { url });
    try {
      expect((await detect(`${api.origin}/openapi.json`)).body).toMatchObject({
        kind: 'openapi',
        why: 'OpenAPI 3.0',
        title: 'Notes',
        operations: 6,
        baseUrl: `${api.origin}/v1`,
      });
      expect((await detect(`${api.origin}/graphql`)).body).toMatchObject({ kind: 'graphql', operations: 3 });
      expect((await detect(`${api.origin}/v1/nothing`)).body).toMatchObject({ error: { code: 'INTEGRATION_INVALID' } });
      expect((await detect('http://127.0.0.1:9/')).body).toMatchObject({ error: { code: 'INTEGRATION_UNREACHABLE' } });
    } finally {
      await remote.close();
    }
  });

  it('keeps who is no admin from adding, and from looking at addresses', async () => {
    const made = await service().post('/keys', { name: 'operator', role: 'operator' });
    const { key } = made.body as { key: string };
    for (const path of ['/integrations', '/integrations/detect'])
      expect((await ask(service(), 'POST', path, { key, body: { slug: 'x', url: `${api.origin}/openapi.json` } })).status).toBe(403);
  });

  it('takes one that is removed while its document is read for removed, and its slug for free', async () => {
    const paths = Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`/p${index}`, notesDocument().paths['/me']]));
    const adding = service().post('/integrations', { slug: 'fleeting', document: { ...notesDocument(), paths }, baseUrl: api.origin });
    await expect.poll(async () => (await integration('fleeting')).state).toBe('starting');
    expect((await ask(service(), 'DELETE', '/integrations/fleeting')).status).toBe(204);
    expect(await adding).toMatchObject({ status: 404, body: { error: { code: 'SERVER_NOT_FOUND' } } });
    expect(await add({ slug: 'fleeting', document: notesDocument(), baseUrl: api.origin })).toMatchObject({ toolCount: 6 });
  });

  it('forgets an integration with its tools', async () => {
    expect((await ask(service(), 'DELETE', '/integrations/trusted')).status).toBe(204);
    expect((await invoke('trusted', 'getNote', { id: '1' })).body.error?.code).toBe('SERVER_NOT_FOUND');
    expect(await add({ slug: 'trusted', document: notesDocument(), baseUrl: api.origin })).toMatchObject({ toolCount: 6 });
  });
});

describe('integrations from documents over a restart', () => {
  it('are as they were, without their documents being read again', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sources-'));
    const api = await startNotesApi();
    const pools = { EXECUTOR_POOL_TYPESCRIPT: '0', EXECUTOR_POOL_PYTHON: '0' };
    let service = await startService(directory, pools);
    try {
      api.document = notesDocument();
      await service.post('/integrations', { slug: 'fetched', url: `${api.origin}/openapi.json` });
      await service.post('/integrations', { slug: 'uploaded', document: notesDocument(), baseUrl: api.origin, trust: true });
      const listOf = async () => {
        const { items } = (await service.get('/integrations')).body as { items: Record<string, unknown>[] };
        return items.map(({ state: _, reason: __, ...rest }) => rest);
      };
      const before = await listOf();
      expect(before.map(({ toolCount }) => toolCount)).toEqual([6, 6]);
      await service.stop('SIGKILL');
      api.document = null;
      service = await startService(directory, pools);
      expect(await listOf()).toEqual(before);
      const { status, body } = await service.post('/tools/invoke/uploaded/addNote', { args: { body: { text: 'again' } } });
      expect([status, (body as { result: unknown }).result]).toEqual([200, expect.objectContaining({ method: 'POST', path: '/notes' })]);
    } finally {
      await service.stop();
      await api.close();
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
