import type { PolicyAction, PolicyRecord, PolicyRuleAction } from '@code-executor/contracts';
import { type Condition, compileCondition, holds, type Truth } from './condition.ts';
import { compareSpecificity, type PolicyPattern, parsePattern } from './pattern.ts';
import { type CallPrincipal, isFor, parseSubject, type Subject, subjectRank } from './subject.ts';

/** What a call brings besides its tool. */
export interface PolicyCall {
  readonly args: unknown;
  readonly principal: CallPrincipal;
  /** Name of the connection that the call goes by, the default one included; null: none. */
  readonly connection: string | null;
}

/** A rule as it is matched: one for each of the subjects that its record names. */
export interface Rule {
  readonly record: PolicyRecord;
  readonly pattern: PolicyPattern;
  readonly subject: Subject | null;
  readonly conditions: readonly Condition[];
}

export const RESTRICTION: Readonly<Record<PolicyAction, number>> = { allow: 0, require_approval: 1, block: 2 };
const STRICTNESS: Readonly<Record<PolicyRuleAction, number>> = { ...RESTRICTION, limit: -1 };

/** @throws AppError INVALID_REQUEST where pattern, a path or a principal cannot be read. */
export function compileRule(record: PolicyRecord): readonly Rule[] {
  const pattern = parsePattern(record.pattern);
  const conditions = (record.when ?? []).map(compileCondition);
  const subjects = record.principal?.map(parseSubject) ?? [null];
  return subjects.map((subject) => ({ record, pattern, subject, conditions }));
}

/** Whether it needs nothing but the tool to be judged. */
export const isUnconditional = ({ pattern, subject, conditions }: Rule): boolean =>
  pattern.connection === null && subject === null && conditions.length === 0;

/**
 * Orders rules that cover one tool: the first that applies is the one that counts. Pattern, then connection, then whom it
 * is for, then conditions; among equals the most restrictive, so that a tie never widens.
 */
export function compareRules(a: Rule, b: Rule): number {
  return (
    compareSpecificity(a.pattern, b.pattern) ||
    rankOf(a.subject) - rankOf(b.subject) ||
    Number(a.conditions.length === 0) - Number(b.conditions.length === 0) ||
    STRICTNESS[b.record.action] - STRICTNESS[a.record.action] ||
    (a.record.id < b.record.id ? -1 : 1)
  );
}

const rankOf = (subject: Subject | null): number => (subject === null ? 0 : subjectRank(subject));

/** Whether it applies to the call, where its pattern covers the tool. `doubt`: what could not be evaluated, and counts as the action wants. */
export interface Judgement {
  readonly applies: boolean;
  readonly doubt: string | null;
  /** Null: it applies. */
  readonly obstacle: string | null;
}

const APPLIES: Judgement = { applies: true, doubt: null, obstacle: null };
const DOES_NOT: Judgement = { applies: false, doubt: null, obstacle: '' };

/** What cannot be told never widens: it makes an `allow` fail, and every other rule apply. `explain`: why it does not apply is put into words. */
export function judge({ record, pattern, subject, conditions }: Rule, call: PolicyCall, explain = false): Judgement {
  const widens = record.action === 'allow';
  let doubt: string | null = null;
  if (pattern.connection !== null && pattern.connection !== call.connection)
    return explain ? not(`the call does not go by the connection ${pattern.connection}`) : DOES_NOT;
  if (subject !== null) {
    const truth = isFor(subject, call.principal);
    if (isNot(truth, widens)) return explain ? not(`the principal is not of the ${subject.kind} ${subject.value}`) : DOES_NOT;
    if (truth === 'unknown') doubt = `whether the principal is of the ${subject.kind} ${subject.value} is not known`;
  }
  for (const condition of conditions) {
    const truth = holds(condition, call.args, widens);
    if (isNot(truth, widens)) {
      if (!explain) return DOES_NOT;
      const why = truth === 'unknown' ? 'cannot be evaluated: the argument is missing or of another kind' : 'does not hold';
      return not(`the condition ${condition.text} ${why}`);
    }
    if (truth === 'unknown') doubt ??= `the condition ${condition.text} cannot be evaluated, which does not lift a restriction`;
  }
  return doubt === null ? APPLIES : { applies: true, doubt, obstacle: null };
}

const not = (obstacle: string): Judgement => ({ applies: false, doubt: null, obstacle });

const isNot = (truth: Truth, widens: boolean): boolean => truth === 'no' || (truth === 'unknown' && widens);
