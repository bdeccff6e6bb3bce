import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { type Filled, fillWorkspace } from './fill-workspace.ts';
import { walkLists, walkNamed } from './walk-routes.ts';

export const TAGS = ['alphard', 'quorum'] as const;

interface Deployment {
  readonly url: string;
  /** Of the operator. */
  readonly key: string;
  readonly upstream: string;
  readonly hasSessions: boolean;
  /** Asked until it is well where several processes have to hear of something. */
  readonly settle: (check: () => Promise<void>) => Promise<void>;
}

/** The home workspace and another one, each with everything. Answers them, filled by the first test. */
export function describeIsolation(deployment: () => Deployment): { readonly sides: () => readonly [Filled, Filled] } {
  let filled: [Filled, Filled] | null = null;
  let routes: string[] = [];
  const sides = (): readonly [Filled, Filled] => {
    if (filled === null) throw new Error('the workspaces could not be filled');
    return filled;
  };
  const eachWay = () => [sides(), [sides()[1], sides()[0]] as const] as const;

  test('the operator makes a workspace, whose admin fills it as the operator fills the home one', async () => {
    const { url, key, upstream, hasSessions, settle } = deployment();
    const made = await ask({ url, key }, 'POST', '/workspaces', { body: { name: 'Team B' } });
    expect(made.status, made.text).toBe(201);
    const other = made.json() as { id: string; key: string; home: boolean };
    expect(other).toMatchObject({ home: false, id: expect.stringMatching(/^wsp_/), key: expect.stringMatching(/^cex_/) });
    await settle(async () =>
      expect((await ask({ url, key: other.key }, 'GET', '/whoami')).json()).toMatchObject({ workspaceId: other.id }),
    );
    filled = [
      await fillWorkspace(TAGS[0], { url, key, workspaceId: 'wsp_default' }, upstream, { hasSessions }),
      await fillWorkspace(TAGS[1], { url, key: other.key, workspaceId: other.id }, upstream, { hasSessions }),
    ];
    const { paths } = (await ask({ url, key }, 'GET', '/openapi.json', { key: null })).json() as { paths: Record<string, object> };
    routes = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
  }, 240_000);

  // Before anybody tries anything, for a try is in the record of who made it.
  test('lists, searches, exports, the record and the health show each its own and nothing else', async () => {
    for (const [owner, other] of eachWay()) await walkLists(routes, owner, other);
    const [home] = sides();
    const health = (await ask(home, 'GET', '/health', { key: null })).json();
    expect(health).toMatchObject({ servers: {}, toolsByServer: {}, totalTools: 0 });
  }, 120_000);

  test('no route tells a thing of the other workspace from one that there is not, and none changes it', async () => {
    for (const [owner, other] of eachWay()) {
      await walkNamed(routes, owner, other);
      const purged = await ask(other, 'DELETE', `/executions?before=${encodeURIComponent(new Date().toISOString())}`);
      expect(purged.status, purged.text).toBe(200);
    }
    for (const { url, key, ids } of sides()) {
      for (const kind of ['integrations', 'connections', 'skills', 'executions', 'approvals', 'workspaces'])
        expect((await ask({ url, key }, 'GET', `/${kind}/${ids[kind]}`)).status, kind).toBe(200);
      expect((await ask({ url, key }, 'GET', `/approvals/${ids.approvals}`)).json()).toMatchObject({ status: 'pending' });
      for (const kind of ['keys', 'policies']) expect((await ask({ url, key }, 'GET', `/${kind}`)).text).toContain(ids[kind]);
    }
  }, 240_000);

  test('a program imports, finds and calls what is of its own workspace, and nothing of the other by any way', async () => {
    for (const [owner, other] of eachWay()) {
      const typescript = `
        import { searchTools, listServers, getTool } from '/workspace/servers/discovery.js';
        const failed = async (act) => { try { return ['worked', await act()]; } catch (error) { return error.code ?? 'failed'; } };
        const slug = '${owner.tag}-notes';
        return {
          imported: await failed(() => import('/workspace/servers/' + slug + '/whoCalls.js')),
          listed: (await import('node:fs')).readdirSync('/workspace/servers').filter((name) => name.includes('${owner.tag}')),
          servers: (await listServers()).filter(({ server }) => server.includes('${owner.tag}')),
          found: JSON.stringify(await searchTools('${owner.tag}')).includes('${owner.tag}'),
          shown: await failed(() => getTool(slug, 'whoCalls')),
          called: await failed(() => tools[slug].whoCalls({})),
          skill: await failed(() => tools.skills['${owner.tag}_sum']({})),
        };`;
      const answer = await run(other, { language: 'typescript', code: typescript });
      expect(answer.result, JSON.stringify(answer)).toEqual({
        ...{ imported: expect.any(String), listed: [], servers: [], found: false },
        ...{ shown: expect.any(String), called: expect.any(String), skill: expect.any(String) },
      });
      // Past the wrappers, with a frame of its own: the reply is for an id that nobody waits for, so the journal tells what came of it.
      const forged = await run(other, {
        language: 'python',
        code: `import os, json, struct, time\nb = json.dumps({"id": 9, "tool": "${owner.tag}-notes.whoCalls", "args": {}}).encode()\nos.write(3, struct.pack(">IB", len(b), 3) + b)\ntime.sleep(1)\n1`,
      });
      for (const { outcome } of forged.toolCalls) expect(outcome).not.toBe('ok');
      const audit = await ask(other, 'GET', `/audit?type=tool.call&limit=1000`);
      expect(audit.text).not.toContain(`${owner.tag}-notes`);
    }
  }, 120_000);

  test('two integrations of one name call with their own credentials, over code, by themselves and with a token of OAuth', async () => {
    for (const [index, side] of sides().entries()) {
      const answer = await run(side, { language: 'typescript', code: 'return await tools.shared.whoCalls({})' });
      expect(answer.result, JSON.stringify(answer)).toEqual({ caller: index });
      const invoked = await ask(side, 'POST', '/tools/invoke/shared/whoCalls', { body: {} });
      expect((invoked.json() as { result: unknown }).result, invoked.text).toEqual({ caller: index });
      const byToken = await ask(side, 'POST', '/tools/invoke/shared/whoCalls', { key: side.accessToken, body: {} });
      expect((byToken.json() as { result: unknown }).result, byToken.text).toEqual({ caller: index });
      expect((await ask(side, 'GET', '/whoami', { key: side.accessToken })).json()).toMatchObject({ workspaceId: side.workspaceId });
    }
  }, 60_000);

  test('a session of the MCP endpoint is for the workspace that began it, and lists its tools alone', async () => {
    for (const [owner, other] of eachWay()) {
      const list = (session: string) =>
        ask(other, 'POST', '/mcp', {
          headers: { accept: 'application/json, text/event-stream', 'mcp-session-id': session },
          body: { jsonrpc: '2.0', id: 2, method: 'tools/list' },
        });
      const [theirs, nobodys] = [await list(owner.mcpSession), await list(owner.mcpSession.replace(/.{8}$/, '00000000'))];
      expect([theirs.status, theirs.text.replace(/req_\w+/, '')]).toEqual([nobodys.status, nobodys.text.replace(/req_\w+/, '')]);
      expect(theirs.status).toBe(404);
      const own = await list(other.mcpSession);
      expect(own.status, own.text).toBe(200);
      expect(own.text).not.toContain(owner.tag);
    }
  }, 60_000);

  test('an admin of another workspace administers its own alone, and nothing of the machine', async () => {
    const [home, other] = sides();
    const code = async (method: string, path: string, body?: unknown): Promise<unknown[]> => {
      const reply = await ask(other, method, path, body === undefined ? {} : { body });
      return [reply.status, reply.status < 400 ? 'ok' : (reply.json() as { error: { code: string } }).error.code];
    };
    expect(await code('POST', '/workspaces', { name: 'Team C' })).toEqual([403, 'FORBIDDEN']);
    expect(await code('DELETE', `/workspaces/${other.workspaceId}`)).toEqual([403, 'FORBIDDEN']);
    expect(await code('GET', `/workspaces/${other.workspaceId}`)).toEqual([200, 'ok']);
    expect(await code('GET', '/workspaces/wsp_default')).toEqual([404, 'WORKSPACE_NOT_FOUND']);
    expect(await code('GET', '/metrics')).toEqual([403, 'FORBIDDEN']);
    expect(await code('POST', '/providers/sealed/rotate', {})).toEqual([403, 'FORBIDDEN']);
    expect(await code('POST', '/integrations', { slug: 'shell', kind: 'mcp', command: 'sh' })).toEqual([403, 'FORBIDDEN']);
    expect(await code('POST', '/integrations', { slug: 'near', kind: 'openapi', url: 'http://127.0.0.1:1/openapi.json' })).toEqual([
      403,
      'OUTBOUND_REFUSED',
    ]);
    const reference = {
      integration: 'shared',
      name: 'env',
      owner: 'workspace',
      auth: { type: 'bearer', token: { provider: 'env', key: 'CANARY' } },
    };
    expect(await code('POST', '/connections', reference)).toEqual([400, 'INVALID_REQUEST']);
    const { items } = (await ask(home, 'GET', '/workspaces')).json() as { items: { id: string }[] };
    expect(items.map(({ id }) => id)).toEqual(['wsp_default', other.workspaceId]);
  }, 60_000);

  return { sides };
}

export interface Answer {
  readonly executionId: string;
  readonly status: string;
  readonly result: unknown;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly toolCalls: readonly { readonly tool: string; readonly outcome: string }[];
  readonly metrics: { readonly warm: boolean; readonly queueMs: number };
}

export async function run({ url, key }: Pick<Filled, 'url' | 'key'>, body: Record<string, unknown>): Promise<Answer> {
  const reply = await ask({ url, key }, 'POST', '/execute', { body: { timeoutMs: 60_000, ...body } });
  expect(reply.status, reply.text).toBe(200);
  return reply.json() as Answer;
}
