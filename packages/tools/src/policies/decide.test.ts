import type { PolicyCondition, PolicyRecord } from '@code-executor/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CatalogTool } from '../catalog/catalog.ts';
import { decideCall, decideTool } from './decide.ts';
import { matchesPattern, parsePattern } from './pattern.ts';
import { previewCall } from './preview.ts';
import { compileRule, type PolicyCall, RESTRICTION } from './rule.ts';
import { indexRules } from './rule-index.ts';
import type { Trust } from './source-default.ts';

let count = 0;
const rule = (pattern: string, action: PolicyRecord['action'], more: Partial<PolicyRecord> = {}): PolicyRecord => {
  count += 1;
  return {
    ...{ id: `pol_${String(count).padStart(9, '0')}`, origin: 'operator', pattern, action, when: null, principal: null, limits: null },
    ...{ note: null, createdAt: null, updatedAt: null, createdBy: null },
    ...more,
  };
};
const indexOf = (records: readonly PolicyRecord[]) => indexRules(records.flatMap(compileRule));
const entryOf = (address: string, more: Partial<CatalogTool> = {}): CatalogTool => {
  const [server = '', ...name] = address.split('.');
  return { tool: { server, name: name.join('.'), description: '', inputSchema: {} }, digest: '', driftedAt: null, ...more };
};
const CALL: PolicyCall = { args: {}, principal: { id: 'key_1', role: 'agent', name: 'ci' }, connection: null };
const decide = (records: readonly PolicyRecord[], address: string, call: Partial<PolicyCall> = {}, trust: Trust = false) =>
  decideCall(indexOf(records), entryOf(address), trust, { ...CALL, ...call }).action;
const when = (...conditions: PolicyCondition[]): Partial<PolicyRecord> => ({
  when: conditions,
});

const segment = fc.constantFrom('a', 'b', '*');
const patterns = fc.oneof(
  fc.constant('*'),
  fc.array(segment, { minLength: 2, maxLength: 3 }).map((parts) => parts.join('.')),
  fc.constantFrom('a@x.*', 'a@y.b', 'b@x.a'),
);
const value = fc.constantFrom<unknown>('s', 't', 1, 5, true, null, [], ['s', 't'], ['s', 1]);
const conditions = fc.constantFrom<PolicyCondition>(
  { path: 'k', equals: 's' },
  { path: '$.k', not: { equals: 's' } },
  { path: 'k[*]', glob: 's*' },
  { path: 'k', range: { min: 2 } },
  { path: 'k', oneOf: ['t', 5], ifMissing: 'match' },
  { path: 'k[*]', not: { oneOf: ['t'] }, ifMissing: 'no-match' },
  { path: 'deep.k[0]', glob: '?' },
);
const records = fc
  .record({
    pattern: patterns,
    action: fc.constantFrom<PolicyRecord['action']>('allow', 'require_approval', 'block', 'limit'),
    when: fc.option(fc.array(conditions, { minLength: 1, maxLength: 2 })),
    principal: fc.option(fc.subarray(['key_1', 'key_2', 'role:agent', 'role:admin', 'name:ci'], { minLength: 1, maxLength: 2 })),
    limits: fc.option(fc.constantFrom({ perMinute: 1 }, { perDay: 2 })),
  })
  .map(({ pattern, action, ...more }) => rule(pattern, action, { ...more, ...(action === 'limit' ? { limits: { perMinute: 3 } } : {}) }));
const entries = fc
  .tuple(fc.constantFrom('a.a', 'a.b', 'b.a', 'a.b.a'), fc.boolean(), fc.boolean())
  .map(([address, hasDrifted, readOnly]) => {
    const entry = entryOf(address, hasDrifted ? { driftedAt: new Date(0) } : {});
    return { ...entry, tool: { ...entry.tool, annotations: { readOnlyHint: readOnly } } };
  });
const calls = fc.record({
  args: fc.oneof(
    fc.constant({}),
    value.map((k) => ({ k })),
    value.map((k) => ({ deep: { k } })),
  ),
  principal: fc.constantFrom(
    { id: 'key_1', role: 'agent' as const, name: 'ci' },
    { id: 'key_2', role: 'admin' as const, name: 'me' },
    { id: 'key_1' },
    { id: 'key_3', role: 'agent' as const },
  ),
  connection: fc.constantFrom(null, 'x', 'y'),
});
const trusts = fc.constantFrom<Trust>(true, false, 'annotations');
const ruleSets = fc.array(records, { maxLength: 8 });

describe('policy decisions, whatever the rules', () => {
  it('a further block never widens', () => {
    fc.assert(
      fc.property(ruleSets, records, entries, trusts, calls, (rules, added, entry, trust, call) => {
        const before = decideCall(indexOf(rules), entry, trust, call);
        const after = decideCall(indexOf([...rules, { ...added, action: 'block' }]), entry, trust, call);
        expect(RESTRICTION[after.action]).toBeGreaterThanOrEqual(RESTRICTION[before.action]);
      }),
      { numRuns: 2_000 },
    );
  });

  it('taking an allow away never widens, and what it needs less of a call never either', () => {
    fc.assert(
      fc.property(ruleSets, records, entries, trusts, calls, (rules, allowed, entry, trust, call) => {
        const rest = decideCall(indexOf(rules), entry, trust, call);
        const full = decideCall(indexOf([...rules, { ...allowed, action: 'allow' }]), entry, trust, call);
        expect(RESTRICTION[rest.action]).toBeGreaterThanOrEqual(RESTRICTION[full.action]);
      }),
      { numRuns: 2_000 },
    );
  });

  it('a rule for somebody never widens what a rule for everybody says, nor the other way round', () => {
    fc.assert(
      fc.property(ruleSets, entries, trusts, calls, (rules, entry, trust, call) => {
        const all = decideCall(indexOf(rules), entry, trust, call);
        for (const isOfScope of [
          (record: PolicyRecord) => record.principal === null,
          (record: PolicyRecord) => record.principal !== null,
        ]) {
          const scope = decideCall(indexOf(rules.filter(isOfScope)), entry, trust, call);
          if (scope.policyId === null) continue;
          expect(RESTRICTION[all.action]).toBeGreaterThanOrEqual(RESTRICTION[scope.action]);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('the order in which rules were made decides nothing', () => {
    fc.assert(
      fc.property(ruleSets, entries, trusts, calls, (rules, entry, trust, call) => {
        const one = decideCall(indexOf(rules), entry, trust, call);
        const other = decideCall(indexOf([...rules].reverse()), entry, trust, call);
        expect(other).toEqual(one);
      }),
    );
  });

  it('what is not known of the principal, or missing in the arguments, never widens', () => {
    fc.assert(
      fc.property(ruleSets, entries, trusts, calls, (rules, entry, trust, call) => {
        const withoutIfMissing = rules.map((record) => ({
          ...record,
          when: record.when?.map(({ ifMissing: _, ...condition }) => condition) ?? null,
        }));
        const known = decideCall(indexOf(withoutIfMissing), entry, trust, call);
        const restricting = withoutIfMissing.filter(({ action }) => action !== 'allow');
        const unknown = { ...call, args: {}, principal: { id: call.principal.id } };
        const strict = decideCall(indexOf(restricting), entry, trust, call);
        const stricter = decideCall(indexOf(restricting), entry, trust, unknown);
        // Among rules that only restrict, knowing less blocks no less than the first of them that is known to hold.
        if (strict.policyId !== null) expect(stricter.policyId).not.toBeNull();
        expect(RESTRICTION[known.action]).toBeLessThanOrEqual(2);
      }),
    );
  });

  it('the preview says what is decided, names the rule, and says of each rule whether it applies', () => {
    fc.assert(
      fc.property(ruleSets, entries, trusts, calls, (rules, entry, trust, call) => {
        const index = indexOf(rules);
        const decision = decideCall(index, entry, trust, call);
        const preview = previewCall(index, entry, trust, call);
        expect(preview).toMatchObject({ action: decision.action, reason: decision.reason });
        expect(preview.considered.filter(({ decides }) => decides).map(({ policyId }) => policyId)).toEqual(
          decision.policyId !== null
            ? [decision.policyId]
            : entry.driftedAt !== null && trust !== true
              ? []
              : [`source:${entry.tool.server}`],
        );
        const covering = rules.filter(({ pattern }) => matchesPattern(parsePattern(pattern), `${entry.tool.server}.${entry.tool.name}`));
        expect(new Set(preview.considered.map(({ policyId }) => policyId)).size).toBe(covering.length + 1);
      }),
    );
  });

  it('without a call it is what rules without conditions, principals and connections say', () => {
    fc.assert(
      fc.property(ruleSets, entries, trusts, (rules, entry, trust) => {
        const plain = rules.filter((record) => record.when === null && record.principal === null && !record.pattern.includes('@'));
        const { limits: _, ...decision } = decideCall(indexOf(plain), entry, trust, CALL);
        expect(decideTool(indexOf(rules), entry, trust)).toEqual(decision);
      }),
    );
  });
});

describe('policy decisions', () => {
  it('go by the most specific rule of those for everybody', () => {
    const rules = [rule('*', 'block'), rule('github.*', 'require_approval'), rule('github.issues.list', 'allow')];
    expect(decide(rules, 'github.issues.list')).toBe('allow');
    expect(decide(rules, 'github.issues.create')).toBe('require_approval');
    expect(decide(rules, 'other.tool')).toBe('block');
  });

  it('take a rule with a condition before the same pattern without', () => {
    const rules = [rule('pay.send', 'require_approval'), rule('pay.send', 'allow', when({ path: '$.amount', range: { max: 100 } }))];
    expect(decide(rules, 'pay.send', { args: { amount: 100 } })).toBe('allow');
    expect(decide(rules, 'pay.send', { args: { amount: 100.01 } })).toBe('require_approval');
    expect(decide(rules, 'pay.send', { args: { amount: '1' } })).toBe('require_approval');
    expect(decide(rules, 'pay.send')).toBe('require_approval');
  });

  it('take the more restrictive of the rules for everybody and those for the principal', () => {
    const rules = [
      rule('a.*', 'allow'),
      rule('a.b', 'block', { principal: ['role:agent'] }),
      rule('c.*', 'block'),
      rule('c.*', 'allow', { principal: ['key_1'] }),
    ];
    expect(decide(rules, 'a.b')).toBe('block');
    expect(decide(rules, 'a.b', { principal: { id: 'key_2', role: 'admin' } })).toBe('allow');
    expect(decide(rules, 'c.d')).toBe('block');
  });

  it('take a rule for one key before one for its role', () => {
    const rules = [rule('a.*', 'require_approval', { principal: ['role:agent'] }), rule('a.*', 'allow', { principal: ['key_1', 'key_9'] })];
    expect(decide(rules, 'a.b')).toBe('allow');
    expect(decide(rules, 'a.b', { principal: { id: 'key_2', role: 'agent' } })).toBe('require_approval');
  });

  it('go by the connection that a pattern names', () => {
    const rules = [rule('github.*', 'allow'), rule('github@work.*', 'require_approval')];
    expect(decide(rules, 'github.list')).toBe('allow');
    expect(decide(rules, 'github.list', { connection: 'work' })).toBe('require_approval');
    expect(decide(rules, 'github.list', { connection: 'home' })).toBe('allow');
  });

  it('let no block be evaded by leaving out, renaming or disguising what it looks at', () => {
    const rules = [rule('*', 'allow'), rule('mail.send', 'block', when({ path: 'to[*]', not: { glob: '*@ours.example' } }))];
    const sent = (to: unknown) => decide(rules, 'mail.send', { args: { to } });
    expect(sent(['a@ours.example'])).toBe('allow');
    expect(sent(['a@ours.example', 'b@theirs.example'])).toBe('block');
    expect(sent([])).toBe('block');
    expect(sent('b@theirs.example')).toBe('block');
    expect(sent([{ email: 'b@theirs.example' }])).toBe('block');
    expect(decide(rules, 'mail.send', { args: { __proto__: { to: ['a@ours.example'] } } })).toBe('block');
    expect(decide(rules, 'mail.send', { args: Object.create({ to: ['a@ours.example'] }) })).toBe('block');
  });

  it('let no allow for a folder be led out of it', () => {
    const rules = [rule('files.*', 'allow', when({ path: 'path', glob: '/home/me/*' }))];
    expect(decide(rules, 'files.read', { args: { path: '/home/me/a/b.txt' } })).toBe('allow');
    for (const path of ['/home/me/../../etc/passwd', '/home/me/..', '/home/mean', '/home/me', ['/home/me/a'], 'x'.repeat(5_000)])
      expect(decide(rules, 'files.read', { args: { path } })).toBe('require_approval');
  });

  it('want of an allow that every element fits, of a block that one does', () => {
    const allow = [rule('a.b', 'allow', when({ path: 'labels[*]', oneOf: ['bug', 'docs'] }))];
    expect(decide(allow, 'a.b', { args: { labels: ['bug', 'docs'] } })).toBe('allow');
    expect(decide(allow, 'a.b', { args: { labels: ['bug', 'prod'] } })).toBe('require_approval');
    const block = [rule('*', 'allow'), rule('a.b', 'block', when({ path: 'labels[*]', equals: 'prod' }))];
    expect(decide(block, 'a.b', { args: { labels: ['bug', 'prod'] } })).toBe('block');
    expect(decide(block, 'a.b', { args: { labels: ['bug'] } })).toBe('allow');
  });

  it('count a missing argument as the rule says', () => {
    const force = (ifMissing?: 'match' | 'no-match') => [
      rule('*', 'allow'),
      rule('git.push', 'block', when({ path: 'force', equals: true, ...(ifMissing === undefined ? {} : { ifMissing }) })),
    ];
    expect(decide(force(), 'git.push')).toBe('block');
    expect(decide(force('no-match'), 'git.push')).toBe('allow');
    expect(decide(force('no-match'), 'git.push', { args: { force: true } })).toBe('block');
    const open = [rule('git.push', 'allow', when({ path: 'force', not: { equals: true }, ifMissing: 'match' }))];
    expect(decide(open, 'git.push')).toBe('allow');
    expect(decide(open, 'git.push', { args: { force: true } })).toBe('require_approval');
  });

  it('hold every limit that covers the call, whichever rule decides', () => {
    const rules = [
      rule('*', 'limit', { limits: { perMinute: 10 } }),
      rule('a.*', 'allow', { limits: { perDay: 5 } }),
      rule('a.b', 'allow'),
      rule('a.*', 'limit', { limits: { perMinute: 1 }, principal: ['key_2'] }),
    ];
    const { action, limits } = decideCall(indexOf(rules), entryOf('a.b'), false, CALL);
    expect(action).toBe('allow');
    expect(limits.map(({ limits: most }) => most)).toEqual([{ perDay: 5 }, { perMinute: 10 }]);
    expect(decide(rules, 'x.y')).toBe('require_approval');
  });
});
