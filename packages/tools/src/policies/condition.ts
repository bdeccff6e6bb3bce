import type { PolicyCondition } from '@code-executor/contracts';
import { canonicalJson } from '../calls/canonical-json.ts';
import { compileGlob } from './glob.ts';
import { findAt, type JsonPath, NOTHING, parseJsonPath, valueAt } from './json-path.ts';

/** `unknown`: the condition cannot be evaluated, since nothing is there or what is there is of another kind. */
export type Truth = 'yes' | 'no' | 'unknown';

export interface Condition {
  readonly path: JsonPath;
  readonly ifMissing: PolicyCondition['ifMissing'];
  /** Of one value. */
  test(value: unknown): Truth;
  /** As it was written. */
  readonly source: PolicyCondition;
  /** For people. */
  readonly text: string;
}

/** Longer texts are not matched against a glob. */
const LONGEST_GLOBBED = 4_096;
/** A segment that leads out of where the pattern seems to say: `/home/me/../../etc`. */
const LEADS_OUT = /(?:^|[/\\])\.\.(?:[/\\]|$)/;

/** @throws AppError INVALID_REQUEST where the path cannot be read. */
export function compileCondition(condition: PolicyCondition): Condition {
  const { path, not, ifMissing } = condition;
  const test = not === undefined ? compileTest(condition) : compileTest(not);
  return {
    path: parseJsonPath(path),
    ifMissing,
    test: not === undefined ? test : negated(test),
    source: condition,
    text: textOf(condition),
  };
}

/**
 * Whether the condition holds for a rule that widens rights (`allow`) or one that narrows them. What cannot be evaluated never
 * widens: it fails an `allow`, and holds for every other rule. `[*]` asks of an `allow` that all elements fit, of another rule
 * that one does.
 */
export function holds(condition: Condition, args: unknown, widens: boolean): Truth {
  const { single } = condition.path;
  if (single !== null) {
    const value = valueAt(single, args);
    return value === NOTHING ? missing(condition) : condition.test(value);
  }
  const found = findAt(condition.path, args);
  if (found === null) return missing(condition);
  let truth: Truth = widens ? 'yes' : 'no';
  for (const value of found.values) {
    const one = condition.test(value);
    if (widens) {
      if (one === 'no') return 'no';
      if (one === 'unknown') truth = 'unknown';
    } else {
      if (one === 'yes') return 'yes';
      if (one === 'unknown') truth = 'unknown';
    }
  }
  if (found.complete) return truth;
  const rest = missing(condition);
  if (widens) return truth === 'yes' ? rest : truth;
  return truth === 'no' ? rest : truth;
}

function missing({ ifMissing }: Condition): Truth {
  if (ifMissing === undefined) return 'unknown';
  return ifMissing === 'match' ? 'yes' : 'no';
}

function compileTest({ equals, glob, range, oneOf }: Omit<PolicyCondition, 'path'>): (value: unknown) => Truth {
  if (glob !== undefined) return globTest(compileGlob(glob));
  if (range !== undefined) {
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = range;
    return (value) => (typeof value === 'number' ? truthOf(value >= min && value <= max) : 'unknown');
  }
  if (oneOf !== undefined) {
    const known = new Set(oneOf.map(keyOf));
    return (value) => truthOf(known.has(keyOf(value)));
  }
  if (typeof equals !== 'object' || equals === null) return (value) => truthOf(value === equals);
  const wanted = keyOf(equals);
  return (value) => truthOf(keyOf(value) === wanted);
}

function globTest(matches: (text: string) => boolean): (value: unknown) => Truth {
  return (value) => (isGlobbed(value) ? truthOf(matches(value)) : 'unknown');
}

/** What a glob says nothing of is of another kind, too long, or leads out of where it stands. */
export function isGlobbed(value: unknown): value is string {
  return typeof value === 'string' && value.length <= LONGEST_GLOBBED && !LEADS_OUT.test(value);
}

const negated =
  (test: (value: unknown) => Truth): ((value: unknown) => Truth) =>
  (value) => {
    const truth = test(value);
    return truth === 'unknown' ? truth : truthOf(truth === 'no');
  };

const truthOf = (isTrue: boolean): Truth => (isTrue ? 'yes' : 'no');

const keyOf = (value: unknown): string => canonicalJson(value);

function textOf({ path, not, ...test }: PolicyCondition): string {
  const told = not === undefined ? describe(test) : `not ${describe(not)}`;
  return `${path} ${told}`;
}

function describe({ equals, glob, range, oneOf }: Omit<PolicyCondition, 'path'>): string {
  if (glob !== undefined) return `matches ${JSON.stringify(glob)}`;
  if (range !== undefined) return `is within ${range.min ?? '…'} to ${range.max ?? '…'}`;
  if (oneOf !== undefined) return `is one of ${JSON.stringify(oneOf).slice(0, 200)}`;
  return `equals ${JSON.stringify(equals)?.slice(0, 200)}`;
}
