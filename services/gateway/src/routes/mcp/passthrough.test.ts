import fc from 'fast-check';
import { expect, test } from 'vitest';
import { passedName } from './passthrough.ts';

const slug = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,63}$/);

test('every passed tool has a name that clients take, short and plain ones their own', () => {
  fc.assert(
    fc.property(slug, fc.string({ minLength: 1, maxLength: 200 }), (server, tool) => {
      expect(passedName(server, tool)).toMatch(/^[\w-]{1,64}$/);
    }),
  );
  expect(passedName('github', 'create_issue')).toBe('github__create_issue');
});

test('names that had to be cut or cleaned are told apart', () => {
  const long = 'x'.repeat(80);
  const names = [
    passedName('a', `${long}1`),
    passedName('a', `${long}2`),
    passedName('a', 'b.c'),
    passedName('a', 'b/c'),
    passedName('a', 'b_c'),
  ];
  expect(new Set(names).size).toBe(names.length);
});
