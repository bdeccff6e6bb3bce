import { isAppError, messageOf } from '@code-executor/platform';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findSyntaxError } from './find-syntax-error.ts';
import { parseJsonBody } from './parse-json.ts';
import { BODY_LIMITS } from './scan-json.ts';

const parse = (text: string): unknown => parseJsonBody(Buffer.from(text));

function refusalOf(body: string | Buffer): { code: string; message: string; details: unknown } {
  try {
    parseJsonBody(Buffer.from(body as string));
  } catch (error) {
    if (isAppError(error)) return { code: error.code, message: error.message, details: error.details };
    throw error;
  }
  throw new Error(`accepted: ${body.toString().slice(0, 100)}`);
}

/** What V8 says is wrong with a text, null for JSON. */
function toldByV8(text: string): string | null {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

/** Any JSON text, with white space and escapes as a serialiser may choose them. */
const jsonText = fc.tuple(fc.jsonValue({ maxDepth: 6 }), fc.integer({ min: 0, max: 3 }), fc.boolean()).map(([value, indent, asciiOnly]) => {
  const text = JSON.stringify(value, null, indent);
  return asciiOnly ? text.replaceAll(/[^\x20-\x7e\n]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`) : text;
});

describe('a body of JSON', () => {
  it('is what JSON.parse makes of it, for every document without the things that are refused', () => {
    fc.assert(
      fc.property(jsonText, (text) => {
        fc.pre(!/__proto__|prototype/.test(text) && text.isWellFormed());
        fc.pre((JSON.stringify(JSON.parse(text)).match(/\\ud[89a-f]/g) ?? []).length === 0);
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is refused whenever JSON.parse refuses it, and never with another kind of error', () => {
    const damaged = fc
      .tuple(jsonText, fc.nat(), fc.constantFrom('', '"', '\\', '{', '}', '[', ']', ',', ':', '\\u12', '\u0000', 'x'))
      .map(([text, at, piece]) => {
        const cut = at % (text.length + 1);
        return text.slice(0, cut) + piece + text.slice(cut + 1);
      });
    fc.assert(
      fc.property(damaged, (text) => {
        const told = toldByV8(text);
        if (told === null || !text.isWellFormed() || text === '') return;
        expect(refusalOf(text).code).toBe('MALFORMED_JSON');
        const position = /at position (\d+)/.exec(told)?.[1];
        if (position !== undefined) expect(findSyntaxError(text), told).toBe(Number(position));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is refused when any object of it repeats a key, wherever and however it is spelled', () => {
    const plain = fc.dictionary(fc.string({ minLength: 1, maxLength: 4 }), fc.jsonValue({ maxDepth: 2 }), { minKeys: 1, maxKeys: 20 });
    fc.assert(
      fc.property(plain, fc.nat(), fc.integer({ min: 0, max: 5 }), fc.boolean(), (object, pick, depth, escaped) => {
        const keys = Object.keys(object);
        const key = keys[pick % keys.length] ?? '';
        // Those are refused for another reason, which comes first where they stand first.
        fc.pre(!/__proto__|prototype|\\ud[89a-f]/.test(JSON.stringify(object)) && key.isWellFormed());
        const spelled = escaped
          ? `"${[...Array(key.length).keys()].map((at) => `\\u${key.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`
          : JSON.stringify(key);
        const text = `${'{"in":['.repeat(depth)}${JSON.stringify(object).slice(0, -1)},${spelled}:1}${']}'.repeat(depth)}`;
        const refusal = refusalOf(text);
        expect(refusal.code).toBe('MALFORMED_JSON');
        expect(refusal.message).toContain('given twice');
      }),
      { numRuns: 1_000 },
    );
  });

  it('may use the same key in objects beside and inside each other', () => {
    const text = '{"a":{"a":[{"a":1},{"a":{"a":2}}]},"b":{"a":3}}';
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  it('has no syntax error where JSON.parse finds none', () => {
    fc.assert(
      fc.property(jsonText, (text) => {
        expect(findSyntaxError(text)).toBe(text.length);
      }),
    );
  });

  it('is absent when it has no bytes', () => {
    expect(parseJsonBody(Buffer.alloc(0))).toBeUndefined();
  });
});

describe('what is refused, and where', () => {
  it.each([
    ['{"code":"1","code":"2"}', 'MALFORMED_JSON', 'The key "code" is given twice (line 1, column 13, at "code"); keep one of them.'],
    ['{\n  "args": {"x": 1,\n "x": 2}}', 'MALFORMED_JSON', 'The key "x" is given twice (line 3, column 2, at "args.x"); keep one of them.'],
    [
      '{"args":{"__proto__":1}}',
      'INVALID_REQUEST',
      'The key "__proto__" is not allowed in a request (line 1, column 10, at "args.__proto__"); rename it.',
    ],
    [
      '{"args":{"\\u005f_proto__":1}}',
      'INVALID_REQUEST',
      'The key "__proto__" is not allowed in a request (line 1, column 10, at "args.__proto__"); rename it.',
    ],
    [
      '{"args":[{"constructor":{"prototype":1}}]}',
      'INVALID_REQUEST',
      'The key "prototype" is not allowed in a request (line 1, column 26, at "args[0].constructor.prototype"); rename it.',
    ],
    [
      '{"a":"\\ud83d"}',
      'INVALID_REQUEST',
      'Half a surrogate pair is no character (line 1, column 7, at "a"); send the whole pair or leave it out.',
    ],
    [
      '{"a":["x","\\ude00"]}',
      'INVALID_REQUEST',
      'Half a surrogate pair is no character (line 1, column 12, at "a[1]"); send the whole pair or leave it out.',
    ],
    [
      '{"a":"\\ud83d\\ud83d\\ude00"}',
      'INVALID_REQUEST',
      'Half a surrogate pair is no character (line 1, column 7, at "a"); send the whole pair or leave it out.',
    ],
    ['{"\\ud800":1}', 'INVALID_REQUEST', 'Half a surrogate pair is no character (line 1, column 3); send the whole pair or leave it out.'],
    ['{"a":1', 'MALFORMED_JSON', 'The body is no JSON: it ends too early.'],
    ['{"a":1}}', 'MALFORMED_JSON', 'The body is no JSON: unexpected "}" at line 1, column 8.'],
    ["{'a':1}", 'MALFORMED_JSON', 'The body is no JSON: unexpected "\'" at line 1, column 2.'],
    ['{"a":NaN}', 'MALFORMED_JSON', 'The body is no JSON: unexpected "N" at line 1, column 6.'],
    ['{"a":"\u0001"}', 'MALFORMED_JSON', 'The body is no JSON: unexpected control character 1 at line 1, column 7.'],
    ['\ufeff{}', 'MALFORMED_JSON', 'The body starts with a byte order mark; send the JSON without it.'],
    [' \n', 'MALFORMED_JSON', 'The body holds nothing but white space; send a JSON object.'],
  ])('%j', (text, code, message) => {
    expect(refusalOf(text)).toMatchObject({ code, message });
  });

  it('bytes that are not UTF-8, with the place of the first', () => {
    const head = Buffer.from('{"a":"ä€😀');
    for (const bad of [[0xff], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80]]) {
      const refusal = refusalOf(Buffer.concat([head, Buffer.from(bad), Buffer.from('"}')]));
      expect(refusal).toMatchObject({ code: 'MALFORMED_JSON', message: expect.stringContaining(`byte ${head.length} (`) });
    }
  });

  it('more than 64 levels, before anything is built from them', () => {
    expect(parse(`${'['.repeat(BODY_LIMITS.depth)}${']'.repeat(BODY_LIMITS.depth)}`)).toHaveLength(1);
    expect(refusalOf(`${'['.repeat(BODY_LIMITS.depth + 1)}${']'.repeat(BODY_LIMITS.depth + 1)}`).message).toContain(
      'deeper than 64 levels',
    );
    const began = process.threadCpuUsage();
    expect(refusalOf('['.repeat(8_000_000)).code).toBe('MALFORMED_JSON');
    expect(refusalOf('{"a":'.repeat(1_000_000)).code).toBe('MALFORMED_JSON');
    const { user, system } = process.threadCpuUsage(began);
    expect((user + system) / 1_000).toBeLessThan(500);
  });

  it('more than 100,000 keys', () => {
    const text = `{${Array.from({ length: BODY_LIMITS.keys + 1 }, (_, index) => `"${index}":0`).join(',')}}`;
    expect(refusalOf(text)).toMatchObject({ code: 'MALFORMED_JSON', message: expect.stringContaining('more than 100000 keys') });
  });

  it('lets a NUL and whole pairs in strings through', () => {
    expect(parse('{"a":"\\u0000\\ud83d\\ude00😀"}')).toEqual({ a: '\0😀😀' });
  });
});
