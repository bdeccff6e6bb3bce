import { readFileSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Principal } from '@code-executor/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ToolTables } from './tables.ts';
import { startRemoteServer } from './testing/remote-server.ts';
import {
  ADMIN,
  callOutcome,
  createTestBed,
  errorOf,
  HOSTILE_SERVER,
  hostile,
  IS_ROOT,
  type TestBed,
  valueOfCall,
} from './testing/with-tool-domain.ts';

const FAST = { backoffFirstMs: 100, startTimeoutMs: 5_000 };
const AGENT: Principal = { ...ADMIN, id: 'key_agent', role: 'agent' };
const OPERATOR: Principal = { ...ADMIN, id: 'key_operator', role: 'operator' };
const SECRET = 'sk-0123456789abcdef';

describe.skipIf(IS_ROOT)('the tool domain (not run as root: stdio servers are never started by root)', () => {
  let bed: TestBed;
  beforeAll(async () => {
    bed = await createTestBed();
  });
  afterAll(() => bed.close());

  it('records every call before it is dispatched, with its end, and none twice', async () => {
    const domain = await bed.restart({ plain: hostile('plain', { trust: 'annotations' }) }, { times: FAST });
    const grant = { executionId: 'exe_recorded', workspaceId: 'wsp_default', principalId: 'key_7' };
    const call = (callNumber: number, tool: string, args: unknown) =>
      domain.callTool(grant, { callNumber, tool, args }, AbortSignal.timeout(20_000));
    expect((await call(1, 'plain.echo', { value: 1 })).reply.ok).toBe(true);
    const gated = await call(2, 'plain.die', {});
    expect([errorOf(gated.reply).code, gated.approval?.id]).toEqual(['TOOL_NEEDS_APPROVAL', expect.stringMatching(/^apr_/)]);
    expect((await call(2, 'plain.die', {})).approval).toEqual(gated.approval);
    expect(errorOf((await call(1, 'plain.echo', { value: 2 })).reply).code).toBe('CALL_REPEATED');
    const operator = { id: 'key_9', workspaceId: 'wsp_default', role: 'operator' } as const;
    await domain.decideApproval(operator, gated.approval?.id ?? '', { decision: 'deny' });
    const again = { callNumber: 2, tool: 'plain.die', args: {}, approvalId: gated.approval?.id };
    expect(errorOf((await domain.callTool(grant, again, AbortSignal.timeout(20_000))).reply).code).toBe('APPROVAL_DENIED');
    await domain.close();
    const rows = await bed.db
      .query<ToolTables>()
      .selectFrom('tool_calls')
      .leftJoin('tool_call_outcomes', 'tool_call_outcomes.call_id', 'tool_calls.id')
      .select(['call_number', 'principal_id', 'server', 'tool', 'decision', 'outcome', 'argument_digest', 'idempotency_key', 'reply_bytes'])
      .where('execution_id', '=', grant.executionId)
      .orderBy('call_number')
      .execute();
    expect(rows).toMatchObject([
      { call_number: 1, principal_id: 'key_7', server: 'plain', tool: 'echo', decision: 'allow', outcome: 'ok', reply_bytes: 11 },
      { call_number: 2, tool: 'die', decision: 'require_approval', outcome: 'APPROVAL_DENIED' },
    ]);
    expect(rows[0]?.argument_digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it('shows in the record how a call ended as soon as it was answered', async () => {
    const domain = await bed.restart({ plain: hostile('plain') }, { times: FAST });
    const grant = { executionId: 'exe_shown', workspaceId: 'wsp_default', principalId: 'k' };
    const shown = async (callNumber: number) => {
      await domain.callTool(grant, { callNumber, tool: 'plain.echo', args: { value: callNumber } }, AbortSignal.timeout(20_000));
      const { items } = await domain.audit.list('wsp_default', { execution: 'exe_shown' }, { limit: 1 });
      return items[0];
    };
    expect(await shown(1)).toMatchObject({ target: 'plain.echo', outcome: 'ok' });
    expect(await shown(2)).toMatchObject({ target: 'plain.echo', outcome: 'ok' });
  });

  it('sends the recorded idempotency key upstream, the same for the same call whatever the order of its arguments', async () => {
    const domain = await bed.restart({ plain: hostile('plain') }, { times: FAST });
    const grant = { executionId: 'exe_meta', workspaceId: 'wsp_default', principalId: 'k' };
    const { reply } = await domain.callTool(grant, { callNumber: 1, tool: 'plain.meta', args: {} }, AbortSignal.timeout(20_000));
    const row = await bed.db
      .query<ToolTables>()
      .selectFrom('tool_calls')
      .select('idempotency_key')
      .where('execution_id', '=', 'exe_meta')
      .executeTakeFirst();
    expect(reply).toMatchObject({ ok: true, value: { 'code-executor/idempotency-key': row?.idempotency_key } });
  });

  it('says what a call did: nothing where it was not made, nothing where the operator says so, else something', async () => {
    const domain = await bed.restart({ plain: hostile('plain', { readOnlyTools: ['echo', 'hang'], timeoutMs: 1_500 }) }, { times: FAST });
    expect((await callOutcome(domain, 'plain.echo', { value: 1 })).effects).toBe('none');
    expect((await callOutcome(domain, 'plain.hang')).effects).toBe('none');
    expect((await callOutcome(domain, 'plain.env')).effects).toBe('some');
    expect((await callOutcome(domain, 'plain.echo', { wrong: 1 })).effects).toBe('none');
    expect((await callOutcome(domain, 'plain.nothing')).effects).toBe('none');
  });

  it('tells from the journal alone what an execution did', async () => {
    const domain = await bed.restart({ plain: hostile('plain', { readOnlyTools: ['echo'], timeoutMs: 1_500 }) }, { times: FAST });
    const run = async (executionId: string, ...tools: string[]) => {
      const grant = { executionId, workspaceId: 'wsp_default', principalId: 'k' };
      for (const [index, tool] of tools.entries())
        await domain.callTool(grant, { callNumber: index + 1, tool, args: {} }, AbortSignal.timeout(20_000));
      return executionId;
    };
    const read = await run('exe_j1', 'plain.echo', 'plain.nothing');
    const wrote = await run('exe_j2', 'plain.echo', 'plain.env');
    const lost = await run('exe_j3', 'plain.env', 'plain.hang');
    await expect.poll(() => domain.effectsOf(wrote)).toBe('some');
    expect([await domain.effectsOf(read), await domain.effectsOf(lost), await domain.effectsOf('exe_none')]).toEqual([
      'none',
      'unknown',
      'none',
    ]);
  });

  it('tells its listeners of a change when the new wrappers are there', async () => {
    const domain = await bed.restart({ plain: hostile('plain') }, { times: FAST });
    const before = await domain.snapshotDir('wsp_default');
    const told: Promise<string>[] = [];
    domain.onCatalogChange(() => told.push(domain.snapshotDir('wsp_default')));
    const { id } = await domain.addPolicy(OPERATOR, { pattern: 'plain.echo', action: 'block' });
    const last = await told.at(-1);
    expect(last).not.toBe(before);
    expect(last).toBe(await domain.snapshotDir('wsp_default'));
    await domain.removePolicy(OPERATOR, id);
  });

  it.each<[string, unknown, string, RegExp]>([
    ['plain.echo', { valeu: 1 }, 'INVALID_ARGUMENTS', /unknown argument "valeu": did you mean "value"/],
    ['plain.echo', [1], 'INVALID_ARGUMENTS', /as one object/],
    ['plain.echo', null, 'INVALID_ARGUMENTS', /as one object/],
    ['plain.slow', { ms: 'x' }, 'INVALID_ARGUMENTS', /ms must be number/],
    ['plain.echo', { value: 'x'.repeat(1_100_000) }, 'ARGUMENTS_TOO_LARGE', /1048576 are allowed/],
    ['plain.ecko', {}, 'TOOL_NOT_FOUND', /Did you mean echo/],
    ['plian.echo', {}, 'SERVER_NOT_FOUND', /Did you mean plain/],
    ['echo', {}, 'TOOL_NOT_FOUND', /write server\.tool/],
    ['', {}, 'TOOL_NOT_FOUND', /write server\.tool/],
    ['constructor.name', {}, 'SERVER_NOT_FOUND', /No server/],
  ])('answers a call of %s with %j by %s', async (tool, args, code, message) => {
    const domain = await bed.restart({ plain: hostile('plain') }, { times: FAST });
    expect(errorOf((await callOutcome(domain, tool, args)).reply)).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('gives code the structured content, the JSON of one text, the text, or the blocks', async () => {
    const domain = await bed.restart({ plain: hostile('plain') }, { times: FAST });
    expect(await valueOfCall(domain, 'plain.echo', { value: { a: [1, null] } })).toEqual({ value: { a: [1, null] } });
    expect(await valueOfCall(domain, 'plain.text', { text: '{"a": [1]}' })).toEqual({ a: [1] });
    expect(await valueOfCall(domain, 'plain.text', { text: '{not json' })).toBe('{not json');
    expect(await valueOfCall(domain, 'plain.text', { text: '007' })).toBe('007');
    expect(await valueOfCall(domain, 'plain.text', { text: 'x', blocks: 2 })).toBe('x\nx');
    expect(await valueOfCall(domain, 'plain.text', { text: 'x', blocks: 0 })).toBe(null);
  });

  it('hides what a policy blocks from search, wrappers and lists, gates by trust, and obeys the most specific rule', async () => {
    const domain = await bed.restart({ plain: hostile('plain', { trust: 'annotations' }) }, { times: FAST });
    const names = async () =>
      ((await domain.search(ADMIN, { q: '', detail: 'name', limit: 100, offset: 0 })).items as Record<string, string[]>).plain ?? [];
    expect((await callOutcome(domain, 'plain.echo')).reply.ok).toBe(true);
    expect(errorOf((await callOutcome(domain, 'plain.env')).reply)).toMatchObject({
      code: 'TOOL_NEEDS_APPROVAL',
      message: expect.stringContaining('POST /policies'),
    });
    const blocked = await domain.addPolicy(OPERATOR, { pattern: 'plain.*', action: 'block' });
    const allowed = await domain.addPolicy(OPERATOR, { pattern: 'plain.env', action: 'allow' });
    expect(await names()).toEqual(['env']);
    expect((await domain.listTools(ADMIN, { limit: 10 })).total).toBe(1);
    expect(errorOf((await callOutcome(domain, 'plain.echo')).reply).code).toBe('TOOL_BLOCKED');
    expect(() => domain.toolInfo(ADMIN, 'plain', 'echo')).toThrow(expect.objectContaining({ code: 'TOOL_BLOCKED' }));
    expect((await callOutcome(domain, 'plain.env')).reply.ok).toBe(true);
    expect(readFileSync(join(await domain.snapshotDir('wsp_default'), 'plain', 'index.ts'), 'utf8')).not.toContain('echo');
    const again = await bed.restart({ plain: hostile('plain', { trust: 'annotations' }) }, { times: FAST });
    expect((await again.listPolicies(ADMIN)).map(({ pattern }) => pattern)).toEqual(['plain.*', 'plain.env']);
    await again.removePolicy(OPERATOR, blocked.id);
    await again.removePolicy(OPERATOR, allowed.id);
    await expect(again.removePolicy(OPERATOR, allowed.id)).rejects.toMatchObject({ code: 'POLICY_NOT_FOUND' });
    await expect(again.addPolicy(AGENT, { pattern: '*', action: 'allow' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect((await callOutcome(again, 'plain.echo')).reply.ok).toBe(true);
  });

  it('sends a tool whose definition changed back to approval, over restarts too, until an allow policy accepts it', async () => {
    const marker = join(bed.dir, 'drift-now');
    const servers = { drift: hostile('drift', { trust: 'annotations' }, marker) };
    const domain = await bed.restart(servers, { times: FAST });
    expect((await callOutcome(domain, 'drift.echo', { value: 1 })).reply.ok).toBe(true);
    await writeFile(marker, '');
    const refreshed = await domain.refreshIntegration(OPERATOR, 'drift');
    expect(refreshed).toMatchObject({ changed: ['echo'], toolCount: 1 });
    expect(refreshed.removed).toContain('env');
    expect(refreshed.warnings.join()).toContain('its definition changed');
    expect(bed.log()).toContain('it needs approval again');
    const restarted = await bed.restart(servers, { times: FAST });
    expect(errorOf((await callOutcome(restarted, 'drift.echo', { value: 1 })).reply)).toMatchObject({
      code: 'TOOL_NEEDS_APPROVAL',
      message: expect.stringContaining('its definition changed'),
    });
    const { id } = await restarted.addPolicy(OPERATOR, { pattern: 'drift.echo', action: 'allow' });
    expect((await callOutcome(restarted, 'drift.echo', { value: 1 })).reply.ok).toBe(true);
    await restarted.removePolicy(OPERATOR, id);
  });

  it('shows the remembered tools of a lazy server and starts it at its first call', async () => {
    await bed.restart({ lazy: hostile('plain') }, { times: FAST });
    const domain = await bed.restart({ lazy: hostile('plain', { lazy: true }) }, { times: FAST });
    expect(domain.summary().servers.lazy).toMatchObject({ state: 'idle' });
    expect((await domain.toolInfo(ADMIN, 'lazy', 'echo')).example.typescript).toContain('echo');
    expect(await valueOfCall(domain, 'lazy.echo', { value: 5 })).toEqual({ value: 5 });
    expect(domain.summary().servers.lazy).toMatchObject({ state: 'ready' });
  });

  it.each(['streamable', 'sse'] as const)(
    'speaks %s to a remote server, with its headers, and connects anew after the server was restarted',
    async (kind) => {
      let remote = await startRemoteServer(kind, SECRET);
      try {
        const domain = await bed.restart(
          { remote: { url: remote.url, headers: { Authorization: `Bearer ${SECRET}` }, trust: true } },
          { times: FAST },
        );
        expect(domain.summary().servers.remote).toMatchObject({ state: 'ready', tools: 1 });
        expect(await valueOfCall(domain, 'remote.greet')).toBe('hello');
        await remote.close();
        expect(errorOf((await callOutcome(domain, 'remote.greet')).reply).code).toMatch(/UPSTREAM_(LOST|UNAVAILABLE)/);
        remote = await startRemoteServer(kind, SECRET, Number(new URL(remote.url).port));
        await expect.poll(() => valueOfCall(domain, 'remote.greet').catch(String), { timeout: 10_000 }).toBe('hello');
      } finally {
        await remote.close();
      }
    },
  );

  it('adds integrations through the API, keeps their secrets sealed, and forgets them when they are removed', async () => {
    const remote = await startRemoteServer('streamable', SECRET);
    try {
      const domain = await bed.restart({ plain: hostile('plain') }, { times: FAST });
      const integration = {
        slug: 'added',
        kind: 'mcp',
        url: remote.url,
        headers: { Authorization: `Bearer ${SECRET}` },
        trust: true,
      } as const;
      await expect(domain.addIntegration(AGENT, integration)).rejects.toMatchObject({ code: 'FORBIDDEN' });
      // A server that wants another credential is kept: a connection may bring it.
      const wrong = await domain.addIntegration(ADMIN, { ...integration, headers: { Authorization: 'Bearer wrongtoken' } });
      expect(wrong).toMatchObject({ state: 'broken', toolCount: 0, reason: expect.stringContaining('wants a credential') });
      expect(JSON.stringify(wrong)).not.toContain('wrongtoken');
      await domain.removeIntegration(ADMIN, 'added');
      const added = await domain.addIntegration(ADMIN, integration);
      expect(added).toMatchObject({ slug: 'added', kind: 'mcp', origin: 'api', toolCount: 1, state: 'ready' });
      await expect(domain.addIntegration(ADMIN, integration)).rejects.toMatchObject({ code: 'INTEGRATION_EXISTS' });
      expect(JSON.stringify([added, await domain.listIntegrations(ADMIN)])).not.toContain(SECRET);
      const stored = JSON.stringify(await bed.db.query<ToolTables>().selectFrom('integrations').selectAll().execute());
      expect(stored).toContain('added');
      expect(stored).not.toContain(SECRET);
      expect(statSync(join(bed.dataDir, 'seal.key')).mode & 0o777).toBe(0o600);

      const again = await bed.restart({ plain: hostile('plain') }, { times: FAST });
      expect(await valueOfCall(again, 'added.greet')).toBe('hello');
      await expect(again.removeIntegration(OPERATOR, 'plain')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      await again.removeIntegration(OPERATOR, 'added');
      expect(errorOf((await callOutcome(again, 'added.greet')).reply).code).toBe('SERVER_NOT_FOUND');
      expect(await bed.db.query<ToolTables>().selectFrom('integrations').selectAll().execute()).toEqual([]);
    } finally {
      await remote.close();
    }
  });

  it('lets only an admin add a command, refuses what cannot be used by field, and reads no environment for the API', async () => {
    const domain = await bed.restart({}, { times: FAST });
    const command = { slug: 'cmd', kind: 'mcp', command: process.execPath, args: [HOSTILE_SERVER, 'plain'], trust: true } as const;
    await expect(domain.addIntegration(OPERATOR, command)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(domain.addIntegration(ADMIN, { ...command, env: { A: '$'.concat('{HOME}') } })).rejects.toMatchObject({
      code: 'INTEGRATION_INVALID',
      message: expect.stringContaining('env.A'),
    });
    await expect(domain.addIntegration(ADMIN, { ...command, slug: '../x' })).rejects.toMatchObject({ code: 'INTEGRATION_INVALID' });
    await expect(domain.addIntegration(ADMIN, { slug: 'meta', kind: 'mcp', url: 'http://0xA9FEA9FE/latest' })).rejects.toMatchObject({
      code: 'INTEGRATION_UNREACHABLE',
    });
    expect(await domain.addIntegration(ADMIN, command)).toMatchObject({ slug: 'cmd', state: 'ready' });
    expect((await domain.invoke(ADMIN, 'cmd', 'echo', { value: 1 }, AbortSignal.timeout(20_000))).ok).toBe(true);
    await domain.removeIntegration(ADMIN, 'cmd');
  });

  it('answers the questions of a program about the catalog, and refuses malformed ones by field', async () => {
    const domain = await bed.restart({ plain: hostile('plain') }, { times: FAST });
    const grant = { executionId: 'exe_d', workspaceId: 'wsp_default', principalId: 'k' };
    const answerTo = async (operation: Parameters<typeof domain.discover>[1], params: unknown): Promise<unknown> => {
      const reply = await domain.discover(grant, operation, params);
      return reply.ok ? reply.value : reply.error.code;
    };
    expect(await answerTo('list_servers', {})).toEqual([{ server: 'plain', state: 'ready', tools: 17, reason: null }]);
    expect(await answerTo('list_tools', { server: 'plain', limit: 2, offset: 1 })).toMatchObject([{ name: 'slow' }, { name: 'die' }]);
    expect(await answerTo('search_tools', { q: 'ecko' })).toMatchObject({ items: { plain: { echo: 'The tool echo' } } });
    expect(await answerTo('get_tool', { server: 'plain', tool: 'echo' })).toMatchObject({ name: 'echo', policy: { action: 'allow' } });
    expect(await answerTo('get_tool', { server: 'plain' })).toBe('INVALID_ARGUMENTS');
    expect(await answerTo('search_tools', { q: 1 })).toBe('INVALID_ARGUMENTS');
    expect(await answerTo('list_tools', { server: 'nowhere' })).toBe('SERVER_NOT_FOUND');
    expect(await answerTo('list_servers', { extra: 1 })).toBe('INVALID_ARGUMENTS');
    expect(await answerTo('drop_tables' as 'list_servers', {})).toBe('INVALID_REQUEST');
  });
});
