import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blankFences, topLevelReturnsAsThrows } from './program-text.ts';

describe('the text that is checked', () => {
  test('a fence becomes empty lines, so that the program keeps its line numbers', () => {
    expect(blankFences('```ts\nconst x = 1;\nreturn x;\n```')).toBe('\nconst x = 1;\nreturn x;\n');
    expect(blankFences('\n~~~~typescript\nx\n~~~~\n\n').split('\n').indexOf('x')).toBe(2);
    expect(blankFences('const fence = `\n```\n`;')).toBe('const fence = `\n```\n`;');
    expect(blankFences('```ts\nx\n```\nand more')).toBe('```ts\nx\n```\nand more');
  });

  test('only returns at top level change, and nothing moves', () => {
    const code =
      'const f = () => { return 1; };\nif (f()) {\n  return { a: f() };\n}\nreturn;\nclass A { m() { return 2; } }\nreturn await f()';
    expect(topLevelReturnsAsThrows(code)).toBe(
      'const f = () => { return 1; };\nif (f()) {\n  throw  { a: f() };\n}\nreturn;\nclass A { m() { return 2; } }\nthrow  await f()',
    );
    expect(topLevelReturnsAsThrows("const text = 'return 1'; // return 2")).toBe("const text = 'return 1'; // return 2");
  });

  test('whatever the text, its length and its lines stay', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.constantFrom('return ', 'return(', '`', '${', '}', '{', '\n', '```', 'class A ', '() => ', ';', 'x', '/*', "'"),
            fc.string({ maxLength: 4 }),
          ),
        ),
        (parts) => {
          const code = parts.join('');
          const text = topLevelReturnsAsThrows(code);
          expect(text.length).toBe(code.length);
          expect(text.split('\n').length).toBe(code.split('\n').length);
          expect(blankFences(code).split('\n').length).toBeLessThanOrEqual(code.split('\n').length);
        },
      ),
    );
  });
});
