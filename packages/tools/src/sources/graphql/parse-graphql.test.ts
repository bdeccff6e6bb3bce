import { existsSync, readFileSync } from 'node:fs';
import { buildSchema, type GraphQLSchema, introspectionFromSchema, parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import { documentFixtures } from '../../../../../test/support/document-fixtures.ts';
import { createArgumentValidator } from '../../calls/argument-validator.ts';
import type { ParsedSource } from '../port.ts';
import type { GraphqlBinding } from './binding.ts';
import { buildOperation } from './build-operation.ts';
import { graphqlKind } from './graphql-kind.ts';

const FIXTURES = `${documentFixtures()}/graphql/`;
const COUNTS = { github: [31, 247], saleor: [73, 256], swapi: [13, 0] } as const;

const read = (text: string, url: string | null = null): Promise<ParsedSource<GraphqlBinding>> =>
  graphqlKind.parse({ text, url }, { fetchText: () => Promise.reject(new Error('nothing is fetched')), onProgress: () => undefined });

const sdl = (text: string): string => text;
const tool = async (text: string, name: string) => {
  const found = (await read(text)).tools.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no tool ${name}`);
  return found;
};

/** Counted in the text itself, by the lines that begin a field of the root type. */
function countFields(text: string, type: string): number {
  const body = new RegExp(`^type ${type}[^{]*\\{\\n([\\s\\S]*?)^\\}`, 'm').exec(text)?.[1] ?? '';
  const bare = body.replace(/"""[\s\S]*?"""/g, '').replace(/\([^()]*(?:\([^()]*\)[^()]*)*\)/g, '');
  return bare.split('\n').filter((line) => /^\s{2}\w+\s*:/.test(line)).length;
}

function invalidOperations(schema: GraphQLSchema, { tools }: ParsedSource<GraphqlBinding>): string[] {
  return tools.flatMap(({ name, binding }) =>
    validate(schema, parse(buildOperation(binding, {}).query)).map((problem) => `${name}: ${problem.message}`),
  );
}

describe.skipIf(!existsSync(FIXTURES))('real schemas (../shared/fixtures/graphql)', () => {
  test.each(Object.entries(COUNTS))(
    '%s becomes a tool per query and mutation, each with a valid request',
    async (name, [queries, mutations]) => {
      const text = readFileSync(`${FIXTURES}${name}.graphql`, 'utf8');
      const before = process.memoryUsage().heapUsed;
      const began = performance.now();
      const parsed = await read(text);
      const seconds = (performance.now() - began) / 1_000;
      const heapMb = (process.memoryUsage().heapUsed - before) / 1024 / 1024;
      const schema = buildSchema(text, { assumeValidSDL: true });
      expect(graphqlKind.detect({ text, url: null })).toBe('GraphQL schema');
      expect(parsed.operations).toBe(queries + mutations);
      expect(parsed.tools.filter((each) => each.name.startsWith('query.'))).toHaveLength(queries);
      expect(parsed.tools.filter((each) => each.name.startsWith('mutation.'))).toHaveLength(mutations);
      const roots = [schema.getQueryType()?.name ?? '', schema.getMutationType()?.name ?? ''];
      expect(roots.map((root) => (root === '' ? 0 : countFields(text, root)))).toEqual([queries, mutations]);
      expect(new Set(parsed.tools.map((each) => each.name)).size).toBe(parsed.tools.length);
      expect(invalidOperations(schema, parsed)).toEqual([]);
      const bytes = Math.max(...parsed.tools.map((each) => JSON.stringify(each).length));
      process.stdout.write(
        `${name}: ${Math.round(text.length / 1024)} KB, ${queries}/${mutations} operations, ${parsed.tools.length} tools, ${seconds.toFixed(2)} s, heap +${heapMb.toFixed(0)} MB, largest tool ${Math.round(bytes / 1024)} KB, failures 0\n`,
      );
    },
  );

  test.each(Object.keys(COUNTS))('the arguments of every eighth tool of %s can be checked', async (name) => {
    const uncheckable: string[] = [];
    const validator = createArgumentValidator(({ name: which }, reason) => uncheckable.push(`${which}: ${reason}`));
    const { tools } = await read(readFileSync(`${FIXTURES}${name}.graphql`, 'utf8'));
    for (const each of tools.filter((_, index) => index % 8 === 0)) validator.check({ server: name, ...each }, {});
    expect(uncheckable).toEqual([]);
  });

  test('an introspection result gives the same tools as the schema it was made of', async () => {
    const text = readFileSync(`${FIXTURES}saleor.graphql`, 'utf8');
    const introspection = introspectionFromSchema(buildSchema(text), { inputValueDeprecation: true, oneOf: true });
    for (const form of [introspection, { data: introspection }]) {
      const json = JSON.stringify(form);
      expect(graphqlKind.detect({ text: json, url: null })).toBe('GraphQL introspection result');
      const names = (await read(json)).tools.map(({ name, binding }) => [name, binding]);
      expect(Object.fromEntries(names)).toEqual(Object.fromEntries((await read(text)).tools.map(({ name, binding }) => [name, binding])));
    }
  });
});

const SCHEMA = sdl(`
  "A user of the shop"
  type User implements Node { id: ID! name: String! email: String secret(password: String!): String old: String @deprecated friends: [User!]! orders(first: Int): OrderConnection! role: Role! }
  interface Node { id: ID! }
  type Order implements Node { id: ID! total: Float owner: User! items: [Item] }
  type Item { name: String! order: Order! }
  type OrderConnection { edges: [OrderEdge!]! nodes: [Order!] pageInfo: PageInfo! totalCount: Int! }
  type OrderEdge { cursor: String! node: Order! }
  type PageInfo { hasNextPage: Boolean! endCursor: String }
  union Found = User | Order | Odd
  type Odd { id: Int! name: [String] }
  enum Role { ADMIN GUEST }
  input Filter { and: [Filter!] name: String = "x" role: Role at: DateTime! }
  input Pick @oneOf { id: ID name: String }
  scalar DateTime
  scalar Anything
  scalar Upload
  type Payload { user: User errors: [String!]! }
  type Query {
    "Finds a user"
    user(id: ID!): User
    me: User @deprecated(reason: "use user")
    orders(first: Int, filter: Filter): OrderConnection!
    search(text: String!, select: String): [Found!]!
    version: String!
    node(id: ID!): Node
    pick(by: Pick!): Anything
    add(numbers: [Int!]!): Int
  }
  type Mutation { rename(id: ID!, name: String): Payload! upload(file: Upload!): Payload user(id: ID!): Payload }
  type Subscription { ticks: Int happened: Order }
`);

describe('tools', () => {
  test('every request that is made of a schema with pages, unions and cycles is valid', async () => {
    const parsed = await read(SCHEMA);
    expect(invalidOperations(buildSchema(SCHEMA), parsed)).toEqual([]);
    expect(parsed.tools.map(({ name }) => name)).toEqual([
      ...['user', 'me', 'orders', 'search', 'version', 'node', 'pick', 'add'].map((name) => `query.${name}`),
      ...['rename', 'upload', 'user'].map((name) => `mutation.${name}`),
    ]);
    expect(parsed.warnings).toEqual(['Subscriptions are streams and become no tools: ticks, happened']);
  });

  test('queries are read-only and mutations are not', async () => {
    const { tools } = await read(SCHEMA);
    for (const { name, annotations } of tools) expect([name, annotations.readOnlyHint]).toEqual([name, name.startsWith('query.')]);
  });

  test('ask for plain values, for what lies below to a depth, and for nothing that needs an argument', async () => {
    const selection = (await tool(SCHEMA, 'query.user')).binding.selection;
    expect(selection).toBe('id name email role');
    expect((await tool(SCHEMA, 'mutation.rename')).binding.selection).toBe('user { id name email role } errors');
    expect((await tool(SCHEMA, 'query.version')).binding).toMatchObject({ selection: null, selectArgument: null });
  });

  test('ask a list that comes in pages for its objects and for the way to the next page', async () => {
    expect((await tool(SCHEMA, 'query.orders')).binding.selection).toBe(
      'totalCount nodes { id total owner { id name email role } items { name } } pageInfo { hasNextPage endCursor }',
    );
  });

  test('ask a union for each of its types, and take a name only where it means one type', async () => {
    const { binding, outputSchema, inputSchema } = await tool(SCHEMA, 'query.search');
    expect(binding.selection).toBe('__typename ... on User { id name email role } ... on Order { id total }');
    expect(binding.selectArgument).toBe('selection');
    expect(outputSchema).toMatchObject({ type: 'array', items: { type: 'object', required: ['__typename'] } });
    expect(Object.keys((inputSchema as { properties: object }).properties)).toEqual(['text', 'select', 'selection']);
  });

  test('take arguments as the schema says: lists, enums, objects that hold themselves, exactly one of several', async () => {
    const check = async (name: string, args: Record<string, unknown>) =>
      createArgumentValidator(() => undefined)
        .check({ server: 's', ...(await tool(SCHEMA, name)) }, args)
        .map(({ message }) => message);
    expect(await check('query.user', { id: 'u1' })).toEqual([]);
    expect(await check('query.user', { id: 7 })).toEqual([]);
    expect(await check('query.user', {})).toHaveLength(1);
    expect(await check('query.user', { id: 'u1', nmae: 1 })).toHaveLength(1);
    expect(await check('query.add', { numbers: [1, 2] })).toEqual([]);
    expect(await check('query.add', { numbers: [1.5] })).not.toEqual([]);
    expect(await check('query.orders', { filter: { at: 'now', and: [{ at: 'then', role: 'GUEST', name: null }] } })).toEqual([]);
    expect(await check('query.orders', { filter: { at: 'now', and: [{ at: 'then', role: 'KING' }] } })).not.toEqual([]);
    expect(await check('query.orders', { filter: {} })).not.toEqual([]);
    expect(await check('query.pick', { by: { id: 1 } })).toEqual([]);
    expect(await check('query.pick', { by: { id: 1, name: 'x' } })).not.toEqual([]);
  });

  test('keep their names when the schema grows', async () => {
    const before = (await read('type Query { a: Int b: Int }')).tools.map(({ name }) => name);
    const after = (await read('type Query { z: Int b: Int a: Int } type Mutation { a: Int }')).tools.map(({ name }) => name);
    expect(after).toEqual(expect.arrayContaining(before));
  });

  test('say what there is to select', async () => {
    const { inputSchema, description } = await tool(SCHEMA, 'query.user');
    expect(description).toBe('Finds a user');
    const { select } = (inputSchema as { properties: { select: { description: string } } }).properties;
    expect(select.description).toContain('Its fields: id, name, email, secret, old, friends, orders, role');
  });
});

describe('documents that are wrong', () => {
  test.each([
    ['type Query { a: Int', 'line 1, column 20'],
    ['type Query {\n  a: Missing\n}', 'line 2, column 6'],
    ['type Query { a: Int }\ntype Query { b: Int }', 'line 1, column 6'],
    ['type Foo { a: Int }', 'no query and no mutation'],
    ['{"__schema": {"types": []}}', 'no query and no mutation'],
    ['{"data": {}}', 'no introspection result'],
    ['{', 'not JSON'],
    ['', 'line 1'],
    [`type Query { a${': ['.repeat(100_000)} }`, 'cannot be read'],
  ])('are refused with their place (%#)', async (text, where) => {
    await expect(read(text)).rejects.toMatchObject({ code: 'INTEGRATION_INVALID', message: expect.stringContaining(where) });
  });

  test('directives that nobody has defined do not stand in the way', async () => {
    const { tools, warnings } = await read('type Query @key(fields: "id") { a: Int @aws_auth(groups: ["x"]) }');
    expect([tools.length, warnings]).toEqual([1, ['line 1, column 12: Unknown directive "@key".', expect.stringContaining('aws_auth')]]);
  });

  test('other kinds of documents are not taken for schemas', () => {
    for (const text of [
      'openapi: 3.0.0\ninfo:\n  description: |\n    type Foo {',
      '{"openapi":"3.1.0"}',
      '{"swagger":"2.0"}',
      '<html></html>',
      'type: object',
      'hello',
      '',
      '{',
      '\u0000',
    ])
      expect([text, graphqlKind.detect({ text, url: null })]).toEqual([text, null]);
    for (const text of [
      'schema { query: Q }',
      '# x\n"""doc"""\ntype Query {',
      'extend type Query @x {',
      '\uFEFFunion A = B | C',
      'scalar Date',
    ])
      expect([text, graphqlKind.detect({ text, url: null })]).toEqual([text, 'GraphQL schema']);
  });
});
