import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, makeKey } from './support/ask.ts';
import { recorded, recordingServer } from './support/recording-entry.ts';
import { startRemoteServer } from './support/remote-server.ts';
import { serviceForThisFile } from './support/service-suite.ts';

const TOKEN = 'sesame-4711-open';
const SECRET = 'hunter2-correct-horse';
const directory = mkdtempSync(join(tmpdir(), 'broken-servers-'));
const serversFile = join(directory, 'mcp-servers.json');
const notes = join(directory, 'notes.txt');
const remotes = await Promise.all([startRemoteServer('streamable', TOKEN), startRemoteServer('sse', TOKEN), startRemoteServer('sse', 'x')]);
const [streamable, sse, closed] = remotes;
await closed?.close();
const headers = { Authorization: 'Bearer $' + '{REMOTE_TOKEN}' };
writeFileSync(notes, '');
writeFileSync(
  serversFile,
  JSON.stringify({
    mcpServers: {
      good: recordingServer(notes),
      gated: recordingServer(notes, { trust: undefined }),
      'over-http': { url: streamable?.url, headers, trust: true },
      over_sse: { type: 'sse', url: sse?.url, headers, trust: true },
      missing: { command: '/nowhere/no-such-server', args: ['--token', SECRET] },
      crashes: recordingServer(notes, { env: { BOOT_FAULT: 'crash', SERVICE_TOKEN: SECRET } }),
      rubbish: recordingServer(notes, { env: { BOOT_FAULT: 'rubbish' } }),
      unset: recordingServer(notes, { env: { API_KEY: '$' + '{NO_SUCH_VARIABLE}' } }),
      unreachable: { url: `${closed?.url}?api_key=${SECRET}` },
      forbidden: { url: streamable?.url, headers: { Authorization: `Bearer ${SECRET}` } },
      nonsense: { command: 5 },
    },
  }),
);
const GOOD = ['good', 'gated', 'over-http', 'over_sse'];
const BROKEN = ['missing', 'crashes', 'rubbish', 'unset', 'unreachable', 'forbidden', 'nonsense'];

afterAll(async () => {
  await Promise.all(remotes.slice(0, 2).map((remote) => remote.close()));
  rmSync(directory, { recursive: true, force: true });
});

const { service, dataDir, typescript, python } = serviceForThisFile({
  EXECUTOR_MCP_SERVERS: serversFile,
  REMOTE_TOKEN: TOKEN,
  SECRET_OF_THE_SERVICE: SECRET,
});

interface Integration {
  slug: string;
  state: string;
  reason: string | null;
  toolCount: number;
}
const integrations = async (): Promise<Integration[]> => ((await service().get('/integrations')).body as { items: Integration[] }).items;
const toolNames = async (server: string): Promise<string[]> =>
  ((await service().get(`/tools?server=${server}`)).body as { items: { name: string }[] }).items.map(({ name }) => name);

describe('a servers file with good and broken entries', () => {
  test('the good ones work from both languages', async () => {
    const program = `
      const { count } = await tools.good.count_notes({});
      return { count, http: await tools.over_http.greet({ name: 'ada' }), sse: await tools.over_sse.greet({ name: 'bob' }) }`;
    expect(await typescript(program)).toMatchObject({ status: 'succeeded', result: { count: 0, http: 'hello ada', sse: 'hello bob' } });
    const answer = await python('from servers.over_http import greet\n[greet(name="ada"), tools.over_sse.greet(name="bob")]');
    expect(answer).toMatchObject({ status: 'succeeded', result: ['hello ada', 'hello bob'] });
  });

  test('the broken ones are shown as broken, each with its reason and without a secret', async () => {
    const reasons: [string, RegExp][] = [
      ['missing', /no-such-server/],
      ['crashes', /ended|exit|closed/],
      ['rubbish', /did not|time/],
      ['unset', /environment variable NO_SUCH_VARIABLE is not set/],
      ['unreachable', /ECONNREFUSED|refused/],
      ['forbidden', /401/],
      ['nonsense', /command/],
    ];
    await expect.poll(async () => (await integrations()).filter(({ state }) => state === 'broken').map(({ slug }) => slug)).toEqual(BROKEN);
    const items = await integrations();
    for (const [slug, says] of reasons) {
      const found = items.find((item) => item.slug === slug);
      expect(found, slug).toMatchObject({ state: 'broken', toolCount: 0, reason: expect.stringMatching(says) });
    }
    for (const slug of GOOD) expect(items.find((item) => item.slug === slug)).toMatchObject({ state: 'ready', reason: null });
    expect(JSON.stringify(items)).not.toMatch(new RegExp(`${SECRET}|${TOKEN}`));
  });

  test('one that falls again and again is broken all the time, also while it is started again', async () => {
    for (let look = 0; look < 30; look += 1) {
      expect((await integrations()).filter(({ state }) => state === 'broken').map(({ slug }) => slug)).toEqual(BROKEN);
      await sleep(100);
    }
  });

  test('/health says which, without reasons, and that it is ready', async () => {
    const { status, body } = await service().get('/health');
    expect(status).toBe(200);
    const { servers, status: health } = body as { servers: Record<string, string>; status: string };
    expect(health).toBe('degraded');
    expect(Object.keys(servers).sort()).toEqual([...GOOD, ...BROKEN].sort());
    for (const slug of GOOD) expect(servers[slug]).toBe('ready');
    for (const slug of BROKEN) expect(servers[slug]).toBe('broken');
    expect((await service().get('/health/ready')).status).toBe(200);
  });

  test.each(BROKEN)('a program that calls %s learns that it is down and who can mend it', async (slug) => {
    const answer = await typescript(
      `try { await (tools as any).${slug}.anything({}); } catch (error: any) { return { code: error.code, message: error.message } }`,
    );
    expect(answer).toMatchObject({ status: 'succeeded', effects: 'none', toolCalls: [{ outcome: 'UPSTREAM_UNAVAILABLE' }] });
    const { code, message } = answer.result as { code: string; message: string };
    expect(code).toBe('UPSTREAM_UNAVAILABLE');
    expect(message).toContain(slug);
    expect(message).toMatch(/broken|not be reached/);
    expect(message).toMatch(/operator (sees how it is with GET \/integrations|has to mend)/);
    expect(message).not.toContain(SECRET);
  });

  test('no log line holds a secret', async () => {
    const { readFileSync } = await import('node:fs');
    expect(readFileSync(service().logFile, 'utf8')).not.toMatch(new RegExp(`${SECRET}|${TOKEN}`));
  });
});

describe('integrations at run time', () => {
  const entry = { slug: 'added', kind: 'mcp', ...recordingServer(notes) };

  test('one that is added is there for the next program, and gone after it is removed', async () => {
    const added = await ask(service(), 'POST', '/integrations', { body: entry });
    expect(added.status, added.text).toBe(201);
    expect(added.json()).toMatchObject({ slug: 'added', kind: 'mcp', state: 'ready', toolCount: 5, warnings: [] });
    expect(
      await typescript("import { note } from '/workspace/servers/added/note.js';\nreturn await note({ text: 'added' })"),
    ).toMatchObject({
      status: 'succeeded',
      result: 'noted added',
      effects: 'some',
    });
    expect(await python('tools.added.note(text="python")')).toMatchObject({ status: 'succeeded', result: 'noted python' });
    expect(recorded(notes)).toEqual(expect.arrayContaining(['note added', 'note python']));
    const again = await ask(service(), 'POST', '/integrations', { body: entry });
    expect(again.status).toBe(409);
    expect(again.json()).toMatchObject({ error: { code: 'INTEGRATION_EXISTS' } });

    expect((await ask(service(), 'DELETE', '/integrations/added')).status).toBe(204);
    expect((await service().get('/health')).body).not.toMatchObject({ servers: { added: expect.anything() } });
    const gone = await typescript("import { note } from '/workspace/servers/added/note.js';\nreturn await note({ text: 'never' })");
    expect(gone.status).toBe('failed');
    expect(gone.error?.message).toContain('added');
    expect(recorded(notes)).not.toContain('note never');
  });

  test('one that does not come up is refused with its reason and without its secrets, and leaves nothing', async () => {
    const body = { ...entry, slug: 'dead', env: { BOOT_FAULT: 'crash', SERVICE_TOKEN: SECRET } };
    const reply = await ask(service(), 'POST', '/integrations', { body });
    expect(reply.status).toBe(502);
    expect(reply.json()).toMatchObject({ error: { code: 'INTEGRATION_UNREACHABLE', message: expect.stringContaining('dead') } });
    expect(reply.text).not.toContain(SECRET);
    expect((await integrations()).map(({ slug }) => slug)).not.toContain('dead');
  }, 60_000);

  test('one of the servers file says where it is removed', async () => {
    const reply = await ask(service(), 'DELETE', '/integrations/good');
    expect(reply.status).toBe(400);
    expect(reply.json()).toMatchObject({
      error: { code: 'INVALID_REQUEST', message: expect.stringMatching(/servers file: remove it there and restart/) },
    });
  });

  test('a tool that a server offers later is callable in the next program', async () => {
    expect(await typescript("return await tools.good.learn({ name: 'juggle' })")).toMatchObject({ result: 'learnt juggle' });
    await expect.poll(() => toolNames('good'), { timeout: 5_000 }).toContain('juggle');
    expect(await typescript("import { juggle } from '/workspace/servers/good/juggle.js';\nreturn await juggle({})")).toMatchObject({
      result: 'did juggle',
    });
    expect(await python('from servers.good import juggle\njuggle()')).toMatchObject({ result: 'did juggle' });
  });
});

describe('what a stdio server sees', () => {
  const look = async (path: string): Promise<string> => {
    const answer = await typescript(
      `try { return await tools.good.look({ path: args.path }) } catch (error: any) { return error.message }`,
      { args: { path } },
    );
    expect(answer.status).toBe('succeeded');
    return String(answer.result);
  };

  test('neither the data directory nor a key nor the servers file', async () => {
    expect(await look(`${dataDir()}/`)).toBe('');
    for (const file of ['admin.key', 'seal.key', 'service.log', 'database/PG_VERSION'])
      expect(await look(join(dataDir(), file))).toMatch(/ENOENT/);
    expect(await look(serversFile)).toMatch(/^$|EACCES|ENOENT/);
    expect(await look(notes)).toContain('note');
  });

  test('no process but its own, and nothing of the environment of the service', async () => {
    const pids = (await look('/proc/')).split('\n').filter((name) => /^\d+$/.test(name));
    expect(pids.length).toBeGreaterThan(0);
    expect(pids.length).toBeLessThan(5);
    for (const pid of pids) {
      expect(await look(`/proc/${pid}/cmdline`)).not.toContain('standalone');
      expect(await look(`/proc/${pid}/environ`)).not.toMatch(/SECRET_OF_THE_SERVICE|REMOTE_TOKEN|EXECUTOR_/);
    }
  });
});

describe('policies', () => {
  let agent: string;
  beforeAll(async () => {
    agent = (await makeKey(service(), 'agent')).key;
  });
  const cancel = async (executionId: string): Promise<void> => {
    expect((await ask(service(), 'POST', `/executions/${executionId}/cancel`, {})).status).toBe(200);
  };
  const write =
    "try { return await tools.gated.note({ text: 'gated' }) } catch (error: any) { return [error.name, error.code, error.message] }";
  const search = async (q: string): Promise<string> =>
    JSON.stringify((await ask(service(), 'GET', `/tools/search?q=${q}&limit=200`, { key: agent })).json());

  test('of an untrusted server what reads is open, what may write waits for a policy that names it', async () => {
    expect(await typescript('return await tools.gated.count_notes({})')).toMatchObject({ status: 'succeeded', error: null });
    const waits = async (): Promise<void> => {
      const { status, executionId, approval } = await typescript(write);
      expect({ status, approval }).toMatchObject({ status: 'paused', approval: { tool: 'gated.note', arguments: { text: 'gated' } } });
      await cancel(executionId);
    };
    await waits();
    const invoked = await ask(service(), 'POST', '/tools/invoke/gated/note', { key: agent, body: { args: { text: 'gated' } } });
    expect(invoked.status).toBe(202);
    expect(invoked.json()).toMatchObject({ status: 'execution_paused', approval: { tool: 'gated.note' } });
    await cancel((invoked.json() as { executionId: string }).executionId);
    expect(recorded(notes)).not.toContain('note gated');

    const policy = await ask(service(), 'POST', '/policies', { body: { pattern: 'gated.note', action: 'allow' } });
    expect(policy.status, policy.text).toBe(201);
    expect(await typescript(write)).toMatchObject({ result: 'noted gated', effects: 'some' });
    expect((await ask(service(), 'DELETE', policy.headers.location ?? '')).status).toBe(204);
    await waits();
    expect(recorded(notes).filter((line) => line === 'note gated')).toHaveLength(1);
  });

  test('a blocked tool is not found by an agent, and refused where it is called all the same', async () => {
    expect(await search('slow')).toContain('slow_note');
    const policy = await ask(service(), 'POST', '/policies', { body: { pattern: '*.slow_note', action: 'block' } });
    expect(policy.status, policy.text).toBe(201);
    expect(await search('slow')).not.toContain('slow_note');
    expect(await toolNames('good')).not.toContain('slow_note');
    const answer = await typescript(`
      const { readdirSync } = await import('node:fs');
      const { searchTools } = await import('/workspace/servers/discovery.js');
      const files = readdirSync('/workspace/servers/good').join();
      const found = JSON.stringify(await searchTools('slow note'));
      try { await (tools as any).good.slow_note({ text: 'blocked', ms: 1 }); } catch (error: any) { return [files + found, error.code, error.message] }`);
    const [seen, code, message] = answer.result as string[];
    expect(seen).toContain('count_notes');
    expect(seen).not.toContain('slow_note');
    expect(code).toBe('TOOL_BLOCKED');
    expect(message).toMatch(/blocked by the operator/);
    const invoked = await ask(service(), 'POST', '/tools/invoke/good/slow_note', { body: { args: { text: 'blocked', ms: 1 } } });
    expect(invoked.json()).toMatchObject({ error: { code: 'TOOL_BLOCKED' } });
    expect(recorded(notes)).not.toContain('begin blocked');
    expect((await ask(service(), 'DELETE', policy.headers.location ?? '')).status).toBe(204);
    expect(await search('slow')).toContain('slow_note');
  });

  test('the most exact rule decides', async () => {
    const made = await Promise.all([
      ask(service(), 'POST', '/policies', { body: { pattern: 'good.look', action: 'allow' } }),
      ask(service(), 'POST', '/policies', { body: { pattern: 'good.*', action: 'require_approval' } }),
    ]);
    expect((await typescript("return await tools.good.look({ path: '/proc/' })")).result).toContain('self');
    const waiting = await typescript("return await tools.good.note({ text: 'never' })");
    expect(waiting).toMatchObject({ status: 'paused', approval: { tool: 'good.note' } });
    await cancel(waiting.executionId);
    for (const { headers } of made) expect((await ask(service(), 'DELETE', headers.location ?? '')).status).toBe(204);
  });
});
