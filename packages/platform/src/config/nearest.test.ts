import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nearest } from './nearest.ts';

test('a slip of the pen finds the word that was meant', () => {
  expect(nearest('timeoutMS', ['code', 'timeoutMs', 'wait'])).toBe('timeoutMs');
  expect(nearest('read_fil', ['write_file', 'read_file'])).toBe('read_file');
});

test('a word that resembles none finds none', () => {
  expect(nearest('zebra', ['code', 'timeoutMs'])).toBeNull();
});

test('a word that is among the candidates is its own nearest', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 20 }), (words) => {
      const word = words[0] ?? '';
      expect(nearest(word, words)?.toLowerCase()).toBe(word.toLowerCase());
    }),
  );
});
