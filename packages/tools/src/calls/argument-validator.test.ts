import type { JsonSchema, ToolDefinition } from '@code-executor/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createArgumentValidator } from './argument-validator.ts';

const toolWith = (inputSchema: JsonSchema): ToolDefinition => ({ server: 's', name: 't', description: '', inputSchema });

function check(inputSchema: JsonSchema, args: Record<string, unknown>): { readonly messages: string[]; readonly broken: string[] } {
  const broken: string[] = [];
  const validator = createArgumentValidator((_tool, reason) => broken.push(reason));
  return { messages: validator.check(toolWith(inputSchema), args).map((problem) => problem.message), broken };
}

const FILE: JsonSchema = {
  type: 'object',
  properties: { path: { type: 'string' }, head: { type: 'integer' }, mode: { enum: ['r', 'w'] } },
  required: ['path'],
};

describe('arguments of a tool', () => {
  it('are accepted where they fit', () => expect(check(FILE, { path: '/a', head: 3 }).messages).toEqual([]));

  it('are refused by name where they are unknown, with the name that was meant', () => {
    expect(check(FILE, { path: '/a', heads: 3 }).messages).toEqual(['unknown argument "heads": did you mean "head"?']);
    expect(check(FILE, JSON.parse('{"path":"/a","__proto__":{}}') as Record<string, unknown>).messages.join()).toContain(
      'unknown argument "__proto__"',
    );
    expect(check({ type: 'object', properties: {} }, { constructor: 1 }).messages.join()).toContain('unknown argument "constructor"');
  });

  it('are refused where one is missing, has the wrong type or no allowed value', () => {
    expect(check(FILE, {}).messages.join()).toContain("must have required property 'path'");
    expect(check({ ...FILE, required: ['constructor'] }, { path: 'x' }).messages.join()).toContain("'constructor'");
    expect(check(FILE, { path: 1 }).messages.join()).toContain('path must be string');
    expect(check(FILE, { path: 'a', mode: 'x' }).messages.join()).toContain('"r", "w"');
  });

  it('may be anything where the schema lists no properties, or says that more may follow', () => {
    expect(check({ type: 'object' }, { any: 1 }).messages).toEqual([]);
    expect(check({ type: 'object', properties: {}, additionalProperties: true }, { any: 1 }).messages).toEqual([]);
    expect(
      check({ type: 'object', properties: { a: {} }, patternProperties: { '^x': {} }, additionalProperties: false }, { x1: 1 }).messages,
    ).toEqual([]);
  });

  it('are checked by the draft that the schema is written in', () => {
    const pair = { type: 'array', items: [{ type: 'string' }, { type: 'number' }] };
    const old = { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object', properties: { pair } };
    expect(check(old, { pair: ['a', 1] })).toEqual({ messages: [], broken: [] });
    expect(check(old, { pair: [1, 1] }).messages.join()).toContain('must be string');
    const recent = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: { pair: { type: 'array', prefixItems: [{ type: 'string' }] } },
    };
    expect(check(recent, { pair: [1] }).messages.join()).toContain('must be string');
    expect(
      check({ type: 'object', properties: { a: { $ref: '#/$defs/A' } }, $defs: { A: { type: 'number' } } }, { a: 'x' }).messages.join(),
    ).toContain('must be number');
  });

  it.each<[string, JsonSchema]>([
    ['refers to a schema elsewhere', { type: 'object', properties: { a: { $ref: 'https://example.invalid/x' } } }],
    ['is no schema', { type: 'objekt' }],
    ['never comes to an end', { type: 'object', properties: {}, allOf: [{ $ref: '#' }] }],
    ['is larger than any real one', { type: 'object', properties: { a: { description: 'x'.repeat(300_000) } } }],
  ])('are passed on with a warning where the schema %s', (_why, schema) => {
    const { messages, broken } = check(schema, { a: 1 });
    expect(messages).toEqual([]);
    expect(broken).toHaveLength(1);
  });

  it('are checked in time whatever the patterns of the schema', () => {
    const schema = {
      type: 'object',
      properties: { a: { type: 'string', pattern: '^(a+)+$' }, list: { type: 'array', uniqueItems: true } },
    };
    const began = performance.now();
    expect(
      check(schema, { a: `${'a'.repeat(50_000)}!`, list: Array.from({ length: 50_000 }, (_, index) => ({ index })) }).messages,
    ).toEqual([]);
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  it('are checked in time whatever the schema refers to, and are passed on with a warning where it never ends', () => {
    const doubling = Object.fromEntries(
      Array.from({ length: 40 }, (_, level) => [
        `d${level}`,
        { anyOf: [{ $ref: `#/$defs/d${level + 1}` }, { $ref: `#/$defs/d${level + 1}` }] },
      ]),
    );
    const schema = { type: 'object', properties: { a: { $ref: '#/$defs/d0' } }, $defs: { ...doubling, d40: { type: 'number' } } };
    const began = performance.now();
    const { messages, broken } = check(schema, { a: 'x' });
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(messages).toEqual([]);
    expect(broken.join()).toContain('does not come to an end');
  });

  it('never make the check itself fail, whatever JSON schema and arguments are', () => {
    const json = fc.jsonValue({ maxDepth: 4 });
    const schema = fc.dictionary(
      fc.constantFrom(
        'type',
        'properties',
        'required',
        'items',
        'anyOf',
        '$ref',
        'enum',
        'not',
        'if',
        'additionalProperties',
        'pattern',
        '$id',
        'format',
        '$defs',
      ),
      json,
    );
    fc.assert(
      fc.property(schema, fc.dictionary(fc.string(), json), (inputSchema, args) => {
        expect(Array.isArray(check(inputSchema, args).messages)).toBe(true);
      }),
    );
  });
});
