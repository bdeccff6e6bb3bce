export interface JsonLimits {
  /** Deepest nesting of objects and arrays. */
  readonly depth: number;
  /** Keys of all objects together. */
  readonly keys: number;
}

/** Of a body that is read between requests: a million keys would hold the event loop for a second. */
export const BODY_LIMITS: JsonLimits = { depth: 64, keys: 100_000 };

/** Something `JSON.parse` accepts and this gateway does not. `position` counts UTF-16 units from 0. */
export interface JsonFinding {
  readonly kind: 'depth' | 'keys' | 'duplicate' | 'prototype' | 'surrogate';
  readonly position: number;
  readonly path: string;
  readonly key: string;
}

const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const LOWER_U = 117;

/** One object (`keys` set) or array (`keys` null) that is open at the scan's position. */
interface Level {
  readonly keys: KeySet | null;
  key: string;
  index: number;
  /** In an object: the next string is a key. */
  expectsKey: boolean;
}

/**
 * One pass over the text of a JSON document that looks for what `JSON.parse` lets through: nesting too deep, repeated keys,
 * keys that reach for prototypes, and `\u` escapes of half a surrogate pair. It does not judge the grammar; a text that is
 * no JSON may yield any finding or none.
 */
export function scanJson(text: string, limits: JsonLimits = BODY_LIMITS): JsonFinding | null {
  const levels: Level[] = [];
  let level: Level | undefined;
  let found: JsonFinding | null = null;
  let keyCount = 0;
  const note = (kind: JsonFinding['kind'], position: number, key = ''): JsonFinding => ({ kind, position, key, path: pathOf(levels) });

  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfString(text, at);
        if (end.badEscapeAt >= 0) found ??= note('surrogate', end.badEscapeAt);
        if (level?.keys && level.expectsKey) {
          level.expectsKey = false;
          level.key = end.escaped ? unescapeKey(text.slice(at, end.at + 1)) : text.slice(at + 1, end.at);
          keyCount += 1;
          if (keyCount > limits.keys) return note('keys', at, level.key);
          if (!found) {
            if (level.key === '__proto__' || (level.key === 'prototype' && levels.at(-2)?.key === 'constructor')) {
              found = note('prototype', at, level.key);
            } else if (!level.keys.add(level.key)) found = note('duplicate', at, level.key);
          }
        }
        at = end.at;
        break;
      }
      case OPEN_BRACE:
      case OPEN_BRACKET:
        if (levels.length >= limits.depth) return note('depth', at);
        level =
          text.charCodeAt(at) === OPEN_BRACE
            ? { keys: new KeySet(), key: '', index: 0, expectsKey: true }
            : { keys: null, key: '', index: 0, expectsKey: false };
        levels.push(level);
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        levels.pop();
        level = levels.at(-1);
        break;
      case COMMA:
        if (level?.keys) level.expectsKey = true;
        else if (level) level.index += 1;
        break;
      default:
    }
  }
  return found;
}

/** Most objects have few keys: comparing those is faster than hashing them. */
class KeySet {
  readonly #few: string[] = [];
  #many: Set<string> | null = null;

  /** false: it was there. */
  add(key: string): boolean {
    if (this.#many) {
      const before = this.#many.size;
      return this.#many.add(key).size > before;
    }
    if (this.#few.includes(key)) return false;
    this.#few.push(key);
    if (this.#few.length > 12) this.#many = new Set(this.#few);
    return true;
  }
}

/** The closing quote of the string that opens at `start` (or the end of the text), and the first half of a pair without the other. */
function endOfString(text: string, start: number): { at: number; escaped: boolean; badEscapeAt: number } {
  let at = start + 1;
  let escaped = false;
  let badEscapeAt = -1;
  for (; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) break;
    if (unit !== BACKSLASH) continue;
    escaped = true;
    if (text.charCodeAt(at + 1) === LOWER_U) {
      const code = hexAt(text, at + 2);
      if (isHigh(code) && text.charCodeAt(at + 6) === BACKSLASH && text.charCodeAt(at + 7) === LOWER_U && isLow(hexAt(text, at + 8))) {
        at += 11;
        continue;
      }
      if (badEscapeAt < 0 && (isHigh(code) || isLow(code))) badEscapeAt = at;
    }
    at += 1;
  }
  return { at, escaped, badEscapeAt };
}

const hexAt = (text: string, at: number): number => Number.parseInt(text.slice(at, at + 4), 16);
const isHigh = (code: number): boolean => code >= 0xd800 && code <= 0xdbff;
const isLow = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff;

/** A key may be spelled with escapes; `"\u0061"` repeats `"a"`. What is no JSON string is left to the real parser to refuse. */
function unescapeKey(quoted: string): string {
  try {
    return String(JSON.parse(quoted));
  } catch {
    return quoted;
  }
}

function pathOf(levels: readonly Level[]): string {
  let path = '';
  for (const level of levels) {
    if (level.keys === null) path += `[${level.index}]`;
    else if (level.key !== '') path += path === '' ? level.key : `.${level.key}`;
  }
  return path;
}
