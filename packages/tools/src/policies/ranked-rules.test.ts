import type { PolicyCondition, PolicyRecord } from '@code-executor/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rankedRules } from './ranked-rules.ts';
import { compareRules, compileRule, judge, type PolicyCall, type Rule } from './rule.ts';

const scalar = fc.constantFrom<unknown>('s', 'sun', 'ts', 't', '', 1, 0, -0, true, false, null);
const value = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 3 }),
  scalar.map((k) => ({ k })),
  fc.constantFrom<unknown>(
    's/../t',
    `s${'x'.repeat(5_000)}`,
    Array.from({ length: 1_001 }, () => 's'),
  ),
);
const test = fc.oneof(
  value.map((equals) => ({ equals })),
  fc.array(value, { minLength: 1, maxLength: 3 }).map((oneOf) => ({ oneOf })),
  fc.constantFrom('s*', '*n', 's', '?', '*', 's?n', '\\s*', '*s*').map((glob) => ({ glob })),
  fc.constantFrom({ min: 1 }, { max: 0 }).map((range) => ({ range })),
);
const conditions = fc
  .record({
    path: fc.constantFrom('k', '$.k', 'k[*]', 'k[0]', 'deep.k', '["k"]', 'k[*].k'),
    test,
    negated: fc.boolean(),
    ifMissing: fc.constantFrom(undefined, 'match' as const, 'no-match' as const),
  })
  .map(({ path, test: wanted, negated, ifMissing }): PolicyCondition => {
    const stated = negated ? { not: wanted } : wanted;
    return { path, ...stated, ...(ifMissing === undefined ? {} : { ifMissing }) } as PolicyCondition;
  });

const rules = fc
  .array(
    fc.record({
      pattern: fc.constantFrom('*', 'a.*', 'a@x.*', 'a.b'),
      action: fc.constantFrom<PolicyRecord['action']>('allow', 'require_approval', 'block', 'limit'),
      when: fc.option(fc.array(conditions, { minLength: 1, maxLength: 3 }), { freq: 8 }),
      principal: fc.option(fc.subarray(['key_1', 'key_2', 'role:agent', 'role:admin', 'name:ci'], { minLength: 1, maxLength: 2 })),
    }),
    { minLength: 40, maxLength: 60 },
  )
  .map((drafts) => drafts.flatMap((draft, index) => compileRule(recordOf(draft, index))).sort(compareRules));

const calls = fc.record({
  args: fc.oneof(
    fc.constant<unknown>({}),
    value.map((k) => ({ k })),
    value.map((k) => ({ deep: { k } })),
    fc.array(value, { maxLength: 3 }).map((k) => ({ k })),
    scalar,
  ),
  principal: fc.constantFrom<PolicyCall['principal']>(
    { id: 'key_1', role: 'agent', name: 'ci' },
    { id: 'key_2', role: 'admin', name: 'me' },
    { id: 'key_1' },
  ),
  connection: fc.constantFrom(null, 'x', 'y'),
});

describe('many rules on one tool', () => {
  it('are looked up as if each were judged, whatever they ask of the call', () => {
    fc.assert(
      fc.property(rules, fc.array(calls, { minLength: 5, maxLength: 5 }), (ranked, asked) => {
        const looked = rankedRules(ranked);
        for (const call of asked) {
          const applying = (all: readonly Rule[]): number[] =>
            all.filter((rule) => judge(rule, call).applies).map((rule) => ranked.indexOf(rule));
          expect(applying(looked.thatMayApply(call))).toEqual(applying(ranked));
        }
      }),
      { numRuns: 200 },
    );
  });

  it('are not even looked at where what each of them asks for is not there', () => {
    const each = (test: (index: number) => Omit<PolicyCondition, 'path'>, path = 'repo'): PolicyRecord[] =>
      Array.from({ length: 1_000 }, (_, index) => recordOf({ pattern: 'a.*', action: 'allow', when: [{ path, ...test(index) }] }, index));
    const call: PolicyCall = {
      args: { repo: 'acme/website', labels: ['bug', 'docs'] },
      principal: { id: 'key_1' },
      connection: null,
    };
    for (const records of [
      each((index) => ({ equals: `other/${index}` })),
      each((index) => ({ oneOf: [`other/${index}`, { repo: index }] })),
      each((index) => ({ glob: `other-${index}/*` })),
      each((index) => ({ glob: `*/of-${index}` })),
      each((index) => ({ equals: `label-${index}` }), 'labels[*]'),
    ]) {
      expect(rankedRules(records.flatMap(compileRule)).thatMayApply(call)).toEqual([]);
    }
  });
});

function recordOf(draft: Pick<PolicyRecord, 'pattern' | 'action'> & Partial<PolicyRecord>, index: number): PolicyRecord {
  return {
    ...{ id: `pol_${String(index).padStart(9, '0')}`, origin: 'operator', when: null, principal: null, limits: null },
    ...{ note: null, createdAt: null, updatedAt: null, createdBy: null },
    ...draft,
  };
}
