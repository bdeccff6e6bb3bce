import type { PolicyAction, PolicyLimits } from '@code-executor/contracts';
import type { CatalogTool } from '../catalog/catalog.ts';
import type { RankedRules } from './ranked-rules.ts';
import { judge, type PolicyCall, RESTRICTION, type Rule } from './rule.ts';
import type { Candidates, RuleIndex } from './rule-index.ts';
import { sourceDefault, type Trust } from './source-default.ts';

export interface PolicyDecision {
  readonly action: PolicyAction;
  /** In a sentence, for the operator and for whoever is refused. */
  readonly reason: string;
  /** Of the operator's rule that decides; null: what follows from the source, or the tool has changed. */
  readonly policyId: string | null;
}

/** A decision on a call: with the limits that the call counts against. */
export interface CallDecision extends PolicyDecision {
  readonly limits: readonly AppliedLimit[];
}

export interface AppliedLimit {
  readonly policyId: string;
  readonly pattern: string;
  readonly limits: PolicyLimits;
}

const NO_LIMITS: readonly AppliedLimit[] = [];

/** What holds for a tool whoever calls it and however: rules with a condition, a principal or a connection do not count. */
export function decideTool(rules: RuleIndex, entry: CatalogTool, trust: Trust): PolicyDecision {
  const rule = rules.covering(addressOf(entry)).unconditional;
  return settle(rule === null ? null : { rule, doubt: null }, entry, trust);
}

/**
 * What holds for a call. Of the rules for everybody the most specific one counts, likewise of those for somebody; of these
 * two the more restrictive. Where there is neither, what follows from the source. A changed definition turns an allow back.
 */
export function decideCall(rules: RuleIndex, entry: CatalogTool, trust: Trust, call: PolicyCall): CallDecision {
  const candidates = rules.covering(addressOf(entry));
  const decision = settle(decidingRule(candidates, call), entry, trust);
  return { ...decision, limits: limitsOf(candidates, call) };
}

interface Winner {
  readonly rule: Rule;
  readonly doubt: string | null;
}

function decidingRule({ workspace, principal }: Candidates, call: PolicyCall): Winner | null {
  const general = firstThatApplies(workspace, call);
  const own = firstThatApplies(principal, call);
  if (general === null || own === null) return general ?? own;
  return strictness(own) > strictness(general) ? own : general;
}

function firstThatApplies(ranked: RankedRules, call: PolicyCall): Winner | null {
  for (const rule of ranked.thatMayApply(call)) {
    const { applies, doubt } = judge(rule, call);
    if (applies) return { rule, doubt };
  }
  return null;
}

const strictness = ({ rule }: Winner): number => RESTRICTION[actionOf(rule)];

const actionOf = ({ record: { action } }: Rule): PolicyAction => (action === 'limit' ? 'allow' : action);

function settle(winner: Winner | null, entry: CatalogTool, trust: Trust): PolicyDecision {
  const action = winner === null ? null : actionOf(winner.rule);
  if (winner !== null && action !== null && action !== 'allow') return { action, ...told(winner) };
  const { driftedAt } = entry;
  if (driftedAt !== null && trust !== true) {
    return {
      action: 'require_approval',
      reason: `its definition changed on ${driftedAt.toISOString()}; adding an allow policy that covers it accepts the new one`,
      policyId: null,
    };
  }
  if (winner !== null && (trust !== 'by-name' || winner.rule.pattern.segments.join('.') === addressOf(entry)))
    return { action: 'allow', ...told(winner) };
  return { ...sourceDefault(entry, trust), policyId: null };
}

function told({ rule: { record }, doubt }: Winner): { readonly reason: string; readonly policyId: string } {
  return { reason: doubt === null ? `policy ${record.pattern}` : `policy ${record.pattern}: ${doubt}`, policyId: record.id };
}

/** Every rule with limits that covers the call, whichever decides: a narrower rule lifts no limit of a wider one. */
function limitsOf({ limiting }: Candidates, call: PolicyCall): readonly AppliedLimit[] {
  if (limiting.rules.length === 0) return NO_LIMITS;
  const applied = new Map<string, AppliedLimit>();
  for (const rule of limiting.thatMayApply(call)) {
    const { id, limits, pattern } = rule.record;
    if (limits !== null && !applied.has(id) && judge(rule, call).applies) applied.set(id, { policyId: id, pattern, limits });
  }
  return [...applied.values()];
}

export const addressOf = ({ tool }: CatalogTool): string => `${tool.server}.${tool.name}`;
