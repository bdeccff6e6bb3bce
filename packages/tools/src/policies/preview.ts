import type { PolicyPreview, PolicyRecord } from '@code-executor/contracts';
import type { CatalogTool } from '../catalog/catalog.ts';
import { addressOf, decideCall } from './decide.ts';
import { judge, type PolicyCall, type Rule } from './rule.ts';
import type { RuleIndex } from './rule-index.ts';
import { sourceRule, type Trust } from './source-default.ts';

const MOST_CONSIDERED = 100;

/** What `decideCall` decides, asked of itself, and of every rule that covers the tool whether it applies and why. */
export function previewCall(rules: RuleIndex, entry: CatalogTool, trust: Trust, call: PolicyCall): PolicyPreview {
  const { action, reason, policyId, limits } = decideCall(rules, entry, trust, call);
  const candidates = rules.covering(addressOf(entry));
  const ordered = [...candidates.workspace.rules, ...candidates.principal.rules, ...candidates.limits];
  const source = sourceRule(entry.tool.server, trust, [entry]);
  const hasDrifted = entry.driftedAt !== null && trust !== true;
  const decides = policyId === null && !hasDrifted;
  const considered = considerAll(ordered, call, policyId);
  return {
    tool: addressOf(entry),
    action,
    reason,
    decidedBy: decides ? source : (ordered.find(({ record }) => record.id === policyId)?.record ?? null),
    limits: limits.map(({ policyId: id, limits: most }) => ({ policyId: id, limits: most })),
    considered: [
      ...considered.slice(0, MOST_CONSIDERED),
      {
        policyId: source.id,
        pattern: source.pattern,
        action,
        scope: 'source',
        applies: decides,
        decides,
        why: decides ? reason : hasDrifted && policyId === null ? reason : 'a rule of the operator decides',
        ...(decides ? {} : { action: source.action }),
      },
    ],
    omitted: Math.max(0, considered.length - MOST_CONSIDERED),
  };
}

/** One line for a rule, also where it names several principals. */
function considerAll(ordered: readonly Rule[], call: PolicyCall, policyId: string | null): PolicyPreview['considered'] {
  const lines = new Map<string, PolicyPreview['considered'][number]>();
  for (const rule of ordered) {
    const known = lines.get(rule.record.id);
    if (known?.applies !== true) lines.set(rule.record.id, consider(rule, call, policyId));
  }
  return [...lines.values()];
}

function consider(rule: Rule, call: PolicyCall, policyId: string | null): PolicyPreview['considered'][number] {
  const { record, subject } = rule;
  const { applies, doubt, obstacle } = judge(rule, call, true);
  const decides = applies && record.id === policyId;
  return {
    policyId: record.id,
    pattern: record.pattern,
    action: record.action,
    scope: subject === null ? 'workspace' : 'principal',
    applies,
    decides,
    why: obstacle ?? `it applies${doubt === null ? '' : `: ${doubt}`}${decides ? '' : whyNot(record)}`,
  };
}

const whyNot = ({ action }: PolicyRecord): string =>
  action === 'limit' ? '; it counts, and decides nothing' : '; a more specific or more restrictive rule decides';
