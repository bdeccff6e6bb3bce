import { canonicalJson } from '../calls/canonical-json.ts';
import type { PolicyCall, Rule } from './rule.ts';
import { type Feature, type Guard, guardsOf } from './rule-guard.ts';

/** Rules in the order in which they count. */
export interface RankedRules {
  readonly rules: readonly Rule[];
  /** In the same order, without those of which one look at the call says that they cannot apply. */
  thatMayApply(call: PolicyCall): readonly Rule[];
}

/** So few are judged one by one in less time than it takes to look them up. */
const FEWEST_INDEXED = 32;
const NONE: readonly number[] = [];

export function rankedRules(rules: readonly Rule[]): RankedRules {
  if (rules.length < FEWEST_INDEXED) return { rules, thatMayApply: () => rules };
  let guarded: GuardedRules | undefined;
  return {
    rules,
    thatMayApply(call) {
      guarded ??= guard(rules);
      const places = placesOf(guarded, call);
      return places === null ? guarded.unguardedRules : places.flatMap((place) => rules[place] ?? []);
    },
  };
}

/** Rules by place in their order: each under what its guard wants, or among those that have none. */
interface GuardedRules {
  readonly features: readonly GuardedFeature[];
  readonly unguarded: readonly number[];
  readonly unguardedRules: readonly Rule[];
}

interface GuardedFeature {
  readonly feature: Feature;
  readonly byValue: Map<unknown, number[]>;
  readonly whenNothing: number[];
  readonly whenUnknown: number[];
  /** Whether any rule wants a list or an object: only then are those of a call put into words. */
  hasCompound: boolean;
}

function guard(rules: readonly Rule[]): GuardedRules {
  const guards = rules.map(guardsOf);
  const counts = new Map<string, Map<unknown, number>>();
  for (const { feature, wanted } of guards.flat()) {
    const counted = counts.get(feature.id) ?? new Map<unknown, number>();
    counts.set(feature.id, counted);
    for (const value of wanted) counted.set(keyOf(value), (counted.get(keyOf(value)) ?? 0) + 1);
  }
  /** The rules that share the most common thing a guard wants: the fewer, the more rules it keeps from being looked at. */
  const crowd = ({ feature, wanted }: Guard): number =>
    Math.max(0, ...wanted.map((value) => counts.get(feature.id)?.get(keyOf(value)) ?? 0));
  const features = new Map<string, GuardedFeature>();
  const unguarded: number[] = [];
  for (const [place, known] of guards.entries()) {
    const [best] = known.map((one) => ({ one, size: crowd(one) })).sort((a, b) => a.size - b.size);
    if (best === undefined) unguarded.push(place);
    else placeUnder(features, best.one, place);
  }
  return { features: [...features.values()], unguarded, unguardedRules: unguarded.flatMap((place) => rules[place] ?? []) };
}

function placeUnder(features: Map<string, GuardedFeature>, { feature, wanted, whenNothing, whenUnknown }: Guard, place: number): void {
  let known = features.get(feature.id);
  if (known === undefined) {
    known = { feature, byValue: new Map(), whenNothing: [], whenUnknown: [], hasCompound: false };
    features.set(feature.id, known);
  }
  for (const value of wanted) {
    const places = known.byValue.get(keyOf(value));
    if (places === undefined) known.byValue.set(keyOf(value), [place]);
    else places.push(place);
    if (isCompound(value)) known.hasCompound = true;
  }
  if (whenNothing) known.whenNothing.push(place);
  if (whenUnknown) known.whenUnknown.push(place);
}

/** null: none but those without a guard. */
function placesOf({ features, unguarded }: GuardedRules, call: PolicyCall): readonly number[] | null {
  const found: (readonly number[])[] = [];
  for (const { feature, byValue, whenNothing, whenUnknown, hasCompound } of features) {
    const { values, isNothing, isUnknown } = feature.read(call);
    for (const value of values) {
      const places = isCompound(value) && !hasCompound ? NONE : (byValue.get(keyOf(value)) ?? NONE);
      if (places.length > 0) found.push(places);
    }
    if (isNothing && whenNothing.length > 0) found.push(whenNothing);
    if (isUnknown && whenUnknown.length > 0) found.push(whenUnknown);
  }
  if (found.length === 0) return null;
  return [...new Set([...found, unguarded].flat())].sort((a, b) => a - b);
}

const isCompound = (value: unknown): boolean => typeof value === 'object' && value !== null;

/** Equal values have equal keys. */
const keyOf = (value: unknown): unknown => (isCompound(value) ? canonicalJson(value) : (value ?? null));
