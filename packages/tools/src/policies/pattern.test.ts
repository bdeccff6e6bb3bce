import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareSpecificity, matchesPattern, parsePattern } from './pattern.ts';

const name = fc.constantFrom('a', 'b', 'c', 'github', 'list_issues');
const segment = fc.oneof(name, fc.constant('*'));
const pattern = fc.oneof(
  fc.constant('*'),
  fc.array(segment, { minLength: 2, maxLength: 4 }).map((parts) => parts.join('.')),
);
const address = fc.array(name, { minLength: 2, maxLength: 4 }).map((parts) => parts.join('.'));

/** The rule as it is told to people, by regular expression. */
function matchesNaively(text: string, where: string): boolean {
  const parts = text.split('.').map((part, index, all) => (part !== '*' ? part : index === all.length - 1 ? '.+' : '[^.]+'));
  return new RegExp(`^${parts.join('\\.')}$`).test(where);
}

describe('policy patterns', () => {
  it('match what the naive reading of the rule matches', () => {
    fc.assert(
      fc.property(pattern, address, (text, where) => {
        expect(matchesPattern(parsePattern(text), where)).toBe(matchesNaively(text, where));
      }),
    );
  });

  it('have one order of specificity among those that cover an address, and no two different ones are equal', () => {
    fc.assert(
      fc.property(fc.uniqueArray(pattern, { minLength: 2, maxLength: 6 }), address, (texts, where) => {
        const covering = texts.map(parsePattern).filter((parsed) => matchesPattern(parsed, where));
        for (const a of covering) {
          for (const b of covering) {
            expect(Math.sign(compareSpecificity(a, b))).toBe(-Math.sign(compareSpecificity(b, a)) || 0);
            if (a.text !== b.text) expect(compareSpecificity(a, b)).not.toBe(0);
          }
        }
      }),
    );
  });

  it.each([
    ['github.issues.list', 'github.issues.*'],
    ['github.issues.*', 'github.*'],
    ['github.*', '*'],
    ['github.issues.list', 'github.*.list'],
    ['github.*.list', 'github.*'],
  ])('take %s for more specific than %s', (specific, general) => {
    expect(compareSpecificity(parsePattern(specific), parsePattern(general))).toBeLessThan(0);
  });

  it.each(['', '.', 'a.', '.a', 'a..b', 'a.b*', 'github', ' a.b', 'a.b\n', `a.${'b'.repeat(600)}`, 'a.\ud800'])(
    'refuse %j, saying why',
    (text) => {
      expect(() => parsePattern(text)).toThrow(
        expect.objectContaining({ code: 'INVALID_REQUEST', message: expect.stringMatching(/^pattern "/) }),
      );
    },
  );
});
