import { createHash } from 'node:crypto';

const LONGEST_NAME = 100;
const LENGTH_KEPT_OF_LONG_NAMES = 80;
const SHORTEST_DIGEST = 6;

/** How one kind of name is made: what counts as a name already, and which names are taken by the language. */
export interface NameRules {
  readonly isName: RegExp;
  readonly isReserved: (name: string) => boolean;
  /** What a name without a usable character starts with. */
  readonly fallback: string;
  /** Names become files, and Bun takes two that differ only by case for the same one: it loads whichever it listed first. */
  readonly areFiles: boolean;
}

/**
 * A valid and distinct name for each raw name. A raw name that is valid stays as it is; one that is not is respelled, and carries
 * a digest of its raw form where its spelling is lossy or taken. The outcome depends on the set of raw names, not on their order.
 */
export function distinctNames(rawNames: Iterable<string>, rules: NameRules): Map<string, string> {
  const keyOf = (name: string): string => (rules.areFiles ? name.toLowerCase() : name);
  const respelled = new Map<string, string>();
  /** By key, the raw name that stays as it is. */
  const kept = new Map<string, string>();
  for (const raw of new Set(rawNames)) {
    if (raw.length > LONGEST_NAME || !rules.isName.test(raw) || rules.isReserved(raw)) {
      respelled.set(raw, respell(raw, rules));
      continue;
    }
    const key = keyOf(raw);
    const rival = kept.get(key);
    const stays = rival === undefined ? raw : keeperOf(raw, rival, key);
    kept.set(key, stays);
    if (rival !== undefined) respelled.set(stays === raw ? rival : raw, stays === raw ? rival : raw);
  }
  const names = new Map<string, string>();
  for (const raw of kept.values()) names.set(raw, raw);
  if (respelled.size === 0) return names;

  const taken = new Set(kept.keys());
  const claims = new Map<string, number>();
  for (const name of respelled.values()) claims.set(keyOf(name), (claims.get(keyOf(name)) ?? 0) + 1);
  // Sorted, so that which of two names with equal digests is lengthened does not depend on the order they came in.
  for (const [raw, name] of [...respelled].sort(([a], [b]) => (a < b ? -1 : 1))) {
    let distinct = name;
    if (claims.get(keyOf(name)) !== 1 || taken.has(keyOf(name))) {
      const digest = digestOf(raw);
      for (let length = SHORTEST_DIGEST; distinct === name || taken.has(keyOf(distinct)) || claims.has(keyOf(distinct)); length += 2) {
        distinct = `${name}_${digest.slice(0, length)}`;
      }
    }
    taken.add(keyOf(distinct));
    names.set(raw, distinct);
  }
  return names;
}

/** Of two names that differ only by case the one in lower case stays, else the one that sorts first. */
export function keeperOf(a: string, b: string, lowerCase: string): string {
  if (a === lowerCase || b === lowerCase) return lowerCase;
  return a < b ? a : b;
}

function respell(raw: string, rules: NameRules): string {
  const isName = rules.isName.test(raw);
  let name = isName
    ? raw
    : raw
        .slice(0, 4 * LONGEST_NAME)
        .replace(/^[^A-Za-z0-9_]+|[^A-Za-z0-9_]+$/g, '')
        .replace(/[^A-Za-z0-9_]+/g, '_');
  // Other than punctuation, what was dropped told names apart: without a digest a neighbour's arrival would rename this one.
  let lossy = /[^\u0020-\u007e]/.test(raw) || raw.length > LONGEST_NAME;
  if (!isName && !/[A-Za-z0-9]/.test(name)) {
    name = rules.fallback;
    lossy = true;
  }
  if (/^[0-9]/.test(name)) name = `_${name}`;
  if (name.length > LENGTH_KEPT_OF_LONG_NAMES) name = name.slice(0, LENGTH_KEPT_OF_LONG_NAMES);
  if (lossy) name = `${name}_${digestOf(raw).slice(0, SHORTEST_DIGEST)}`;
  return rules.isReserved(name) ? `${name}_` : name;
}

/** Over UTF-16, where lone surrogates stay distinct. */
function digestOf(raw: string): string {
  return createHash('sha256').update(Buffer.from(raw, 'utf16le')).digest('hex');
}
