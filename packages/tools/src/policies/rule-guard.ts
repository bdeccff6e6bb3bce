import type { PolicyCondition } from '@code-executor/contracts';
import { type Condition, isGlobbed } from './condition.ts';
import { literalEnds } from './glob.ts';
import { findAt, type JsonPath, NOTHING, valueAt } from './json-path.ts';
import type { PolicyCall, Rule } from './rule.ts';

/**
 * One thing that a rule needs of a call: without it the rule cannot apply, and is not looked at. Never the other way round: whether
 * a rule that a guard lets through applies is for `judge` to say.
 */
export interface Guard {
  readonly feature: Feature;
  /** The rule can apply where the feature has one of these. */
  readonly wanted: readonly unknown[];
  /** Likewise where there is nothing, or not everywhere. */
  readonly whenNothing: boolean;
  /** Likewise where what is there is of another kind. */
  readonly whenUnknown: boolean;
}

/** What guards look at in a call; those of the same id read the same. */
export interface Feature {
  readonly id: string;
  read(call: PolicyCall): Reading;
}

export interface Reading {
  readonly values: readonly unknown[];
  readonly isNothing: boolean;
  readonly isUnknown: boolean;
}

const EMPTY: readonly unknown[] = [];
const IS_NOTHING: Reading = { values: EMPTY, isNothing: true, isUnknown: false };

/** Of a rule that narrows rights what is not known counts as given, as it does where the rule is judged. */
export function guardsOf({ record, pattern, subject, conditions }: Rule): readonly Guard[] {
  const narrows = record.action !== 'allow';
  const guards: Guard[] = [];
  if (pattern.connection !== null)
    guards.push({ feature: CONNECTION, wanted: [pattern.connection], whenNothing: false, whenUnknown: false });
  if (subject !== null)
    guards.push({ feature: PRINCIPAL[subject.kind], wanted: [subject.value], whenNothing: false, whenUnknown: narrows });
  for (const condition of conditions) {
    const needed = neededBy(condition);
    if (needed === null) continue;
    const { ifMissing } = condition;
    const whenNothing = ifMissing === undefined ? narrows : ifMissing === 'match';
    guards.push({ ...needed, whenNothing, whenUnknown: narrows });
  }
  return guards;
}

const CONNECTION: Feature = { id: 'connection', read: ({ connection }) => known([connection]) };

const PRINCIPAL: Readonly<Record<'id' | 'name' | 'role', Feature>> = {
  id: principalFeature('id'),
  name: principalFeature('name'),
  role: principalFeature('role'),
};

function principalFeature(kind: 'id' | 'name' | 'role'): Feature {
  const unknown: Reading = { values: EMPTY, isNothing: false, isUnknown: true };
  return {
    id: `principal ${kind}`,
    read({ principal }) {
      const value = principal[kind];
      return value === undefined ? unknown : known([value]);
    },
  };
}

const known = (values: readonly unknown[]): Reading => ({ values, isNothing: false, isUnknown: false });

function neededBy({ path, source }: Condition): Pick<Guard, 'feature' | 'wanted'> | null {
  const { not, equals, glob, range, oneOf }: PolicyCondition = source;
  if (not !== undefined || range !== undefined) return null;
  if (glob !== undefined) return neededByGlob(path, glob);
  return { feature: valueFeature(path), wanted: oneOf ?? [equals] };
}

/** A glob needs what stands before its first wildcard, else what stands after its last one. */
function neededByGlob(path: JsonPath, glob: string): Pick<Guard, 'feature' | 'wanted'> | null {
  const { prefix, suffix } = literalEnds(glob);
  if (prefix !== '')
    return { feature: textFeature(path, `starts ${prefix.length}`, (text) => text.slice(0, prefix.length)), wanted: [prefix] };
  if (suffix !== '') return { feature: textFeature(path, `ends ${suffix.length}`, (text) => text.slice(-suffix.length)), wanted: [suffix] };
  return null;
}

function valueFeature(path: JsonPath): Feature {
  return { id: `value ${JSON.stringify(placesOf(path))}`, read: ({ args }) => readAt(path, args) };
}

function textFeature(path: JsonPath, what: string, partOf: (text: string) => string): Feature {
  return {
    id: `${what} ${JSON.stringify(placesOf(path))}`,
    read({ args }) {
      const { values, isNothing } = readAt(path, args);
      const texts = values.filter(isGlobbed);
      return { values: texts.map(partOf), isNothing, isUnknown: texts.length < values.length };
    },
  };
}

const placesOf = ({ steps }: JsonPath): readonly unknown[] => steps.map((step) => (typeof step === 'symbol' ? null : step));

function readAt(path: JsonPath, args: unknown): Reading {
  if (path.single !== null) {
    const value = valueAt(path.single, args);
    return value === NOTHING ? IS_NOTHING : known([value]);
  }
  const found = findAt(path, args);
  if (found === null) return IS_NOTHING;
  return { values: [...new Set(found.values)], isNothing: !found.complete, isUnknown: false };
}
