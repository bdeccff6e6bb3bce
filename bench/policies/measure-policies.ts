import type { PolicyRecord } from '@code-executor/contracts';
import { compileRule, decideCall, indexRules } from '@code-executor/tools';
import { round } from '../statistics.ts';

const RULES = 1_000;
const SERVERS = 50;
const ROUNDS = 200_000;
/** Decisions between two looks at the clock, which is too coarse for one. */
const AT_ONCE = 100;

interface Figures {
  readonly p50: number;
  readonly p99: number;
}

/** Microseconds of one decision on a call, over a thousand rules. */
export function measurePolicies(row: (what: string, figure: string, against?: string, ratio?: number) => void): void {
  const told = (what: string, { p50, p99 }: Figures): void =>
    row(`${what}, p50 / p99`, `${round(p50)} / ${round(p99)} µs`, 'allowed 20 µs', p50 / 20);
  const spread = indexRules(Array.from({ length: RULES }, (_, index) => compileRule(ruleOf(index))).flat());
  told(
    `policy decision, ${RULES} rules over ${SERVERS} servers`,
    measure(() => spread, ROUNDS),
  );
  const sets = Array.from({ length: 200 }, () =>
    indexRules(Array.from({ length: RULES }, (_, index) => compileRule(ruleOf(index))).flat()),
  );
  told(
    'the same, the first of a tool after a change',
    measure((index) => sets[index % sets.length] ?? spread, sets.length * 20, 1),
  );
  const adverse = indexRules(Array.from({ length: RULES }, (_, index) => compileRule(sameTool(index))).flat());
  told(
    `policy decision, ${RULES} rules with conditions on one tool, none of which holds`,
    measure(() => adverse, 20_000, 10),
  );
}

const CALL = {
  args: { repo: 'acme/website', labels: ['bug', 'docs'], amount: 12, nested: { state: 'open' } },
  principal: { id: 'key_1', role: 'agent' as const, name: 'ci' },
  connection: 'work',
};

function measure(indexOf: (index: number) => ReturnType<typeof indexRules>, rounds: number, atOnce = AT_ONCE): Figures {
  const entries = Array.from({ length: SERVERS * 20 }, (_, index) => ({
    tool: { server: `server${index % SERVERS}`, name: `issues.tool${index % 20}`, description: '', inputSchema: {} },
    digest: '',
    driftedAt: null,
  }));
  const samples: number[] = [];
  for (let done = 0; done < rounds; done += atOnce) {
    const began = performance.now();
    for (let index = 0; index < atOnce; index += 1) {
      const entry = entries[(done + index * 7) % entries.length];
      if (entry !== undefined) decideCall(indexOf(Math.floor((done + index) / 20)), entry, 'annotations', CALL);
    }
    samples.push(((performance.now() - began) * 1_000) / atOnce);
  }
  // The first tenth is the compiler's.
  const sorted = samples.slice(Math.floor(samples.length / 10)).sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

/** What an operator of many servers may have: by server, by part of it, by tool, by argument and by principal. */
function ruleOf(index: number): PolicyRecord {
  const server = `server${index % SERVERS}`;
  const tool = `tool${index % 20}`;
  switch (index % 5) {
    case 0:
      return rule(index, `${server}.*`, 'require_approval');
    case 1:
      return rule(index, `${server}.issues.${tool}`, 'allow');
    case 2:
      return rule(index, `${server}.issues.*`, 'allow', { when: [{ path: '$.repo', glob: 'acme/*' }] });
    case 3:
      return rule(index, `*.issues.${tool}`, 'block', { principal: [`key_${index}`] });
    default:
      return rule(index, `${server}@home.issues.*`, 'allow', {
        when: [{ path: 'labels[*]', oneOf: ['bug', 'docs'] }],
        principal: ['role:agent'],
      });
  }
}

const sameTool = (index: number): PolicyRecord =>
  rule(index, '*.issues.*', 'allow', { when: [{ path: '$.repo', equals: `other/repository-${index}` }] });

function rule(index: number, pattern: string, action: PolicyRecord['action'], more: Partial<PolicyRecord> = {}): PolicyRecord {
  return {
    ...{ id: `pol_${index}`, origin: 'operator', pattern, action, when: null, principal: null, limits: null, note: null },
    ...{ createdAt: null, updatedAt: null, createdBy: null },
    ...more,
  };
}
