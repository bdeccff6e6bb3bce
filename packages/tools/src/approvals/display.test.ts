import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { visibleArguments, visibleText } from './display.ts';

const anything = fc.string({ unit: 'binary', maxLength: 200 });

describe('what a person reads of a call', () => {
  test('has nothing in it that cannot be seen or that turns the direction of reading', () => {
    fc.assert(
      fc.property(anything, (text) => {
        expect(visibleText(text)).not.toMatch(/[\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?![\n\t])\p{Cc}/u);
      }),
    );
    expect(visibleText('pay \u202e001\u2066 to\u0007\r\u{e0041}')).toBe('pay \\u{202e}001\\u{2066} to\\u{7}\\u{d}\\u{e0041}');
    expect(visibleText('plain ü 日本 😀\n\ttext')).toBe('plain ü 日本 😀\n\ttext');
  });

  test('is the arguments themselves where they are plain and short', () => {
    const plain = fc
      .jsonValue({ maxDepth: 3 })
      .filter((value) => JSON.stringify(value).length < 500 && /^[\x20-\x7e]*$/.test(JSON.stringify(value)));
    fc.assert(
      fc.property(plain, (value) => {
        if (JSON.stringify(value).includes('__proto__')) return;
        expect(visibleArguments(value)).toEqual({ shown: value, truncated: false });
      }),
    );
  });

  test('is bounded, however long, wide or deep the arguments are, and says that it was cut', () => {
    const deep = JSON.parse(`${'['.repeat(100)}1${']'.repeat(100)}`) as unknown;
    for (const args of [{ text: 'x'.repeat(1_000_000) }, Array.from({ length: 100_000 }, (_, index) => index), deep, wide()]) {
      const { shown, truncated } = visibleArguments(args);
      expect(truncated).toBe(true);
      expect(JSON.stringify(shown).length).toBeLessThan(60_000);
    }
  });
});

const wide = (): Record<string, string> =>
  Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`name ${index}`, 'y'.repeat(3_000)]));
