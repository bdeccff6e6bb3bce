import { setTimeout as sleep } from 'node:timers/promises';
import type { Principal } from '@code-executor/contracts';
import { createKeys } from '@code-executor/executions';
import { createGrants, createLogger, createServiceSigner } from '@code-executor/platform';
import { createAudit } from '@code-executor/tools';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { dockerAnswers } from '../../../test/support/containers.ts';
import { journalOf, KEYS, openTestFleet, server, type TestFleet, type TestProxy } from './testing/open-test-fleet.ts';

const reachable = await dockerAnswers();
const ADMIN: Principal = { id: 'key_test', workspaceId: 'wsp_default', role: 'admin' };
const NEVER = new AbortController().signal;
const SILENT = createLogger({ level: 'silent', service: 'test' });

describe.skipIf(!reachable)(`the MCP proxy${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let fleet: TestFleet;
  let proxy: TestProxy;
  beforeAll(async () => {
    fleet = await openTestFleet({ plain: server() });
    proxy = await fleet.startProxy();
  });
  afterAll(() => fleet?.close());

  const call = async (tool: string, args: unknown, grant: Awaited<ReturnType<TestFleet['claim']>>, callNumber = 1) =>
    await fleet.tools(proxy.url).callTool(grant.grantForTools, { callNumber, tool, args }, NEVER);

  describe('tool calls', () => {
    test('are made for the holder of a claim, recorded once, and logged without their arguments', async () => {
      const claim = await fleet.claim(proxy.url);
      const outcome = await call('plain.echo', { value: JSON.parse('{"secret":"do not log","__proto__":{"x":1}}') }, claim);
      expect(outcome).toMatchObject({ reply: { ok: true }, effects: 'some' });
      expect(JSON.stringify(outcome)).toContain('{"secret":"do not log","__proto__":{"x":1}}');
      await vi.waitFor(async () => expect(await journalOf(fleet.db, claim.execution.id)).toEqual([{ tool: 'echo', outcome: 'ok' }]));
      const line = fleet.lines.find(({ message, executionId }) => message === 'Tool call' && executionId === claim.execution.id);
      expect(line).toMatchObject({
        server: 'plain',
        tool: 'echo',
        decision: 'allow',
        outcome: 'ok',
        callNumber: 1,
        principalId: 'key_test',
      });
      expect(JSON.stringify(fleet.lines)).not.toContain('do not log');
      const metrics = await fleet.ask(`${proxy.url}/metrics`, { method: 'GET' });
      expect(metrics.text).toMatch(/code_executor_tool_call_duration_seconds_count\{server="plain",outcome="ok"\} [1-9]/);
    });

    test('with a number that was used before are not made again', async () => {
      const claim = await fleet.claim(proxy.url);
      await call('plain.echo', { value: 1 }, claim);
      expect(await call('plain.echo', { value: 1 }, claim)).toMatchObject({ reply: { ok: false, error: { code: 'CALL_REPEATED' } } });
    });

    test('of an execution that has ended are refused and reach no server', async () => {
      const claim = await fleet.claim(proxy.url);
      const ended = endOf(claim);
      const finished = await fleet.ask(`${proxy.url}/internal/executions/${ended.id}/finish`, { token: claim.grant, body: { ended } });
      expect(finished).toMatchObject({ status: 200 });
      expect(finished.json()).toMatchObject({ written: true, record: { status: 'succeeded', resultJson: '"x"' } });
      expect(await call('plain.echo', { value: 1 }, claim)).toMatchObject({ reply: { error: { code: 'STALE_CLAIM' } }, effects: 'none' });
      expect(await journalOf(fleet.db, ended.id)).toEqual([]);
    });

    test('of a worker that has let its lease run out are refused', async () => {
      const claim = await fleet.claim(proxy.url, { keep: false });
      await sleep(4_200);
      expect(await call('plain.echo', { value: 1 }, claim)).toMatchObject({ reply: { error: { code: 'STALE_CLAIM' } }, effects: 'none' });
    });

    test('are cancelled upstream when the worker hangs up', async () => {
      const claim = await fleet.claim(proxy.url);
      const before = await counts(claim, 1);
      const abort = new AbortController();
      const calling = fleet
        .tools(proxy.url)
        .callTool(claim.grantForTools, { callNumber: 2, tool: 'plain.slow', args: { ms: 20_000 } }, abort.signal);
      await vi.waitFor(async () => expect(await journalOf(fleet.db, claim.execution.id)).toHaveLength(2));
      abort.abort();
      expect(await calling).toMatchObject({ reply: { error: { code: 'CALL_ABORTED' } }, effects: 'unknown' });
      await vi.waitFor(async () =>
        expect((await counts(claim, 3 + Math.floor(Math.random() * 1_000))).cancelled).toBe(before.cancelled + 1),
      );
    });

    test('fail as they would in one process: what is wrong is in code, message and details', async () => {
      const claim = await fleet.claim(proxy.url);
      expect(await call('plain.ecoh', {}, claim)).toMatchObject({
        reply: { error: { code: 'TOOL_NOT_FOUND', details: { suggestions: expect.arrayContaining(['echo']) } } },
        effects: 'none',
      });
      expect(await call('plain.echo', { wrong: 1 }, claim, 2)).toMatchObject({ reply: { error: { code: 'INVALID_ARGUMENTS' } } });
      expect(await call('plain.echo', { value: 'x'.repeat(1_100_000) }, claim, 3)).toMatchObject({
        reply: { error: { code: 'ARGUMENTS_TOO_LARGE' } },
      });
      expect(await call('plain.echo', { value: 'x'.repeat(5_000_000) }, claim, 4)).toMatchObject({
        reply: { error: { code: 'ARGUMENTS_TOO_LARGE' } },
      });
    });

    test('and what a program asks of the catalog are answered for its grant', async () => {
      const claim = await fleet.claim(proxy.url);
      const tools = fleet.tools(proxy.url);
      expect(await tools.discover(claim.grantForTools, 'list_servers', {})).toMatchObject({ ok: true, value: [{ server: 'plain' }] });
      expect(await tools.discover(claim.grantForTools, 'get_tool', { server: 'plain', tool: 'nothing' })).toMatchObject({
        ok: false,
        error: { code: 'TOOL_NOT_FOUND' },
      });
    });

    test('and nothing more once the execution has ended', async () => {
      const claim = await fleet.claim(proxy.url);
      const tools = fleet.tools(proxy.url);
      await sql`update executions set status = 'succeeded', ended_at = now() where id = ${claim.execution.id}`.execute(fleet.db.query());
      expect(await tools.discover(claim.grantForTools, 'list_servers', {})).toMatchObject({ ok: false, error: { code: 'STALE_CLAIM' } });
    });

    async function counts(claim: Awaited<ReturnType<TestFleet['claim']>>, callNumber: number): Promise<{ cancelled: number }> {
      const { reply } = await call('plain.counts', {}, claim, callNumber);
      if (!reply.ok) throw new Error(reply.error.message);
      return reply.value as { cancelled: number };
    }
  });

  test('live events leave Redis when the row of their execution has its end', async () => {
    const claim = await fleet.claim(proxy.url);
    const { id, token } = claim.execution;
    const url = `${proxy.url}/internal/executions/${id}`;
    const events = [{ id: 2, type: 'output', data: { text: 'line\n' } }];
    expect(await fleet.ask(`${url}/events`, { token: claim.grant, body: { token, events } })).toMatchObject({ status: 204 });
    expect(await secondsLeft(id)).toBeGreaterThan(300);
    expect(await fleet.ask(`${url}/finish`, { token: claim.grant, body: { ended: endOf(claim) } })).toMatchObject({ status: 200 });
    await vi.waitFor(async () => expect(await secondsLeft(id)).toBeLessThan(10), { timeout: 10_000 });
  });

  async function secondsLeft(executionId: string): Promise<number> {
    const password = decodeURIComponent(new URL(fleet.redis.url).password);
    return Number(await fleet.redis.exec(['redis-cli', '--no-auth-warning', '-a', password, 'TTL', `executor:live:${executionId}`]));
  }

  describe('outsiders', () => {
    const EVERY_ROUTE: readonly (readonly [string, string, 'worker' | 'gateway' | 'grant'])[] = [
      ['POST', '/internal/executions/claim', 'worker'],
      ['POST', '/internal/executions/renew', 'worker'],
      ['GET', '/internal/catalog', 'worker'],
      ['POST', '/internal/administration', 'gateway'],
      ['POST', '/internal/executions/exe_1/finish', 'grant'],
      ['POST', '/internal/executions/exe_1/events', 'grant'],
      ['POST', '/internal/tool-calls', 'grant'],
      ['POST', '/internal/discover', 'grant'],
      ['POST', '/internal/sessions/renew', 'worker'],
      ['GET', '/internal/sessions/transfers/xfr_1/content', 'worker'],
      ['PUT', '/internal/sessions/transfers/xfr_1/content', 'worker'],
      ['POST', '/internal/sessions/transfers/xfr_1/answer', 'worker'],
      ['PUT', '/internal/executions/exe_1/artifacts/0', 'grant'],
      ['POST', '/internal/executions/exe_1/artifacts', 'grant'],
    ];

    test.each(EVERY_ROUTE)('are refused at %s %s before its body is read', async (method, path, caller) => {
      const soon = new Date(Date.now() + 30_000);
      const forGrant = { executionId: 'exe_1', workspaceId: 'wsp_default', principalId: 'key_test', token: 1 };
      const past = Date.now() - 120_000;
      const tokens: Record<string, string | undefined> = {
        none: undefined,
        garbage: 'abc',
        'a key of the public API': `cx_${'a'.repeat(43)}`,
        'an expired token': await createServiceSigner({ role: 'worker', name: 'w', key: KEYS.worker, now: () => past })(),
        'a worker that signs for the gateway': await createServiceSigner({ role: 'gateway', name: 'g', key: KEYS.worker })(),
        'a gateway that signs for the worker': await createServiceSigner({ role: 'worker', name: 'w', key: KEYS.gateway })(),
        'a grant by a worker': await createGrants({ key: KEYS.worker }).issue(forGrant, soon),
        ...(caller === 'grant'
          ? { 'a true worker': await fleet.authorizeWorker(), 'a true gateway': await fleet.authorizeGateway() }
          : { 'a true grant': await createGrants({ key: KEYS.grant }).issue(forGrant, soon) }),
      };
      for (const [who, token] of Object.entries(tokens)) {
        const answer = await fleet.ask(`${proxy.url}${path}`, {
          method,
          ...(token === undefined ? {} : { token }),
          ...(method === 'POST' ? { body: '{not json' } : {}),
        });
        expect([who, answer.status]).toEqual([who, 401]);
        expect(answer.json()).toMatchObject({ error: { code: 'UNAUTHENTICATED', requestId: expect.stringMatching(/^req_/) } });
      }
      const other = caller === 'worker' ? await fleet.authorizeGateway() : await fleet.authorizeWorker();
      if (caller === 'grant') return;
      const answer = await fleet.ask(`${proxy.url}${path}`, { method, token: other, ...(method === 'POST' ? { body: {} } : {}) });
      expect(answer).toMatchObject({ status: 403 });
      expect(answer.json()).toMatchObject({ error: { code: 'FORBIDDEN' } });
    });

    test('do not learn which routes there are', async () => {
      expect(await fleet.ask(`${proxy.url}/internal/nothing`, { body: {} })).toMatchObject({ status: 401 });
      expect(await fleet.ask(`${proxy.url}/internal/nothing`, { token: await fleet.authorizeWorker(), body: {} })).toMatchObject({
        status: 404,
      });
    });

    test('and workers with a grant end and follow no execution but its own', async () => {
      const [mine, other] = [await fleet.claim(proxy.url), await fleet.claim(proxy.url)];
      const ended = endOf(other);
      const url = `${proxy.url}/internal/executions/${other.execution.id}`;
      expect(await fleet.ask(`${url}/finish`, { token: mine.grant, body: { ended } })).toMatchObject({ status: 403 });
      expect(await fleet.ask(`${url}/events`, { token: mine.grant, body: { token: 1, events: [] } })).toMatchObject({ status: 403 });
      const disguised = `${proxy.url}/internal/executions/${mine.execution.id}/finish`;
      expect(await fleet.ask(disguised, { token: mine.grant, body: { ended } })).toMatchObject({ status: 403 });
      const older = { ...endOf(mine), token: mine.execution.token + 1 };
      expect(await fleet.ask(disguised, { token: mine.grant, body: { ended: older } })).toMatchObject({ status: 403 });
    });

    test('and workers reach no files of sessions that another worker has, and no claims on them', async () => {
      const [executionId, transferId] = ['exe_of_other', 'xfr_of_other'];
      await sql`insert into fleet_sessions (workspace_id, principal_id, id, incarnation, language, worker_id, lease_until, created_at, last_used_at, idle_seconds)
        values ('wsp_default', 'key_test', 'theirs', ${executionId}, 'python', 'worker-2', now() + interval '1 minute', now(), now(), 900)`.execute(
        fleet.db.query(),
      );
      await sql`insert into session_transfers (id, incarnation, worker_id, act, path, ready) values (${transferId}, ${executionId}, 'worker-2', 'write', 'a', true)`.execute(
        fleet.db.query(),
      );
      await sql`insert into session_transfer_parts (transfer_id, part, content) values (${transferId}, 0, 'theirs')`.execute(
        fleet.db.query(),
      );
      const transfer = `${proxy.url}/internal/sessions/transfers/${transferId}`;
      const tokenOf = (name: string): Promise<string> => createServiceSigner({ role: 'worker', name, key: KEYS.worker })();
      const [one, two] = [await tokenOf('worker-1'), await tokenOf('worker-2')];
      expect(await fleet.ask(`${transfer}/content`, { method: 'GET', token: one })).toMatchObject({ status: 404 });
      expect(await fleet.ask(`${transfer}/answer`, { token: one, body: { answer: { ok: true, value: 1 } } })).toMatchObject({
        status: 404,
      });
      const renewal = { held: [executionId], lost: [{ incarnation: executionId, reason: 'a lie' }] };
      const refused = await fleet.ask(`${proxy.url}/internal/sessions/renew`, { token: one, body: renewal });
      expect(refused.json()).toEqual({ gone: [executionId], executions: [], transfers: [] });
      expect(await fleet.ask(`${transfer}/content`, { method: 'GET', token: two })).toMatchObject({ status: 200, text: 'theirs' });
      const own = await fleet.ask(`${proxy.url}/internal/sessions/renew`, { token: two, body: { held: [executionId], lost: [] } });
      expect(own.json()).toEqual({
        gone: [],
        executions: [],
        transfers: [{ id: transferId, incarnation: executionId, act: 'write', path: 'a' }],
      });
      const unknown = { answer: { ok: false, code: 'NO_SUCH_CODE', message: 'x' } };
      expect(await fleet.ask(`${transfer}/answer`, { token: two, body: unknown })).toMatchObject({ status: 400 });
    });

    test('and workers keep artifacts of claims that hold, within bounds, and what they list has come', async () => {
      const [mine, other] = [await fleet.claim(proxy.url), await fleet.claim(proxy.url)];
      const of = (id: string): string => `${proxy.url}/internal/executions/${id}/artifacts`;
      const put = (url: string, body: string): Promise<{ status: number; text: string }> =>
        fleet.ask(url, { method: 'PUT', token: mine.grant, body, headers: { 'content-type': 'application/octet-stream' } });
      expect(await put(`${of(other.execution.id)}/0`, 'x')).toMatchObject({ status: 403 });
      for (const name of ['64', 'a', '-1', '0x1'])
        expect(await put(`${of(mine.execution.id)}/${name}`, 'x')).toMatchObject({ status: 400 });
      expect(await put(`${of(mine.execution.id)}/0`, 'longer than that')).toMatchObject({ status: 204 });
      expect(await put(`${of(mine.execution.id)}/0`, 'hello')).toMatchObject({ status: 204 });
      const index = (bytes: number) => ({ index: { files: [{ path: 'a', bytes, name: '0' }], omitted: [] } });
      const list = (bytes: number) => fleet.ask(of(mine.execution.id), { token: mine.grant, body: index(bytes) });
      expect(await list(6)).toMatchObject({ status: 400 });
      expect(await list(5)).toMatchObject({ status: 204 });
      await sql`update executions set ended_at = now(), status = 'failed' where id = ${mine.execution.id}`.execute(fleet.db.query());
      fleet.held.delete(mine.execution.id);
      expect(await put(`${of(mine.execution.id)}/0`, 'late')).toMatchObject({ status: 409 });
      expect(await list(5)).toMatchObject({ status: 409 });
      const { rows } = await sql<{ content: Buffer }>`
        select content from execution_artifact_parts where execution_id = ${mine.execution.id}`.execute(fleet.db.query());
      expect(rows.map(({ content }) => content.toString())).toEqual(['hello']);
    });

    test('that send what no service sends are told which field is wrong', async () => {
      const claim = await fleet.claim(proxy.url);
      const url = `${proxy.url}/internal/tool-calls`;
      const refused = await fleet.ask(url, { token: claim.grant, body: { callNumber: 0, tool: 'plain.echo', args: {}, more: 1 } });
      expect(refused).toMatchObject({ status: 400 });
      expect(refused.text).toMatch(/callNumber.*more/);
      expect(await fleet.ask(url, { token: claim.grant, body: '{"callNumber":' })).toMatchObject({ status: 400 });
      expect(await fleet.ask(url, { token: claim.grant, body: `"${'x'.repeat(4_200_000)}"` })).toMatchObject({ status: 413 });
    });
  });

  describe('the catalog', () => {
    test('is fetched by its version, and not again while it is the same', async () => {
      const claim = await fleet.claim(proxy.url);
      const { version, tools } = await fleet.tools(proxy.url).fetchCatalog(claim.catalogVersion);
      expect(version).toBe(claim.catalogVersion);
      expect(tools.map(({ name }) => name)).toContain('echo');
      const same = await fleet.ask(`${proxy.url}/internal/catalog`, {
        method: 'GET',
        token: await fleet.authorizeWorker(),
        headers: { 'if-none-match': `"${version}"` },
      });
      expect(same).toMatchObject({ status: 304, text: '' });
    });
  });

  describe('administration', () => {
    test('answers the gateway as the tool domain itself would, errors and all', async () => {
      const tools = fleet.administration(proxy.url);
      expect(await tools.summary()).toMatchObject({ servers: { plain: { state: 'ready', reason: null } } });
      expect((await tools.listTools(ADMIN, { limit: 2 })).items).toHaveLength(2);
      expect(await tools.search(ADMIN, { q: 'echo', detail: 'name', limit: 5, offset: 0 })).toMatchObject({ items: { plain: ['echo'] } });
      expect(await tools.toolInfo(ADMIN, 'plain', 'echo')).toMatchObject({ name: 'echo', title: null });
      expect(await tools.invoke(ADMIN, 'plain', 'echo', { value: 'hi' }, NEVER)).toMatchObject({ ok: true });
      await expect(tools.getIntegration(ADMIN, 'plian')).rejects.toMatchObject({
        name: 'AppError',
        code: 'SERVER_NOT_FOUND',
        message: expect.stringContaining('plain'),
        details: { suggestions: ['plain'] },
      });
      await expect(tools.addPolicy({ ...ADMIN, role: 'agent' }, { pattern: '*', action: 'allow' })).rejects.toMatchObject({
        code: 'FORBIDDEN',
      });
      await expect(tools.removePolicy(ADMIN, 'pol_nothing')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    });

    test('judges calls of programs by arguments, limits and what has become of their key, and records what gateways do in one chain', async () => {
      const tools = fleet.administration(proxy.url);
      const keys = await createKeys({ db: fleet.db, log: SILENT, announce: async () => undefined });
      const agent = await keys.create(ADMIN, { name: 'ci', role: 'agent', scopes: ['execute', 'servers:plain'] });
      const policies = [
        await tools.addPolicy(ADMIN, {
          pattern: 'plain.echo',
          action: 'block',
          when: [{ path: 'value', glob: 'no*' }],
          principal: ['name:ci'],
        }),
        await tools.addPolicy(ADMIN, { pattern: 'plain.*', action: 'limit', limits: { perExecution: 2 } }),
      ];
      const claim = await fleet.claim(proxy.url, { principalId: agent.id });
      const codeOf = async (callNumber: number, value: string): Promise<string> => {
        const { reply } = await call('plain.echo', { value }, claim, callNumber);
        return reply.ok ? 'ok' : reply.error.code;
      };
      expect(await tools.previewPolicy(ADMIN, { tool: 'plain.echo', arguments: { value: 'nope' }, principal: agent.id })).toMatchObject({
        action: 'block',
        decidedBy: { id: policies[0]?.id },
      });
      expect([await codeOf(1, 'yes'), await codeOf(2, 'nope'), await codeOf(3, 'yes'), await codeOf(4, 'yes')]).toEqual([
        ...['ok', 'TOOL_BLOCKED', 'ok', 'CALL_LIMIT'],
      ]);
      await tools.changePolicy(ADMIN, policies[1]?.id ?? '', { limits: { perExecution: 100 } });
      expect(await codeOf(5, 'yes')).toBe('ok');
      await keys.revoke(ADMIN, agent.id);
      let callNumber = 5;
      await vi.waitFor(
        async () => {
          callNumber += 1;
          expect(await codeOf(callNumber, 'yes')).toBe('UNAUTHENTICATED');
        },
        { timeout: 10_000, interval: 100 },
      );
      keys.close();
      for (const { id } of policies) await tools.removePolicy(ADMIN, id);
      const gateways = [1, 2].map(() => createAudit({ db: fleet.db, log: SILENT }));
      await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          gateways[index % 2]?.record({ type: 'key.create', principal: ADMIN, target: `key_${index}` }),
        ),
      );
      expect(await gateways[0]?.verify('wsp_default', NEVER)).toEqual({ whole: true, checked: 40, brokenAt: null });
      const calls = await gateways[0]?.list('wsp_default', { execution: claim.execution.id, outcome: 'failed' }, { limit: 10 });
      expect(
        calls?.items
          .map(({ outcome, decision }) => [decision, outcome])
          .reverse()
          .slice(0, 2),
      ).toEqual([
        ['block', 'TOOL_BLOCKED'],
        ['refused', 'CALL_LIMIT'],
      ]);
    });

    test('has no method but those of its table', async () => {
      const token = await fleet.authorizeGateway();
      for (const method of ['close', 'callTool', 'constructor', '__proto__', 'toString', 'reload', 'effectsOf']) {
        const body = { method, principal: ADMIN, arguments: [] };
        expect(await fleet.ask(`${proxy.url}/internal/administration`, { token, body })).toMatchObject({ status: 400 });
      }
    });

    test('says TOOLS_UNAVAILABLE while no proxy answers', async () => {
      const tools = fleet.administration('http://127.0.0.1:9');
      await expect(tools.listTools(ADMIN, { limit: 1 })).rejects.toMatchObject({ code: 'TOOLS_UNAVAILABLE' });
      await expect(tools.summary()).rejects.toMatchObject({ code: 'TOOLS_UNAVAILABLE' });
    });
  });
});

function endOf({ execution }: { readonly execution: { readonly id: string; readonly token: number } }) {
  return {
    id: execution.id,
    token: execution.token,
    endedAt: new Date().toISOString(),
    queueMs: 1,
    totalMs: 2,
    outputTokens: 0,
    outcome: {
      status: 'succeeded',
      error: null,
      resultJson: '"x"',
      output: '',
      truncated: false,
      droppedBytes: 0,
      outputBytes: 0,
      executionTimeMs: 1,
      effects: 'none',
      toolCalls: [],
      warm: true,
    },
    eventsJson: null,
  };
}
