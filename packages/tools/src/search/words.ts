import { stemmer } from 'stemmer';

const LONGEST_WORD = 40;
const MOST_WORDS = 2_000;
const STEMS_KEPT = 50_000;
const stems = new Map<string, string>();

/**
 * Words of a name or a text: split where case changes, at digits and at punctuation. A word that was split by case or
 * digits is kept whole as well (`n8n`, `getUser`), so that it is found as it is written.
 */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  for (const [run] of text.matchAll(/[\p{L}\p{N}\p{M}]+/gu)) {
    if (words.length >= MOST_WORDS) break;
    const parts = run.match(/\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{Lo}\p{Lm}\p{M}]+|\p{Lu}|\p{N}+/gu) ?? [run];
    if (parts.length > 1) for (const part of parts) if (part.length > 1) words.push(part);
    words.push(run);
  }
  return words;
}

/** Lower case, without an English ending. */
export function normaliseWord(word: string): string | null {
  const lower = word.slice(0, LONGEST_WORD).toLowerCase();
  if (!/^[a-z]{3,}$/.test(lower)) return lower === '' ? null : lower;
  const known = stems.get(lower);
  if (known !== undefined) return known;
  const stem = stemmer(lower);
  if (stems.size >= STEMS_KEPT) stems.clear();
  stems.set(lower, stem);
  return stem;
}
