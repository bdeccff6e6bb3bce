import { isAppError } from '@code-executor/platform';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ParameterBinding, ParameterPlace, Style } from '../binding.ts';
import { headerText, pairsOf, pathText } from './serialize-parameter.ts';

const parameter = (place: ParameterPlace, style: Style, explode: boolean, more: Partial<ParameterBinding> = {}): ParameterBinding => ({
  name: 'color',
  argument: 'color',
  in: place,
  style,
  explode,
  ...more,
});

const text = (binding: ParameterBinding, value: unknown): string => {
  if (binding.in === 'path') return pathText(binding, value);
  if (binding.in === 'header') return headerText(binding, value);
  return pairsOf(binding, value)
    .map(([name, item]) => `${name}=${item}`)
    .join('&');
};

const LIST = ['blue', 'black', 'brown'];
const MAP = { R: 100, G: 200, B: 150 };

describe('styles of parameters', () => {
  // The table "Style Examples" of OpenAPI 3.1.1 (and 3.0.4), section 4.8.12.4: empty, string, array, object.
  test.each<[ParameterPlace, Style, boolean, (string | null)[]]>([
    ['path', 'matrix', false, [';color', ';color=blue', ';color=blue,black,brown', ';color=R,100,G,200,B,150']],
    ['path', 'matrix', true, [';color', ';color=blue', ';color=blue;color=black;color=brown', ';R=100;G=200;B=150']],
    ['path', 'label', false, ['.', '.blue', '.blue,black,brown', '.R,100,G,200,B,150']],
    ['path', 'label', true, ['.', '.blue', '.blue.black.brown', '.R=100.G=200.B=150']],
    ['path', 'simple', false, ['', 'blue', 'blue,black,brown', 'R,100,G,200,B,150']],
    ['path', 'simple', true, ['', 'blue', 'blue,black,brown', 'R=100,G=200,B=150']],
    ['header', 'simple', false, ['', 'blue', 'blue,black,brown', 'R,100,G,200,B,150']],
    ['header', 'simple', true, ['', 'blue', 'blue,black,brown', 'R=100,G=200,B=150']],
    ['query', 'form', false, ['color=', 'color=blue', 'color=blue,black,brown', 'color=R,100,G,200,B,150']],
    ['query', 'form', true, ['color=', 'color=blue', 'color=blue&color=black&color=brown', 'R=100&G=200&B=150']],
    ['query', 'spaceDelimited', false, [null, null, 'color=blue%20black%20brown', 'color=R%20100%20G%20200%20B%20150']],
    ['query', 'pipeDelimited', false, [null, null, 'color=blue%7Cblack%7Cbrown', 'color=R%7C100%7CG%7C200%7CB%7C150']],
    ['query', 'deepObject', true, [null, null, null, 'color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150']],
  ])('%s, %s, explode %s', (place, style, explode, expected) => {
    for (const [index, value] of ['', 'blue', LIST, MAP].entries()) {
      const wanted = expected[index];
      if (wanted !== null && wanted !== undefined) expect(text(parameter(place, style, explode), value)).toBe(wanted);
    }
  });

  test('nested objects and lists in a query are those that Stripe and qs read', () => {
    const value = { created: { gte: 1 }, items: [{ price: 'p', metadata: { a: 'b' } }, { price: 'q' }], expand: ['x', 'y'], none: null };
    expect(
      text(parameter('query', 'deepObject', true, { name: 'f' }), value)
        .split('&')
        .map(decodeURIComponent),
    ).toEqual([
      'f[created][gte]=1',
      'f[items][0][price]=p',
      'f[items][0][metadata][a]=b',
      'f[items][1][price]=q',
      'f[expand][]=x',
      'f[expand][]=y',
      'f[none]=',
    ]);
  });

  test('reserved characters stay where they are allowed, but for what would end the value', () => {
    const reserved = parameter('query', 'form', true, { allowReserved: true });
    expect(text(reserved, ":/?#[]@!$&'()*+,;= é")).toBe("color=:/?%23%5B%5D@!$%26'()*%2B,;=%20%C3%A9");
    expect(text(parameter('query', 'form', true), ":/?#[]@!$&'()*+,;=")).toBe(
      'color=%3A%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D',
    );
  });

  test('a value by `content` goes as JSON', () => {
    expect(text(parameter('query', 'form', true, { asJson: true }), { a: [1, 'é&'] })).toBe(
      `color=${encodeURIComponent('{"a":[1,"é&"]}')}`,
    );
    expect(text(parameter('header', 'simple', false, { asJson: true }), { a: 1 })).toBe('{"a":1}');
  });

  test.each(['a\r\nX-Other: 1', 'a\nb', 'a\0b', '日本', '\u007f'])('%j is no header', (value) => {
    for (const given of [value, [value], { k: value }, { [value]: 'v' }]) {
      expect(() => text(parameter('header', 'simple', true), given)).toThrow(/goes into a header/);
    }
  });

  test('what a place cannot carry is refused by the name of its argument', () => {
    expect(() => text(parameter('path', 'simple', false), [[1]])).toThrow(/"color" holds a list or object within another/);
    let deep: unknown = 1;
    for (let depth = 0; depth < 5_000; depth += 1) deep = { a: deep };
    expect(() => text(parameter('query', 'deepObject', true), deep)).toThrow(/"color" nests too deep/);
  });

  const plain = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('&admin=1', 'a=b', '#', '../..', '%2e%2e', '\r\n', '+', ' '),
  );

  test('whatever the values are, a query reads back as they were', () => {
    const key = fc.string({ minLength: 1, unit: 'grapheme-ascii' }).filter((name) => !/[[\]]/.test(name) && name !== '__proto__');
    fc.assert(
      fc.property(key, fc.array(plain), fc.dictionary(key, plain), (name, list, map) => {
        // An independent reader: the platform's own.
        const read = (binding: ParameterBinding, value: unknown) => [
          ...new URL(`http://x/?${text({ ...binding, name }, value)}`).searchParams,
        ];
        const formed = (value: string) => value.toWellFormed();
        expect(read(parameter('query', 'form', true), list)).toEqual(list.map((item) => [name, formed(item)]));
        expect(read(parameter('query', 'form', true), map)).toEqual(Object.entries(map).map(([member, item]) => [member, formed(item)]));
        expect(read(parameter('query', 'deepObject', true), map)).toEqual(
          Object.entries(map).map(([member, item]) => [`${name}[${member}]`, formed(item)]),
        );
        // Escapes pass unchanged there (RFC 6570, 3.2.3), so a value that looks like one reads back as what it escapes.
        const unescaped = list.filter((item) => !item.includes('%'));
        expect(read(parameter('query', 'form', true, { allowReserved: true }), unescaped)).toEqual(
          unescaped.map((item) => [name, formed(item)]),
        );
        for (const [style, delimiter] of [
          ['form', ','],
          ['spaceDelimited', '%20'],
          ['pipeDelimited', '%7C'],
        ] as const) {
          if (list.length === 0) continue;
          const raw = text({ ...parameter('query', style, false), name }, list);
          const value = raw.slice(raw.indexOf('=') + 1);
          expect(raw.split('=')).toHaveLength(2);
          const parts =
            list.length > 1 && style !== 'form'
              ? value
                  .replaceAll(delimiter, '\n')
                  .split('\n')
                  .map(decodeURIComponent)
                  .join(delimiter === '%20' ? ' ' : '|')
              : null;
          if (parts === null) expect(value.split(',').map(decodeURIComponent)).toEqual(list.map(formed));
          else expect(parts).toBe(list.map(formed).join(delimiter === '%20' ? ' ' : '|'));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('whatever the values are, a path parameter stays within its segment', () => {
    const styles = fc.constantFrom<[Style, boolean]>(
      ['simple', false],
      ['simple', true],
      ['label', false],
      ['label', true],
      ['matrix', false],
      ['matrix', true],
    );
    const value = fc.oneof(plain, fc.array(plain, { minLength: 1 }), fc.dictionary(plain, plain));
    fc.assert(
      fc.property(styles, value, ([style, explode], given) => {
        const segment = text(parameter('path', style, explode), given);
        expect(segment).toMatch(/^[A-Za-z0-9\-._~%,;=]*$/);
        if (!/^(?:\.|%2e){0,2}$/i.test(segment)) expect(new URL(`http://x/a/${segment}/b`).pathname).toBe(`/a/${segment}/b`);
      }),
      { numRuns: 500 },
    );
  });

  test('whatever is given, it is written or refused as an argument', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<ParameterPlace>('path', 'query', 'header', 'cookie'),
        fc.constantFrom<Style>('matrix', 'label', 'simple', 'form', 'spaceDelimited', 'pipeDelimited', 'tabDelimited', 'deepObject'),
        fc.boolean(),
        fc.jsonValue(),
        (place, style, explode, value) => {
          try {
            text(parameter(place, style, explode), value);
          } catch (error) {
            if (!isAppError(error, 'INVALID_ARGUMENTS')) throw error;
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
