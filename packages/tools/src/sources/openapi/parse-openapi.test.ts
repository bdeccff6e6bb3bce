import { isAppError } from '@code-executor/platform';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openApiKind } from './openapi-kind.ts';
import { documentOf, parseText, toolOf } from './testing/parse-text.ts';

/** A little of everything, so that a change anywhere meets the code that reads it. */
const KITCHEN = {
  openapi: '3.1.0',
  info: { title: 'Kitchen', version: '1' },
  servers: [{ url: 'https://{host}/v1', variables: { host: { default: 'api.example', enum: ['api.example'] } } }],
  security: [{ key: [] }],
  paths: {
    '/pots/{id}': {
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'integer', format: 'int64' } }],
      get: {
        tags: ['pots'],
        operationId: 'pots_get',
        summary: 'Get',
        parameters: [
          { $ref: '#/components/parameters/Filter' },
          { name: 'x', in: 'header', content: { 'application/json': { schema: true } } },
        ],
        responses: { 200: { description: 'ok', content: { 'application/json': { schema: { $ref: '#/components/schemas/Pot' } } } } },
      },
      put: {
        requestBody: {
          required: true,
          content: {
            'multipart/form-data': {
              schema: {
                type: 'object',
                properties: { file: { type: 'string', format: 'binary' }, meta: { $ref: '#/components/schemas/Pot' } },
              },
              encoding: { meta: { contentType: 'application/json', style: 'form', explode: true } },
            },
          },
        },
        responses: { 204: { description: 'done' }, default: { $ref: '#/components/responses/Oops' } },
      },
    },
  },
  components: {
    parameters: { Filter: { name: 'filter', in: 'query', style: 'deepObject', explode: true, schema: { type: 'object' } } },
    responses: { Oops: { description: 'oops', content: { 'application/problem+json': {} } } },
    securitySchemes: {
      key: { type: 'apiKey', in: 'header', name: 'x-key' },
      oauth: { type: 'oauth2', flows: { implicit: { scopes: { a: '' } } } },
    },
    schemas: {
      Pot: {
        allOf: [
          { $ref: '#/components/schemas/Thing' },
          { type: 'object', properties: { lid: { oneOf: [{ $ref: '#/components/schemas/Pot' }, { type: 'null' }] } } },
        ],
        discriminator: { propertyName: 'kind', mapping: { pot: '#/components/schemas/Pot' } },
      },
      Thing: {
        type: 'object',
        required: ['kind'],
        properties: { kind: { type: 'string', enum: ['pot'] }, at: { type: ['string', 'null'], readOnly: true } },
      },
    },
  },
};

const SWAGGER = {
  swagger: '2.0',
  info: { title: 'Old', version: '1' },
  host: 'api.example',
  basePath: '/v1',
  schemes: ['https'],
  consumes: ['multipart/form-data'],
  produces: ['application/json'],
  securityDefinitions: { basic: { type: 'basic' }, oauth: { type: 'oauth2', flow: 'accessCode', scopes: {} } },
  paths: {
    '/a/{id}': {
      post: {
        parameters: [
          { name: 'id', in: 'path', type: 'string', required: true },
          { name: 'ids', in: 'query', type: 'array', items: { type: 'string' }, collectionFormat: 'pipes' },
          { name: 'file', in: 'formData', type: 'file' },
        ],
        responses: { 200: { description: 'ok', schema: { $ref: '#/definitions/A' } } },
      },
      patch: { parameters: [{ name: 'b', in: 'body', schema: { $ref: '#/definitions/A' } }], responses: {} },
    },
  },
  definitions: { A: { type: 'object', 'x-nullable': true, properties: { a: { $ref: '#/definitions/A' } } } },
};

/** The document with its n-th node replaced. */
function spoiled(document: unknown, at: number, value: unknown): unknown {
  let count = 0;
  const walk = (node: unknown): unknown => {
    count += 1;
    if (count === at) return value;
    if (Array.isArray(node)) return node.map(walk);
    if (typeof node !== 'object' || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([key, child]) => [key, walk(child)]));
  };
  return walk(document);
}

async function parsesOrRefuses(text: string): Promise<void> {
  expect(() => openApiKind.detect({ text, url: null })).not.toThrow();
  try {
    const { tools } = await parseText(text);
    expect(tools.length).toBeGreaterThan(0);
    for (const tool of tools) JSON.stringify(tool);
  } catch (error) {
    if (!isAppError(error, 'INTEGRATION_INVALID')) throw error;
    expect(error.message.length).toBeLessThan(1_000);
  }
}

describe('reading a document', () => {
  test('any node of it may be anything: it is read, or refused as invalid', async () => {
    const junk = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom<unknown>(
        null,
        [],
        {},
        '',
        0,
        true,
        [null],
        { $ref: '#' },
        { $ref: '#/paths' },
        { $ref: 5 },
        '__proto__',
        { __proto__: 1 },
        [[]],
        'a\nb',
        '\ud800',
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(KITCHEN, SWAGGER), fc.integer({ min: 1, max: 160 }), junk, async (document, at, value) =>
        parsesOrRefuses(JSON.stringify(spoiled(document, at, value))),
      ),
      { numRuns: 1_500 },
    );
  });

  test('any text is read, or refused as invalid', async () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(
        'openapi: 3.0.0\n',
        'swagger: "2.0"\n',
        'paths:\n',
        '  /a:\n',
        '    get: {}\n',
        '&a ',
        '*a',
        '<<: ',
        '{',
        '}',
        '[',
        '"',
        '- ',
        '? ',
        '!!set ',
        '%YAML 1.1\n---\n',
        '\0',
        '|\n',
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 20 }), async (pieces) => parsesOrRefuses(pieces.join(''))),
      { numRuns: 600 },
    );
  });

  test.each([
    ['an empty text', '', /is empty/],
    ['broken JSON', '{"openapi": "3.0.0",\n "paths": {"/a" }}', /line 2 column 17/],
    ['broken YAML', 'openapi: 3.0.0\npaths:\n  /a: [1, 2\n', /no valid YAML.*line \d+ column \d+/],
    ['a list', '[1]', /no object/],
    ['a version nobody knows', '{"openapi":"4.0.0","paths":{}}', /version "4.0.0".*2.0, 3.0 and 3.1/],
    ['another format', '{"hello":1}', /neither "openapi" nor "swagger"/],
    ['no paths', '{"openapi":"3.0.0"}', /\/paths is missing/],
    ['paths of the wrong type', '{"openapi":"3.0.0","paths":[]}', /\/paths is no object/],
    ['webhooks alone', '{"openapi":"3.1.0","webhooks":{}}', /webhooks only/],
    ['paths without methods', '{"openapi":"3.0.0","paths":{"/a":{"summary":"x"}}}', /no path under \/paths has a method/],
    [
      'aliases without end',
      `a: &a [x,x,x,x,x,x,x,x,x,x]\n${'bcdefghij'.replace(/./g, (key, at: number) => `${key}: &${key} [${`*${'abcdefghij'[at]},`.repeat(10)}]\n`)}`,
      /valid YAML|neither/,
    ],
    ['deep nesting', `${'['.repeat(200_000)}`, /no valid JSON|nests too deep/],
  ])('%s is refused with where and why', async (_, text, message) => {
    await expect(parseText(text)).rejects.toMatchObject({ code: 'INTEGRATION_INVALID', message: expect.stringMatching(message) });
  });

  test('a schema that nests without end is cut, not followed', async () => {
    let schema: unknown = { type: 'string' };
    for (let depth = 0; depth < 3_000; depth += 1) schema = { type: 'array', items: schema };
    const tool = await toolOf(documentOf({ requestBody: { content: { 'application/json': { schema } } } }));
    expect(JSON.stringify(tool.inputSchema).length).toBeLessThan(10_000);
  });

  test('aliases that multiply are bounded in the schemas they come to', async () => {
    const names = Array.from({ length: 30 }, (_, at) => `p${at}`);
    const wide = (target: string) => `{type: object, properties: {${names.map((name) => `${name}: ${target}`).join(', ')}}}`;
    const text = `openapi: 3.0.0\nx-a: &a ${wide('{type: string, description: A long enough text}')}\nx-b: &b ${wide('*a')}\nx-c: &c ${wide('*b')}
paths:\n  /a:\n    post:\n      requestBody: {content: {application/json: {schema: *c}}}\n      responses: {}\n`;
    const { tools } = await parseText(text);
    expect(JSON.stringify(tools[0]?.inputSchema).length).toBeLessThan(30_000);
  });

  test('YAML and JSON of the same document make the same tools', async () => {
    const yaml = `
openapi: 3.0.3
info: {title: Things, version: '1'}
servers: [{url: https://api.example/v1}]
paths:
  /things:
    post:
      operationId: create
      x-shared: &shared {type: string, description: A name.}
      parameters: [{name: name, in: query, schema: {<<: *shared}}]
      responses: {200: {description: ok}}
`;
    const parameters = [{ name: 'name', in: 'query', schema: { type: 'string', description: 'A name.' } }];
    const fromJson = await parseText(documentOf({ operationId: 'create', parameters, responses: { 200: { description: 'ok' } } }));
    expect(await parseText(yaml)).toEqual(fromJson);
  });

  test('a document of several files is followed through them, round in circles too', async () => {
    const files = {
      'https://api.example/specs/paths/things.yaml':
        "get:\n  operationId: list\n  parameters: [{$ref: '../parameters.json#/page'}]\n  responses:\n    '200': {content: {application/json: {schema: {$ref: '../schemas.json#/Thing'}}}}\n",
      'https://api.example/specs/parameters.json': { page: { name: 'page', in: 'query', schema: { type: 'integer' } } },
      'https://api.example/specs/schemas.json': {
        Thing: { type: 'object', properties: { owner: { $ref: 'https://api.example/specs/people.json' } } },
      },
      'https://api.example/specs/people.json': {
        type: 'object',
        properties: { things: { type: 'array', items: { $ref: 'schemas.json#/Thing' } } },
      },
    };
    const tool = await toolOf({ openapi: '3.0.0', paths: { '/things': { $ref: 'paths/things.yaml' } } }, files);
    expect(tool.name).toBe('list');
    expect(tool.inputSchema).toMatchObject({ properties: { page: { type: 'integer' } } });
    const text = JSON.stringify(tool.outputSchema);
    expect(text).toMatch(/"owner":\{"\$ref":"#\/\$defs\/people_[0-9a-f]{6}"\}/);
    expect(Object.keys((tool.outputSchema as { $defs: object }).$defs)).toHaveLength(2);
  });

  test.each([
    ['a file that is not there', 'missing.yaml', /\$ref "missing.yaml#\/a".*cannot be followed: no file/],
    ['a file of the machine', 'file:///etc/passwd', /cannot be followed: only http and https/],
  ])('%s is named', async (_, file, message) => {
    const document = documentOf({ parameters: [{ $ref: `${file}#/a` }] });
    await expect(parseText(document)).rejects.toMatchObject({ code: 'INTEGRATION_INVALID', message: expect.stringMatching(message) });
  });

  test('an upload that refers to files says that it has no address', async () => {
    const document = documentOf({ parameters: [{ $ref: './parameters.yaml#/a' }] });
    await expect(parseText(document, {}, null)).rejects.toThrow(/an uploaded document has no address.*give the document by its url/);
  });

  test('files without end are refused', async () => {
    const chain = Object.fromEntries(
      Array.from({ length: 300 }, (_, at) => [`https://api.example/specs/${at}.json`, { next: { $ref: `${at + 1}.json` } }]),
    );
    await expect(parseText({ openapi: '3.0.0', 'x-a': { $ref: '0.json' }, paths: {} }, chain)).rejects.toThrow(/more than 200 files/);
  });

  test('a reference that leads nowhere costs its own value, and is named', async () => {
    const { tools, warnings } = await parseText(
      documentOf({
        requestBody: { content: { 'application/json': { schema: { type: 'object', properties: { a: { $ref: '#/nowhere' } } } } } },
      }),
    );
    expect(tools[0]?.inputSchema).toMatchObject({ properties: { body: { properties: { a: true } } } });
    expect(warnings).toEqual([expect.stringContaining('#/nowhere')]);
  });

  test.each([
    ['absolute', { servers: [{ url: 'https://api.example/v1/' }] }, 'https://api.example/v1'],
    ['relative', { servers: [{ url: '/v3' }] }, 'https://api.example/v3'],
    [
      'with variables',
      { servers: [{ url: 'https://{a}.x/{b}', variables: { a: { default: 'eu' }, b: { enum: ['v2'] } } }] },
      'https://eu.x/v2',
    ],
    ['a variable nobody defines', { servers: [{ url: 'https://{a}.x' }, { url: 'https://b.x' }] }, 'https://b.x'],
    ['not there', { servers: [] }, 'https://api.example'],
  ])('servers: %s', async (_, more, baseUrl) => {
    expect((await parseText(documentOf({}, more))).baseUrl).toBe(baseUrl);
  });

  test.each([
    [{ host: 'h.example', basePath: '/v1', schemes: ['http', 'https'] }, 'https://h.example/v1'],
    [{ host: 'h.example:8080', schemes: ['http'] }, 'http://h.example:8080'],
    [{ basePath: '/v1' }, 'https://api.example/v1'],
    [{}, 'https://api.example'],
  ])('servers of 2.0: %j', async (more, baseUrl) => {
    expect((await parseText({ swagger: '2.0', paths: { '/a': { get: {} } }, ...more })).baseUrl).toBe(baseUrl);
  });
});
