import { expect, it } from 'vitest';
import { googleDiscoveryKind } from './google-discovery/google-discovery-kind.ts';
import { graphqlKind } from './graphql/graphql-kind.ts';
import { DOCUMENT_KINDS } from './kinds.ts';
import { openApiKind } from './openapi/openapi-kind.ts';
import type { SourceKind } from './port.ts';
import { type SourceKindCase, sourceKindSuite } from './source-kind.testsuite.ts';

const OPENAPI = JSON.stringify(
  {
    openapi: '3.0.3',
    info: { title: 'Pets', version: '1' },
    paths: {
      '/pets/{id}': {
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
        get: { operationId: 'getPet', responses: { 200: { description: 'a pet' } } },
        delete: { operationId: 'removePet', responses: { 204: { description: 'gone' } } },
      },
      '/pets': {
        post: {
          operationId: 'addPet',
          requestBody: { content: { 'application/json': { schema: { type: 'object', properties: { name: { type: 'string' } } } } } },
          responses: { 201: { description: 'added' } },
        },
      },
    },
  },
  null,
  2,
);

const DISCOVERY = JSON.stringify(
  {
    kind: 'discovery#restDescription',
    discoveryVersion: 'v1',
    name: 'pets',
    version: 'v1',
    title: 'Pets',
    rootUrl: 'https://pets.example/',
    servicePath: '',
    resources: {
      pets: {
        methods: {
          get: {
            id: 'pets.pets.get',
            path: 'pets/{id}',
            httpMethod: 'GET',
            parameters: { id: { type: 'string', required: true, location: 'path' } },
            parameterOrder: ['id'],
          },
          insert: { id: 'pets.pets.insert', path: 'pets', httpMethod: 'POST', parameters: {} },
        },
      },
    },
  },
  null,
  2,
);

const SDL = `type Query {
  pet(id: ID!): Pet
}

type Mutation {
  addPet(name: String!): Pet!
}

type Pet {
  id: ID!
  name: String!
}
`;

const PET = { id: '7', name: 'Rex' };

const rest: Pick<SourceKindCase, 'answer' | 'isHarmless'> = {
  answer: (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(PET)),
  isHarmless: ({ method }) => method === 'GET' || method === 'HEAD' || method === 'OPTIONS',
};

sourceKindSuite({
  kind: openApiKind as SourceKind,
  document: OPENAPI,
  operations: 3,
  reading: { tool: 'getPet', args: { id: '7' }, value: PET },
  changing: 'removePet',
  broken: {
    'JSON that breaks off': { text: '{\n  "openapi": "3.0.3",\n  "paths": {', says: /line 3/ },
    'YAML with a bad indent': { text: 'openapi: 3.0.3\ninfo:\n  title: x\n bad: y\n', says: /line 4/ },
    'a document without operations': {
      text: '{"openapi": "3.0.3", "info": {"title": "x", "version": "1"}, "paths": {}}',
      says: /no operation/,
    },
    'a list of paths': { text: '{"openapi": "3.0.3", "info": {"title": "x", "version": "1"}, "paths": []}', says: /paths/ },
  },
  foreign: [SDL, DISCOVERY],
  ...rest,
});

sourceKindSuite({
  kind: googleDiscoveryKind as SourceKind,
  document: DISCOVERY,
  operations: 2,
  reading: { tool: 'pets.get', args: { id: '7' }, value: PET },
  changing: 'pets.insert',
  broken: {
    'JSON that breaks off': { text: '{\n  "kind": "discovery#restDescription",\n  "resources": {', says: /line 3/ },
    'a document without methods': { text: '{"kind": "discovery#restDescription", "name": "x"}', says: /neither "resources" nor "methods"/ },
  },
  foreign: [SDL, OPENAPI],
  ...rest,
});

sourceKindSuite({
  kind: graphqlKind as SourceKind,
  document: SDL,
  operations: 2,
  reading: { tool: 'query.pet', args: { id: '7' }, value: PET },
  changing: 'mutation.addPet',
  broken: {
    'a schema that breaks off': { text: 'type Query {\n  pet(id: ID!): Pet\n', says: /line 3|line 2/ },
    'a type that is nowhere': { text: 'type Query {\n  pet: Nothing\n}', says: /Nothing/ },
    'a schema without fields to call': { text: 'type Pet {\n  id: ID!\n}', says: /[Qq]uery|no operation/ },
  },
  foreign: [OPENAPI, DISCOVERY],
  answer(_request, response, body) {
    const { query } = JSON.parse(body) as { query: string };
    const data = query.includes('pet') ? { pet: PET } : { __typename: 'Query' };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data }));
  },
  isHarmless: ({ method, body }) => method === 'GET' || (method === 'POST' && !/\bmutation\b/.test(body)),
});

it('a document is of one kind at most, so that the order of the kinds decides nothing', () => {
  for (const text of [OPENAPI, DISCOVERY, SDL])
    expect([...DOCUMENT_KINDS.values()].filter((kind) => kind.detect({ text, url: null }) !== null)).toHaveLength(1);
});
