import { createClient, type ExecutorClient } from '@code-executor/sdk';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { beforeAll, expect, test } from 'vitest';
import { COMPOSED, NOT_FOR_SDK, SDK_OPERATIONS } from './support/sdk-operations.ts';
import { serviceForThisFile } from './support/service-suite.ts';
import { type TypedOperation, typeDrift } from './support/type-drift.ts';

interface Operation {
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly required?: boolean; readonly schema: unknown }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: unknown }>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly schema: unknown }>> }>>;
}

const { service } = serviceForThisFile();
const operations = new Map<string, Operation>();
let components: unknown;

beforeAll(async () => {
  const { body } = await service().get('/openapi.json');
  const document = body as { paths: Record<string, Record<string, Operation>>; components: unknown };
  ({ components } = document);
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) operations.set(`${method.toUpperCase()} ${path}`, operation);
  }
});

test('the SDK has a method for every operation of a running service, and none for what is not there', () => {
  const published = [...operations.keys()].filter((name) => !NOT_FOR_SDK.test(name)).sort();
  expect(Object.keys(SDK_OPERATIONS).sort()).toEqual(published);
  const methods = [...Object.values(SDK_OPERATIONS).map(({ method }) => method), ...COMPOSED];
  expect(methodsOf(createClient()).sort()).toEqual(methods.sort());
});

test('each method sends what its operation takes, and nothing else', async () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  for (const [name, { call }] of Object.entries(SDK_OPERATIONS)) {
    const sent = await requestOf(call);
    const operation = operations.get(name);
    const [method, path = ''] = name.split(' ');
    expect(
      [sent.method, new RegExp(`^${path.replaceAll(/\{\*\}/g, '.+').replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(sent.path)],
      name,
    ).toEqual([method, true]);
    const known = (operation?.parameters ?? []).filter((parameter) => parameter.in === 'query');
    expect(
      known.map((parameter) => parameter.name),
      name,
    ).toEqual(expect.arrayContaining(sent.query));
    expect(sent.query, name).toEqual(expect.arrayContaining(known.filter(({ required }) => required).map((parameter) => parameter.name)));
    const schema = jsonSchemaOf(operation?.requestBody);
    if (schema !== undefined && sent.body !== undefined) {
      const validate = ajv.compile(schema as object);
      expect(validate(sent.body), `${name}: ${JSON.stringify(validate.errors)}`).toBe(true);
    } else expect(sent.body, name).toBeUndefined();
  }
});

test('what methods take and answer has the types that the service publishes', () => {
  const typed = Object.entries(SDK_OPERATIONS).flatMap(([name, { method, body, query, own, isRaw }]): TypedOperation[] => {
    const operation = operations.get(name);
    if (operation === undefined) return [];
    const parameters = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query');
    return [
      {
        name,
        method: `C${method
          .split('.')
          .map((part) => `['${part}']`)
          .join('')}`,
        answer: isRaw ? undefined : jsonSchemaOf(operation.responses['200'] ?? operation.responses['201']),
        body: jsonSchemaOf(operation.requestBody),
        query: {
          type: 'object',
          properties: Object.fromEntries(parameters.map((parameter) => [parameter.name, parameter.schema])),
          // Lists and filters all have defaults.
          additionalProperties: false,
        },
        bodyType: body,
        queryType: query,
        ownMembers: own ?? [],
      },
    ];
  });
  expect(typed.length).toBeGreaterThan(30);
  expect(typeDrift(typed)).toEqual([]);
});

test('a member that the SDK lacks, and a type that changed, are found', () => {
  const check = (answer: unknown) =>
    typeDrift([
      {
        name: 'x',
        method: "C['keys']['revoke']",
        answer,
        body: undefined,
        query: undefined,
        bodyType: undefined,
        queryType: undefined,
        ownMembers: [],
      },
    ]);
  const key = jsonSchemaOf(operations.get('DELETE /keys/{id}')?.responses['200']) as {
    properties: Record<string, unknown>;
    required: string[];
  };
  expect(check(key)).toEqual([]);
  expect(check({ ...key, properties: { ...key.properties, colour: { type: 'string' } } }).join()).toContain('colour');
  expect(check({ ...key, properties: { ...key.properties, name: { type: 'number' } } }).join()).toContain('number');
  expect(check({ ...key, properties: { ...key.properties, role: { enum: ['admin', 'guest'] } } }).join()).toContain('guest');
});

function jsonSchemaOf(part: { readonly content?: Readonly<Record<string, { readonly schema: unknown }>> } | undefined): unknown {
  const schema = part?.content?.['application/json']?.schema;
  // References lead to the document's components.
  return typeof schema === 'object' && schema !== null ? { ...schema, components } : schema;
}

/** Methods by their names, `keys.list` and the like. */
function methodsOf(node: object, prefix = ''): string[] {
  return Object.entries(node).flatMap(([name, value]) =>
    typeof value === 'function'
      ? [`${prefix}${name}`]
      : typeof value === 'object' && value !== null
        ? methodsOf(value, `${prefix}${name}.`)
        : [],
  );
}

async function requestOf(call: (client: ExecutorClient) => unknown) {
  let sent: { method: string; path: string; query: string[]; body: unknown } | undefined;
  const client = createClient({
    retries: 0,
    fetch: async (address, { method = 'GET', body } = {}) => {
      const url = new URL(String(address));
      const json = typeof body === 'string' && body.startsWith('{');
      sent ??= { method, path: decodeURI(url.pathname), query: [...url.searchParams.keys()], body: json ? JSON.parse(body) : undefined };
      return new Response('event: ended\nid: 1\ndata: {}\n\n{}', { status: 418 });
    },
  });
  await Promise.resolve(call(client)).catch(() => undefined);
  if (sent === undefined) throw new Error(`${call} sent nothing`);
  return sent;
}
