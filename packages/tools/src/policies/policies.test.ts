import type { Principal } from '@code-executor/contracts';
import type { ToolCallOutcome } from '@code-executor/executions';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ToolTables } from '../tables.ts';
import { ADMIN, createTestBed, errorOf, hostile, IS_ROOT, type TestBed } from '../testing/with-tool-domain.ts';
import type { ToolDomain } from '../tool-domain.ts';
import { createCallLimits } from './call-limits.ts';
import type { CallPrincipal } from './subject.ts';

const AGENT: Principal = { id: 'key_agent', workspaceId: 'wsp_default', role: 'agent' };

describe.skipIf(IS_ROOT)('policies of a tool domain (not run as root: stdio servers are never started by root)', () => {
  let bed: TestBed;
  let domain: ToolDomain;
  let executions = 0;
  const known = new Map<string, CallPrincipal>();

  beforeAll(async () => {
    bed = await createTestBed();
    const servers = { plain: hostile('plain', { trust: 'annotations' }), other: hostile('plain') };
    domain = await bed.restart(servers, { findPrincipal: (id) => known.get(id) ?? null });
  }, 60_000);
  afterAll(() => bed.close());

  /** Each call of an execution of its own, unless one is named. */
  function call(
    tool: string,
    args: unknown,
    principalId: string = AGENT.id,
    executionId?: string,
    callNumber = 1,
  ): Promise<ToolCallOutcome> {
    executions += 1;
    const grant = { executionId: executionId ?? `exe_policies_${executions}`, workspaceId: 'wsp_default', principalId };
    return domain.callTool(grant, { callNumber, tool, args }, AbortSignal.timeout(20_000));
  }

  async function withRules<Result>(
    rules: Parameters<ToolDomain['addPolicy']>[1][],
    work: (ids: string[]) => Promise<Result>,
  ): Promise<Result> {
    const ids: string[] = [];
    for (const rule of rules) ids.push((await domain.addPolicy(ADMIN, rule)).id);
    try {
      return await work(ids);
    } finally {
      for (const id of ids) await domain.removePolicy(ADMIN, id).catch(() => undefined);
    }
  }

  const codeOf = ({ reply }: ToolCallOutcome): string => (reply.ok ? 'ok' : reply.error.code);

  it('decide on a call as the preview says, by arguments and by who calls', async () => {
    known.set('key_named', { id: 'key_named', role: 'agent', name: 'ci' });
    await withRules(
      [
        { pattern: 'plain.env', action: 'block' },
        { pattern: 'plain.echo', action: 'require_approval' },
        { pattern: 'plain.echo', action: 'allow', when: [{ path: '$.value', range: { max: 10 } }] },
        { pattern: 'plain.echo', action: 'block', principal: ['name:ci'], when: [{ path: 'value', equals: 7 }] },
      ],
      async (ids) => {
        const codes = { allow: 'ok', require_approval: 'TOOL_NEEDS_APPROVAL', block: 'TOOL_BLOCKED' };
        const cases: [string, unknown, string, keyof typeof codes, string | undefined][] = [
          ['plain.echo', { value: 10 }, 'key_agent', 'allow', ids[2]],
          ['plain.echo', { value: 11 }, 'key_agent', 'require_approval', ids[1]],
          ['plain.echo', { value: 'a' }, 'key_agent', 'require_approval', ids[1]],
          // Of a principal that is not known a rule that blocks is not passed by.
          ['plain.echo', { value: 7 }, 'key_agent', 'block', ids[3]],
          ['plain.echo', { value: 7 }, 'key_named', 'block', ids[3]],
          ['plain.echo', { value: 8 }, 'key_named', 'allow', ids[2]],
          ['plain.env', {}, 'key_agent', 'block', ids[0]],
        ];
        for (const [tool, args, principal, action, policyId] of cases) {
          const preview = await domain.previewPolicy(ADMIN, { tool, arguments: args as Record<string, unknown>, principal });
          expect([tool, args, preview.action, preview.decidedBy?.id]).toEqual([tool, args, action, policyId]);
          expect(codeOf(await call(tool, args, principal))).toBe(codes[action]);
        }
        const preview = await domain.previewPolicy(ADMIN, { tool: 'plain.echo', arguments: { value: 11 }, principal: 'role:agent' });
        expect(preview.considered.find(({ policyId }) => policyId === ids[2])).toMatchObject({
          applies: false,
          why: expect.stringContaining('$.value'),
        });
      },
    );
  });

  it('are shown to an agent for its own calls only, without what is said of others', async () => {
    await withRules(
      [
        { pattern: 'plain.*', action: 'block', principal: ['key_secret'], note: 'a note' },
        { pattern: 'plain.echo', action: 'allow', note: 'because' },
      ],
      async () => {
        await expect(domain.previewPolicy(AGENT, { tool: 'plain.echo', principal: 'key_secret' })).rejects.toMatchObject({
          code: 'FORBIDDEN',
        });
        const text = JSON.stringify(await domain.previewPolicy(AGENT, { tool: 'plain.echo' }));
        expect(text).toContain('"action":"allow"');
        for (const hidden of ['key_secret', 'because', 'a note']) expect(text).not.toContain(hidden);
      },
    );
  });

  it('of one pattern are different rules by condition and principal, and survive a restart; the same one is replaced', async () => {
    const when = [{ path: 'value', equals: 1 }];
    const made = [
      await domain.addPolicy(ADMIN, { pattern: 'plain.echo', action: 'block' }),
      await domain.addPolicy(ADMIN, { pattern: 'plain.echo', action: 'block', when }),
      await domain.addPolicy(ADMIN, { pattern: 'plain.echo', action: 'block', principal: ['key_1', 'role:agent'] }),
      await domain.addPolicy(ADMIN, { pattern: 'plain.echo', action: 'limit', limits: { perDay: 5 } }),
    ];
    const again = await domain.addPolicy(ADMIN, { pattern: 'plain.echo', action: 'allow', when });
    expect(await domain.listPolicies(ADMIN)).toHaveLength(4);
    await expect(domain.changePolicy(ADMIN, again.id, { when: null })).rejects.toMatchObject({ code: 'POLICY_EXISTS' });
    const changed = await domain.changePolicy(ADMIN, again.id, { when: [{ path: 'value', oneOf: [1, 2] }], note: 'two' });
    expect(changed).toMatchObject({ id: again.id, action: 'allow', note: 'two', when: [{ path: 'value', oneOf: [1, 2] }] });
    const before = await domain.listPolicies(ADMIN);
    await domain.reload();
    expect(await domain.listPolicies(ADMIN)).toEqual(before);
    for (const { id } of [...made, again]) await domain.removePolicy(ADMIN, id).catch(() => undefined);
    expect(await domain.listPolicies(ADMIN)).toEqual([]);
  });

  it('that follow from the servers are shown as rules, and cannot be changed', async () => {
    const derived = (await domain.listPolicies(ADMIN, { derived: true })).filter(({ origin }) => origin === 'source');
    expect(derived.map(({ id, pattern, action }) => [id, pattern, action])).toEqual([
      ['source:plain', 'plain.*', 'require_approval'],
      ['source:other', 'other.*', 'allow'],
    ]);
    expect(derived[0]?.note).toMatch(/^By annotations: \d+ of \d+ tools declare themselves read-only/);
    await expect(domain.removePolicy(ADMIN, 'source:plain')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it.each([
    [{ pattern: 'plain.*', action: 'limit' }, /limits/],
    [{ pattern: 'plain.*', action: 'block', when: [{ path: '$..a', equals: 1 }] }, /path "\$\.\.a"/],
    [{ pattern: 'plain.*', action: 'block', principal: ['everybody'] }, /role:agent/],
    [{ pattern: 'plain@.*', action: 'block' }, /connection after the @/],
  ] as const)('refuse %j, saying why', async (policy, message) => {
    await expect(domain.addPolicy(ADMIN, policy as never)).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringMatching(message),
    });
  });

  it('bound how often a principal calls, in a minute and in an execution, and nothing is dispatched beyond', async () => {
    await withRules(
      [
        { pattern: 'other.*', action: 'limit', limits: { perMinute: 3 } },
        { pattern: 'other.echo', action: 'allow', limits: { perExecution: 2 } },
      ],
      async ([perMinute]) => {
        const one = (callNumber: number) => call('other.echo', { value: callNumber }, 'key_limited', 'exe_limited', callNumber);
        expect([codeOf(await one(1)), codeOf(await one(2))]).toEqual(['ok', 'ok']);
        expect(errorOf((await one(3)).reply)).toMatchObject({ code: 'CALL_LIMIT', details: { limit: 'perExecution', most: 2 } });
        // What was refused counts against nothing.
        expect(codeOf(await call('other.echo', { value: 1 }, 'key_limited'))).toBe('ok');
        expect(errorOf((await call('other.echo', { value: 1 }, 'key_limited')).reply)).toMatchObject({
          code: 'RATE_LIMITED',
          details: { limit: 'perMinute', policyId: perMinute, retryAfterSeconds: expect.any(Number) },
        });
        expect(codeOf(await call('other.echo', { value: 1 }, 'key_else'))).toBe('ok');
      },
    );
    await domain.close();
    const rows = await bed.db
      .query<ToolTables>()
      .selectFrom('tool_calls')
      .innerJoin('tool_call_outcomes', 'call_id', 'id')
      .select(['decision', 'outcome'])
      .where('principal_id', '=', 'key_limited')
      .orderBy('id')
      .execute();
    expect(rows.map(({ decision, outcome }) => `${decision} ${outcome}`).sort()).toEqual([
      ...['allow ok', 'allow ok', 'allow ok'],
      ...['refused CALL_LIMIT', 'refused RATE_LIMITED'],
    ]);
    expect(await domain.effectsOf('exe_limited')).toBe('some');
    const servers = { plain: hostile('plain', { trust: 'annotations' }), other: hostile('plain') };
    domain = await bed.restart(servers, { findPrincipal: (id) => known.get(id) ?? null });
  });

  it('let as many through as they say, however many come at once', async () => {
    const limits = createCallLimits(bed.db.query<ToolTables>(), Date.now);
    const counted = { workspaceId: 'wsp_default', principalId: 'key_many', executionId: 'exe_many' };
    const applied = [{ policyId: 'pol_many', pattern: '*', limits: { perDay: 20, perExecution: 25 } }];
    const results = await Promise.allSettled(Array.from({ length: 60 }, () => limits.count(counted, applied)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(20);
  });

  it('do not help a key that was revoked while its program runs: its next call is refused and recorded', async () => {
    known.set('key_gone', { id: 'key_gone', role: 'agent', isActive: true });
    expect(codeOf(await call('other.echo', { value: 1 }, 'key_gone', 'exe_gone', 1))).toBe('ok');
    known.set('key_gone', { id: 'key_gone', role: 'agent', isActive: false });
    const refused = await call('other.echo', { value: 1 }, 'key_gone', 'exe_gone', 2);
    expect(errorOf(refused.reply)).toMatchObject({ code: 'UNAUTHENTICATED', message: expect.stringContaining('revoked') });
    expect(refused.effects).toBe('none');
    await expect
      .poll(async () =>
        (await domain.audit.list('wsp_default', { principal: 'key_gone' }, { limit: 5 })).items.map(({ outcome }) => outcome),
      )
      .toEqual(['UNAUTHENTICATED', 'ok']);
  });

  it('leave a key that is narrowed to a server that server alone, in calls, lists, searches and details', async () => {
    const scopes = ['servers:other'];
    known.set('key_narrow', { id: 'key_narrow', role: 'agent', scopes });
    const narrow: Principal = { ...AGENT, id: 'key_narrow', scopes };
    expect(codeOf(await call('other.echo', { value: 1 }, 'key_narrow'))).toBe('ok');
    expect(errorOf((await call('plain.echo', { value: 1 }, 'key_narrow')).reply)).toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringContaining('other only'),
    });
    const servers = new Set((await domain.listTools(narrow, { limit: 1_000 })).items.map(({ server }) => server));
    expect([...servers]).toEqual(['other']);
    for (const q of ['', 'echo']) {
      const { items } = await domain.search(narrow, { q, detail: 'name', limit: 1_000, offset: 0 });
      expect(Object.keys(items as object)).toEqual(['other']);
    }
    expect(() => domain.toolInfo(narrow, 'plain', 'echo')).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
    const admin = { ...ADMIN, scopes };
    await expect(domain.addPolicy(admin, { pattern: '*', action: 'allow' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(domain.addPolicy(admin, { pattern: 'plain.*', action: 'allow' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(domain.addPolicy({ ...ADMIN, scopes: ['tools:read'] }, { pattern: 'a.*', action: 'allow' })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
  });
});
