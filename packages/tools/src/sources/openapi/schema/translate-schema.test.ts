import type { JsonSchema } from '@code-executor/contracts';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { documentOf, toolOf } from '../testing/parse-text.ts';

/** What a schema becomes as the body of a request, and as its answer. */
async function translated(
  schema: unknown,
  { schemas = {}, openapi = '3.0.3' }: { schemas?: Record<string, unknown>; openapi?: string } = {},
) {
  const content = { content: { 'application/json': { schema } } };
  const { inputSchema, outputSchema } = await toolOf({
    ...documentOf({ requestBody: content, responses: { 200: content } }, { components: { schemas } }),
    openapi,
  });
  const { properties, $defs } = inputSchema as { properties: { body: JsonSchema }; $defs?: Record<string, JsonSchema> };
  return { input: properties.body, $defs, output: outputSchema, whole: inputSchema };
}

const accepts = (schema: JsonSchema, value: unknown): boolean => {
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv as unknown as Parameters<typeof addFormats.default>[0]);
  return ajv.validate(schema, value);
};

describe('schemas of a document as JSON Schema 2020-12', () => {
  test.each<[string, unknown, unknown]>([
    ['nullable', { type: 'string', nullable: true }, { type: ['string', 'null'] }],
    ['nullable with values', { type: 'string', nullable: true, enum: ['a'] }, { type: ['string', 'null'], enum: ['a', null] }],
    ['nullable of a composition', { nullable: true, anyOf: [{ type: 'string' }] }, { anyOf: [{ type: 'string' }, { type: 'null' }] }],
    [
      'exclusive bounds as switches',
      { type: 'number', minimum: 1, exclusiveMinimum: true, maximum: 9, exclusiveMaximum: false },
      { type: 'number', exclusiveMinimum: 1, maximum: 9 },
    ],
    ['an example', { type: 'string', example: 'x' }, { type: 'string', examples: ['x'] }],
    ['values that YAML took the quotes of', { type: 'string', enum: [1, true, 'a'] }, { type: 'string', enum: ['1', 'true', 'a'] }],
    ['a fraction as multipleOf, which no number is of', { type: 'number', multipleOf: 0.01 }, { type: 'number' }],
    ['keywords of the wrong type', { type: 'no', required: true, minLength: 'x', enum: [], items: 5, properties: null, pattern: 5 }, {}],
    [
      'what only tools read',
      { type: 'object', xml: {}, externalDocs: {}, 'x-a': 1, discriminator: { propertyName: 'a' } },
      { type: 'object' },
    ],
    [
      'oneOf, whose branches overlap in practice',
      { oneOf: [{ type: 'string' }, { type: 'integer' }] },
      { anyOf: [{ type: 'string' }, { type: 'integer' }] },
    ],
    [
      'allOf of objects',
      {
        allOf: [
          { type: 'object', required: ['a'], properties: { a: { type: 'string' } } },
          { properties: { b: {} }, additionalProperties: false },
        ],
      },
      { type: 'object', required: ['a'], properties: { a: { type: 'string' }, b: {} } },
    ],
    ['allOf around one', { description: 'D.', allOf: [{ type: 'string' }] }, { type: 'string', description: 'D.' }],
    ['allOf of others', { allOf: [{ type: 'string' }, { maxLength: 3 }] }, { allOf: [{ type: 'string' }, { maxLength: 3 }] }],
    [
      'a property that everything inherits',
      JSON.parse('{"type":"object","properties":{"__proto__":{"type":"string"},"constructor":{"type":"string"}}}'),
      JSON.parse('{"type":"object","properties":{"__proto__":{"type":"string"},"constructor":{"type":"string"}}}'),
    ],
  ])('%s', async (_, schema, expected) => {
    expect((await translated(schema)).input).toEqual(expected);
  });

  test.each<[string, unknown, unknown]>([
    ['lists of types', { type: ['integer', 'null'] }, { type: ['integer', 'null'] }],
    ['numbers as exclusive bounds', { exclusiveMinimum: 3 }, { exclusiveMinimum: 3 }],
    ['const', { const: 'x' }, { const: 'x' }],
    [
      'tuples',
      { type: 'array', prefixItems: [{ type: 'string' }], items: false },
      { type: 'array', prefixItems: [{ type: 'string' }], items: false },
    ],
    [
      'schemas that are true or false',
      { type: 'object', properties: { a: true, b: false } },
      { type: 'object', properties: { a: true, b: false } },
    ],
  ])('3.1: %s', async (_, schema, expected) => {
    expect((await translated(schema, { openapi: '3.1.0' })).input).toEqual(expected);
  });

  test('what is read-only is not sent, what is write-only does not come back', async () => {
    const schemas = { Id: { type: 'string', readOnly: true } };
    const schema = {
      type: 'object',
      required: ['id', 'secret', 'name'],
      properties: { id: { $ref: '#/components/schemas/Id' }, secret: { type: 'string', writeOnly: true }, name: { type: 'string' } },
    };
    const { input, output } = await translated(schema, { schemas });
    expect(input).toEqual({
      type: 'object',
      required: ['secret', 'name'],
      properties: { secret: { type: 'string' }, name: { type: 'string' } },
    });
    expect(output).toEqual({ type: 'object', required: ['id', 'name'], properties: { id: { type: 'string' }, name: { type: 'string' } } });
  });

  test('a schema that holds itself stays a reference, and is checked at every depth', async () => {
    const schemas = {
      Node: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string' }, children: { type: 'array', items: { $ref: '#/components/schemas/Node' } } },
      },
    };
    const { whole, output } = await translated({ $ref: '#/components/schemas/Node' }, { schemas });
    expect(accepts(whole, { body: { name: 'a', children: [{ name: 'b', children: [{ name: 'c' }] }] } })).toBe(true);
    expect(accepts(whole, { body: { name: 'a', children: [{ name: 'b', children: [{ nam: 'c' }] }] } })).toBe(false);
    expect(output).toMatchObject({
      type: 'object',
      properties: { children: { items: { $ref: '#/$defs/Node' } } },
      $defs: { Node: { type: 'object' } },
    });
  });

  test.each<[string, Record<string, unknown>]>([
    ['a reference to itself', { A: { $ref: '#/components/schemas/A' } }],
    ['two that refer to each other and nothing else', { A: { $ref: '#/components/schemas/B' }, B: { $ref: '#/components/schemas/A' } }],
    [
      'an allOf of itself',
      { A: { allOf: [{ $ref: '#/components/schemas/A' }, { type: 'object', properties: { x: { type: 'string' } } }] } },
    ],
    [
      'allOf in a circle',
      { A: { allOf: [{ $ref: '#/components/schemas/B' }] }, B: { allOf: [{ $ref: '#/components/schemas/A' }, { type: 'object' }] } },
    ],
  ])('%s comes to an end', async (_, schemas) => {
    const { whole } = await translated({ $ref: '#/components/schemas/A' }, { schemas });
    expect(JSON.stringify(whole).length).toBeLessThan(2_000);
    const ajv = new Ajv2020({ strict: false });
    expect(() => ajv.compile(whole)).not.toThrow();
  });

  test('a discriminator says by which value a branch is meant', async () => {
    const schemas = {
      Cat: { type: 'object', properties: { kind: { type: 'string' }, lives: { type: 'integer' } } },
      Dog: { type: 'object', properties: { kind: { type: 'string' } } },
    };
    const schema = {
      oneOf: [{ $ref: '#/components/schemas/Cat' }, { $ref: '#/components/schemas/Dog' }],
      discriminator: { propertyName: 'kind', mapping: { kitty: '#/components/schemas/Cat', tom: 'Cat' } },
    };
    const { whole } = await translated(schema, { schemas });
    expect(accepts(whole, { body: { kind: 'tom', lives: 9 } })).toBe(true);
    expect(accepts(whole, { body: { kind: 'Dog' } })).toBe(true);
    expect(accepts(whole, { body: { kind: 'fish' } })).toBe(false);
  });

  test('3.1: what stands beside a reference counts', async () => {
    const schemas = { A: { type: 'object', properties: { a: { type: 'string' } } } };
    const { input } = await translated(
      { $ref: '#/components/schemas/A', required: ['a'], description: 'Mine.' },
      { schemas, openapi: '3.1.0' },
    );
    expect(input).toEqual({ type: 'object', description: 'Mine.', properties: { a: { type: 'string' } }, required: ['a'] });
  });

  test('a reference into a schema, and one by anchor, are found', async () => {
    const schemas = {
      A: { type: 'object', properties: { inner: { type: 'object', properties: { x: { type: 'integer' } } } } },
      B: { $anchor: 'bee', type: 'object', properties: { y: {} } },
    };
    const schema = { type: 'object', properties: { a: { $ref: '#/components/schemas/A/properties/inner' }, b: { $ref: '#bee' } } };
    const { $defs, whole } = await translated(schema, { schemas, openapi: '3.1.0' });
    expect(Object.values($defs ?? {})).toEqual([
      { type: 'object', properties: { x: { type: 'integer' } } },
      { type: 'object', properties: { y: {} } },
    ]);
    expect(accepts(whole, { body: { a: { x: 'no' } } })).toBe(false);
  });

  test('a schema of a thousand others is cut where it says least, and lets through what it no longer describes', async () => {
    const schemas = Object.fromEntries(
      Array.from({ length: 400 }, (_, at) => [
        `S${at}`,
        {
          type: 'object',
          description: 'd'.repeat(300),
          required: ['name'],
          properties: {
            name: { type: 'string' },
            next: { $ref: `#/components/schemas/S${(at + 1) % 400}` },
            other: { $ref: `#/components/schemas/S${(at * 7) % 400}` },
          },
        },
      ]),
    );
    const { whole } = await translated({ $ref: '#/components/schemas/S0' }, { schemas });
    expect(JSON.stringify(whole).length).toBeLessThan(30_000);
    expect(accepts(whole, { body: { name: 'a', next: { name: 'b' } } })).toBe(true);
    expect(accepts(whole, { body: { name: 'a', next: { nam: 'b' } } })).toBe(false);
    let deep: Record<string, unknown> = { name: 'end', next: { anything: 1 } };
    for (let level = 0; level < 200; level += 1) deep = { name: 'x', next: deep };
    expect(accepts(whole, { body: deep })).toBe(true);
  });
});
