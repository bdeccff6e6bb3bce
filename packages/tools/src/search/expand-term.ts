/** A word of the index that a word of the query stands for, and how much it counts against the word itself. */
export interface ExpandedTerm {
  readonly text: string;
  readonly factor: number;
}

const SHORTEST_PREFIX = 3;
/** Of a stem: `isues` becomes `isu`. */
const SHORTEST_MISSPELT = 3;
const MOST_EXPANSIONS = 40;
const PREFIX_FACTOR = 0.5;
const MISSPELT_FACTOR = 0.4;

/** The word itself, words that begin with it, and, where neither is known, words one slip of the pen away. `vocabulary` is sorted. */
export function expandTerm(term: string, vocabulary: readonly string[], isKnown: (text: string) => boolean): ExpandedTerm[] {
  const expanded: ExpandedTerm[] = isKnown(term) ? [{ text: term, factor: 1 }] : [];
  if (term.length >= SHORTEST_PREFIX) {
    for (let index = firstNotBefore(term, vocabulary); index < vocabulary.length && expanded.length < MOST_EXPANSIONS; index += 1) {
      const text = vocabulary[index] ?? '';
      if (!text.startsWith(term)) break;
      if (text !== term) expanded.push({ text, factor: (PREFIX_FACTOR * term.length) / text.length });
    }
  }
  if (expanded.length > 0 || term.length < SHORTEST_MISSPELT) return expanded;
  for (const text of vocabulary) {
    if (text.length >= SHORTEST_MISSPELT && isOneSlipAway(term, text)) expanded.push({ text, factor: MISSPELT_FACTOR });
    if (expanded.length >= MOST_EXPANSIONS) break;
  }
  return expanded;
}

function firstNotBefore(term: string, vocabulary: readonly string[]): number {
  let low = 0;
  let high = vocabulary.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((vocabulary[middle] ?? '') < term) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** One letter more, less, other, or two neighbours swapped. */
export function isOneSlipAway(term: string, text: string): boolean {
  if (Math.abs(term.length - text.length) > 1) return false;
  let start = 0;
  while (start < term.length && start < text.length && term[start] === text[start]) start += 1;
  const rest = term.slice(start);
  const other = text.slice(start);
  if (term.length === text.length) {
    return rest.slice(1) === other.slice(1) || (rest.slice(2) === other.slice(2) && rest[0] === other[1] && rest[1] === other[0]);
  }
  return term.length > text.length ? rest.slice(1) === other : rest === other.slice(1);
}
