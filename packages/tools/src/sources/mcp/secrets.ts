import { spellingsOf } from './spellings.ts';

const SECRET_NAME =
  /key|token|secret|passw|passphrase|\bpwd\b|auth|credential|bearer|cookie|private|signature|dsn|database_url|connection/i;
const PLACEHOLDER = '[secret]';
/** Shorter values ("1", "true") occur everywhere by chance: hiding them would hide nothing and garble every message. */
const SHORTEST_NAMED_SECRET = 4;
const SHORTEST_OTHER_VALUE = 8;

/**
 * Values of one server's definition that people must not see. `secrets` are hidden from everything that leaves, the
 * server's own replies included; `privates` (any other value of its environment) from logs, errors and API answers only,
 * since a path or a level in a reply is data.
 */
export interface SecretValues {
  readonly secrets: ReadonlySet<string>;
  readonly privates: ReadonlySet<string>;
}

export interface SecretCollector extends SecretValues {
  /** `always`: the place itself makes it a secret (a header, the userinfo of a URL), whatever its name. */
  add(name: string, value: string, always?: 'always'): void;
}

export function collectSecrets(): SecretCollector {
  const secrets = new Set<string>();
  const privates = new Set<string>();
  return {
    secrets,
    privates,
    add(name, value, always) {
      if (always === 'always' || SECRET_NAME.test(name)) {
        // "Bearer abc" is echoed as "abc" as often as whole.
        for (const part of [value, ...value.split(/\s+/)])
          if (part.length >= SHORTEST_NAMED_SECRET && part !== 'Bearer' && part !== 'Basic') secrets.add(part);
      } else if (value.length >= SHORTEST_OTHER_VALUE) privates.add(value);
    },
  };
}

export interface Scrub {
  (text: string): string;
  /** Whether texts that were cleaned one by one still hold a secret in pieces, read one after the other without what stands between letters. */
  readonly findsSplit?: ((texts: readonly string[]) => boolean) | undefined;
}

/** Shorter ones are put together by chance. */
const SHORTEST_SPLIT_SECRET = 12;

/**
 * Replaces each value, in each of its spellings, by `[secret]`. Longest first: one may contain another. What a text does not
 * hold is looked for and not matched against, so that large texts cost little.
 */
export function createScrub(values: Iterable<string>): Scrub {
  const spellings = new Set<string>();
  const long: string[] = [];
  for (const value of values) {
    for (const spelling of spellingsOf(value)) spellings.add(spelling);
    const letters = value.replace(/[^A-Za-z0-9]+/g, '');
    if (letters.length >= SHORTEST_SPLIT_SECRET) long.push(letters);
  }
  if (spellings.size === 0) return (text) => text;
  const longestFirst = [...spellings].sort((a, b) => b.length - a.length);
  const scrub = (text: string): string => {
    const present = longestFirst.filter((spelling) => text.includes(spelling));
    if (present.length === 0) return text;
    return text.replace(new RegExp(present.map((spelling) => spelling.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g'), PLACEHOLDER);
  };
  const findsSplit = (texts: readonly string[]): boolean => {
    if (long.length === 0) return false;
    const joined = texts.join('\n');
    return long.some((letters) => isSpeltOut(joined, letters));
  };
  return Object.assign(scrub, { findsSplit });
}

/** Whether these letters follow one another in a text, whatever else than letters stands between them; escapes are no letters. */
function isSpeltOut(text: string, letters: string): boolean {
  const first = letters.charAt(0);
  for (let start = text.indexOf(first); start !== -1; start = text.indexOf(first, start + 1)) {
    let found = 1;
    let at = start + 1;
    while (found < letters.length && at < text.length) {
      const code = text.charCodeAt(at);
      if (code === letters.charCodeAt(found)) found += 1;
      else if (isLetter(code)) break;
      else at += lettersOfEscape(text, at, letters.charAt(found));
      at += 1;
    }
    if (found === letters.length) return true;
  }
  return false;
}

/** How many letters belong to the escape that begins here; none where the next is the one that is looked for. */
function lettersOfEscape(text: string, at: number, expected: string): number {
  const next = text.charAt(at + 1);
  if (next === expected) return 0;
  if (text[at] === '%') return /^[0-9A-Fa-f]{2}$/.test(text.slice(at + 1, at + 3)) ? 2 : 0;
  return text[at] === '\\' && 'nrtbf'.includes(next) ? 1 : 0;
}

const isLetter = (code: number): boolean => (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122);

/** Both, the first one first. */
export const bothScrubs = (first: Scrub, second: Scrub): Scrub =>
  Object.assign((text: string): string => second(first(text)), {
    findsSplit: (texts: readonly string[]): boolean => first.findsSplit?.(texts) === true || second.findsSplit?.(texts) === true,
  });
