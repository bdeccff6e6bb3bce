import { nearest } from '@code-executor/platform';

const MOST_SUGGESTIONS = 3;

/** Names that someone who wrote `wanted` may have meant, the nearest first. */
export function suggestions(wanted: string, names: Iterable<string>): string[] {
  const words = wordsOf(wanted);
  const scored: { name: string; score: number }[] = [];
  const all = [...names];
  for (const name of all) {
    const others = wordsOf(name);
    const shared = [...words].filter((word) => others.has(word)).length;
    if (shared > 0) scored.push({ name, score: shared / Math.max(words.size, others.size) });
  }
  const similar = scored.sort((a, b) => b.score - a.score || (a.name < b.name ? -1 : 1)).map(({ name }) => name);
  const misspelt = wanted.length <= 100 ? nearest(wanted, all) : null;
  return [...new Set(misspelt === null ? similar : [misspelt, ...similar])].slice(0, MOST_SUGGESTIONS);
}

/** ` Did you mean a, b?`, or nothing. */
export const didYouMean = (names: readonly string[]): string => (names.length === 0 ? '' : ` Did you mean ${names.join(', ')}?`);

const wordsOf = (name: string): Set<string> =>
  new Set(
    name
      .slice(0, 200)
      .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
      .toLowerCase()
      .split(/[^\p{L}\p{N}]+/u)
      .filter(Boolean),
  );
