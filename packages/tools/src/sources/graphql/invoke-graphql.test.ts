import { AppError } from '@code-executor/platform';
import fc from 'fast-check';
import { buildSchema, parse, print, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Credential } from '../../connections/port.ts';
import { createOutboundHttp } from '../../outbound/outbound-http.ts';
import { type GraphqlUpstream, startGraphqlUpstream } from '../../testing/graphql-upstream.ts';
import { startUpstream } from '../../testing/upstream.ts';
import type { InvokeResult, SourceTool } from '../port.ts';
import type { GraphqlBinding } from './binding.ts';
import { callerSelection } from './caller-selection.ts';
import { graphqlKind } from './graphql-kind.ts';
import { parseGraphql } from './parse-graphql.ts';

const SCHEMA = `
  type Book { id: ID! title: String! pages: Int broken: String author: Author! }
  type Author { name: String! books: [Book!]! }
  input Draft { title: String! tags: [String!] }
  scalar Upload
  type Query { book(id: ID!): Book books(first: Int): [Book!]! version: String! fails: String failsHalf: Book! }
  type Mutation { write(draft: Draft!): Book! attach(id: ID!, file: Upload!, more: [Upload!]): Boolean! }
`;
const AUTHOR = { name: 'Ada', books: [] };
const BOOK = { id: 'b1', title: 'Engines', pages: 7, author: AUTHOR };
const ROOT = {
  book: ({ id }: { id: string }) => (id === 'b1' ? BOOK : null),
  books: [BOOK],
  version: '3',
  fails: () => {
    throw new Error('no such luck');
  },
  failsHalf: { ...BOOK, pages: () => Promise.reject(new Error('pages are secret')) },
  write: ({ draft }: { draft: { title: string } }) => ({ ...BOOK, title: draft.title }),
  attach: true,
};

const http = createOutboundHttp({ allow: [], strict: false });
let upstream: GraphqlUpstream;
const tools = new Map<string, SourceTool<GraphqlBinding>>();

beforeAll(async () => {
  upstream = await startGraphqlUpstream(SCHEMA, ROOT);
  for (const tool of parseGraphql({ text: SCHEMA, url: null }, { onProgress: () => undefined }).tools) tools.set(tool.name, tool);
});

afterAll(async () => {
  await upstream[Symbol.asyncDispose]();
  await http.close();
});

const context = (baseUrl = `${upstream.origin}/graphql`, credential: Credential | null = null) => ({
  baseUrl,
  credential,
  http: http.withOrigin(baseUrl, 'admin'),
  idempotencyKey: 'idem-1',
  timeoutMs: 20_000,
  traceparent: '00-0123456789abcdef0123456789abcdef-0123456789abcdef-01',
  signal: AbortSignal.timeout(30_000),
});

function call(name: string, args: Record<string, unknown> = {}, ...given: Parameters<typeof context>): Promise<InvokeResult> {
  const binding = tools.get(name)?.binding;
  if (binding === undefined) throw new Error(`no tool ${name}`);
  return graphqlKind.invoke(JSON.parse(JSON.stringify(binding)), args, context(...given));
}

const codeOf = async (asked: Promise<unknown>): Promise<{ code: string; message: string }> => {
  const error = await asked.then(
    (value) => new Error(`resolved with ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof AppError)) throw error;
  return { code: error.code, message: error.message };
};

describe('a call', () => {
  test('answers with what the field is, by its default selection', async () => {
    const result = await call('query.book', { id: 'b1' });
    expect(result).toMatchObject({
      ok: true,
      value: { id: 'b1', title: 'Engines', pages: 7, broken: null, author: { name: 'Ada' } },
      meta: { status: 200, rateLimit: { remaining: 41 } },
    });
    expect((await call('query.book', { id: 'none' })).value).toBeNull();
    expect((await call('query.version')).value).toBe('3');
    expect((await call('query.books', { first: 2 })).value).toHaveLength(1);
  });

  test('answers with what the caller selects', async () => {
    expect((await call('query.book', { id: 'b1', select: 'name: title author { name }' })).value).toEqual({
      name: 'Engines',
      author: { name: 'Ada' },
    });
    expect((await call('query.book', { id: 'b1', select: '{ id # the key\n}' })).value).toEqual({ id: 'b1' });
    expect((await call('query.books', { select: '... on Book { title }' })).value).toEqual([{ title: 'Engines' }]);
  });

  test('sends variables, never text made of them, and what goes with a call', async () => {
    const title = '") { id } } mutation { attach(id: "';
    expect((await call('mutation.write', { draft: { title, tags: ['a'] } })).value).toMatchObject({ title });
    expect(upstream.operations.at(-1)).toMatchObject({ variables: { draft: { title, tags: ['a'] } }, operationName: 'Write' });
    expect(upstream.requests.at(-1)?.headers).toMatchObject({
      'idempotency-key': 'idem-1',
      traceparent: expect.stringContaining('00-0123'),
    });
    await call('query.version');
    expect(upstream.requests.at(-1)?.headers['idempotency-key']).toBeUndefined();
  });

  test('sends files beside the request', async () => {
    const file = { filename: 'a.txt', contentType: 'text/plain', base64: Buffer.from('hello').toString('base64') };
    await call('mutation.attach', { id: 'b1', file, more: [file] });
    const sent = upstream.requests.at(-1);
    expect(sent?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/);
    expect(sent?.body).toContain('{"0":["variables.file"],"1":["variables.more.0"]}');
    expect(sent?.body).toContain('filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nhello\r\n');
    expect(sent?.body).toMatch(/"variables":\{"id":"b1","file":null,"more":\[null\]\}/);
  });

  test('carries its credential wherever that belongs', async () => {
    const credential = {
      connectionId: 'c',
      headers: { Authorization: 'Bearer s' },
      query: { key: 'a b' },
      cookies: { sid: 'x;y' },
      secrets: ['s'],
    };
    await call('query.version', {}, `${upstream.origin}/graphql?v=1`, credential);
    expect(upstream.requests.at(-1)).toMatchObject({
      url: '/graphql?v=1&key=a+b',
      headers: { authorization: 'Bearer s', cookie: 'sid=x%3By' },
    });
  });
});

describe('an error', () => {
  test('of the field is a failure with its path, and what came of it is kept', async () => {
    expect(await call('query.fails')).toMatchObject({ ok: false, message: 'no such luck (at fails)' });
    expect(await call('query.failsHalf')).toMatchObject({
      ok: false,
      message: 'pages are secret (at failsHalf.pages)',
      value: { data: { id: 'b1', pages: null }, errors: [{ message: 'pages are secret', path: 'failsHalf.pages' }] },
    });
  });

  test.each([
    ['id nmae', 'select, line 1, column 4: Cannot query field "nmae" on type "Book"'],
    ['id\n  author', 'select, line 2, column 3: Field "author" of type "Author!" must have a selection'],
    ['{ id titel }', 'select, line 1, column 6: Cannot query field "titel"'],
    ['author { name', 'select, line 2, column 2: Syntax Error: Expected Name, found <EOF>'],
    ['', 'select: names no field'],
    ['{}', 'select: names no field'],
    ['id } mutation { write', 'select: must be one selection'],
    ['id } } mutation X { attach(id: 1', 'select, line 1, column 6: Syntax Error: Unexpected "}"'],
    ['id # } \n} {', 'select, line 3, column 1'],
    ['id @skip(if: true)', 'directives cannot be used'],
    ['author(x: $id) { name }', 'variables cannot be used'],
    ['...Everything', 'named fragments cannot be used'],
    [`${'author { books { '.repeat(20)} id ${'} }'.repeat(20)}`, 'nests deeper than 15 levels'],
    [Array.from({ length: 501 }, (_, index) => `a${index}: id`).join(' '), 'more than 500 fields'],
    ['"', 'Syntax Error'],
  ])('in the selection says where it is (%#)', async (select, message) => {
    const error = await codeOf(call('query.book', { id: 'b1', select }));
    expect(error.code).toBe('INVALID_ARGUMENTS');
    expect(error.message).toContain(message);
  });

  test.each([
    [502, 'text/html', '<html><title>Bad Gateway</title></html>', 'HTTP 502'],
    [200, 'text/html', '<html>hello</html>', 'speaks no GraphQL'],
    [200, 'application/json', '{"hello":1}', 'speaks no GraphQL'],
    [200, 'application/json', 'null', 'speaks no GraphQL'],
    [400, 'application/json', '{"errors":[{"message":"slow down","extensions":{"code":"THROTTLED"}}]}', 'slow down'],
    [200, 'application/json', '{"errors":["odd",null,7]}', 'odd'],
    [200, 'application/json', '{"data":null,"errors":[]}', null],
    [401, 'application/json', '{"message":"Bad credentials"}', 'Bad credentials'],
  ])('of HTTP %i (%s %s) is told as what it is', async (status, type, body, message) => {
    await using odd = await startUpstream((_request, response) => response.writeHead(status, { 'content-type': type }).end(body));
    const result = await call('query.version', {}, odd.origin);
    expect([result.ok, result.meta?.status]).toEqual([message === null, status]);
    if (message !== null) expect(result.message).toContain(message);
  });
});

describe('an endpoint', () => {
  const fetched = (url: string) => {
    const { signal } = context();
    return graphqlKind.fetchDocument?.(url, {
      credential: null,
      http: http.withOrigin(url, 'admin'),
      timeoutMs: 20_000,
      maximumBytes: 1e7,
      signal,
    });
  };

  test('is introspected, and its tools are called where it is', async () => {
    const url = `${upstream.origin}/graphql`;
    const document = await fetched(url);
    const parsed = await graphqlKind.parse(document ?? { text: '', url: null }, {
      fetchText: () => Promise.reject(new Error('no')),
      onProgress: () => undefined,
    });
    expect([parsed.baseUrl, parsed.tools.map(({ name }) => name)]).toEqual([url, [...tools.keys()]]);
    expect(parsed.tools.map(({ binding }) => binding)).toEqual([...tools.values()].map(({ binding }) => binding));
  });

  test('that is a file with a schema is taken as that; what is neither is not', async () => {
    await using file = await startUpstream((request, response) => {
      if (request.method !== 'GET') response.writeHead(405).end('no');
      else response.end(request.url === '/schema.graphql' ? SCHEMA : '<html></html>');
    });
    expect((await fetched(`${file.origin}/schema.graphql`))?.text).toBe(SCHEMA);
    expect(await fetched(`${file.origin}/`)).toBeNull();
  });

  test('that keeps its schema to itself is an error that says what to do', async () => {
    await using closed = await startGraphqlUpstream(SCHEMA, ROOT, { introspection: false });
    expect(await codeOf(fetched(closed.origin) ?? Promise.resolve())).toMatchObject({
      code: 'INTEGRATION_INVALID',
      message: expect.stringContaining('baseUrl'),
    });
    await using locked = await startGraphqlUpstream(SCHEMA, ROOT, { bearer: 'x' });
    expect(await codeOf(fetched(locked.origin) ?? Promise.resolve())).toMatchObject({
      code: 'INTEGRATION_UNREACHABLE',
      message: expect.stringContaining('credential'),
    });
  });

  test('is probed by a question that changes nothing', async () => {
    await using locked = await startGraphqlUpstream(SCHEMA, ROOT, { bearer: 'x' });
    const probe = (origin: string, bearer?: string) => {
      const headers = { authorization: `Bearer ${bearer}` };
      return graphqlKind.probe(
        context(origin, bearer === undefined ? null : { connectionId: 'c', headers, query: {}, cookies: {}, secrets: [] }),
      );
    };
    expect(await probe(locked.origin)).toBeNull();
    expect(await probe(locked.origin, 'x')).toBeNull();
    expect(await probe(locked.origin, 'y')).toBe('it refuses the credential (HTTP 401)');
    await using gone = await startUpstream((_request, response) => response.writeHead(404).end());
    expect(await probe(gone.origin)).toBe('it answers HTTP 404');
    expect(locked.operations.every(({ query }) => query === '{ __typename }')).toBe(true);
  });
});

/** Schemas with cycles, abstract types, pages, required arguments and clashing names. */
const schemas = fc.array(
  fc.record({
    kind: fc.constantFrom('type', 'interface', 'union'),
    fields: fc.array(
      fc.record({
        name: fc.constantFrom('id', 'name', 'state', 'node', 'nodes', 'edges', 'pageInfo', 'items', 'self', 'next'),
        type: fc.constantFrom('ID', 'String', 'Int', 'E', 'S', 'T0', 'T1', 'T2', 'T3', 'T4'),
        wrap: fc.constantFrom('', '!', '[]', '[!]!'),
        args: fc.constantFrom('', '(a: Int)', '(a: I!)'),
      }),
      { minLength: 1, maxLength: 6 },
    ),
  }),
  { minLength: 5, maxLength: 5 },
);

function schemaOf(types: ReturnType<typeof schemas.generate>['value']): string {
  const wrapped = (type: string, wrap: string): string =>
    wrap === '' ? type : wrap === '!' ? `${type}!` : wrap === '[]' ? `[${type}]` : `[${type}!]!`;
  const objects = types.map((_, index) => index).filter((index) => types[index]?.kind === 'type');
  const texts = types.map(({ kind, fields }, index) => {
    const distinct = [...new Map(fields.map((field) => [field.name, field])).values()];
    const body = distinct.map(({ name, type, wrap, args }) => `${name}${args}: ${wrapped(type, wrap)}`).join('\n');
    if (kind === 'union' && objects.length > 0) return `union T${index} = ${objects.map((object) => `T${object}`).join(' | ')}`;
    if (kind === 'interface') return `interface T${index} { ${body} }\ntype Of${index} implements T${index} { ${body} extra: Int }`;
    return `type T${index} { ${body} }`;
  });
  const roots = types.map((_, index) => `q${index}(select: String, i: I): T${index} l${index}: [T${index}!]!`).join('\n');
  return `${texts.join('\n')}\nenum E { A B }\nscalar S\ninput I { a: Int i: [I!] e: E! }\ntype Query { ${roots} }\ntype Mutation { m(i: I!): T0 }`;
}

test('whatever the schema, every request that is made of it is valid', () => {
  fc.assert(
    fc.property(schemas, (types) => {
      const text = schemaOf(types);
      const schema = buildSchema(text);
      for (const { name, binding } of parseGraphql({ text, url: null }, { onProgress: () => undefined }).tools) {
        const query = `${binding.operation} X { f: ${binding.field} ${binding.selection === null ? '' : `{ ${binding.selection} }`} }`;
        const problems = validate(schema, parse(query)).filter(({ message }) => !/argument "i" of type "I!" is required/.test(message));
        expect([name, problems.map(({ message }) => message), query]).toEqual([name, [], query]);
      }
    }),
    { numRuns: 150 },
  );
});

test('whatever text is given for a selection, it is refused or is one selection and nothing else', () => {
  const word = fc.constantFrom(
    'id',
    '{',
    '}',
    '(',
    ')',
    ':',
    '"',
    '"""',
    '#',
    '\n',
    '...',
    'on',
    'A',
    '$x',
    '@x',
    '1',
    ',',
    'mutation',
    'query',
    'fragment',
    '[',
    ']',
    '\u0000',
    'ä',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 14 }), (words) => {
      let selection: string;
      try {
        selection = callerSelection(words.join(' '), 'select');
      } catch (error) {
        expect(error).toMatchObject({ code: 'INVALID_ARGUMENTS' });
        return;
      }
      const document = parse(`query X {\nfield {\n${selection}\n}\n}`);
      expect(document.definitions).toHaveLength(1);
      const [operation] = document.definitions;
      const root = operation?.kind === 'OperationDefinition' ? operation.selectionSet.selections : [];
      expect(root.map((field) => (field.kind === 'Field' ? field.name.value : print(field)))).toEqual(['field']);
    }),
    { numRuns: 500 },
  );
});
