import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildSchema, graphql } from 'graphql';

/** A request as it arrived. */
export interface Arrived {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface NotesApi {
  readonly origin: string;
  readonly port: number;
  /** Everything but requests for documents, the newest last. */
  readonly arrived: Arrived[];
  /** What `/openapi.json` answers; null: 404. */
  document: unknown;
  /** While set, every request but those for documents is answered so. */
  answer: { readonly status: number; readonly headers?: Record<string, string>; readonly body: string } | null;
  close(): Promise<void>;
}

export const TOKEN = 'notes-token-0123456789abcdef';

const SDL = `
  type Query { note(id: ID!): Note  notes(tag: String): [Note!]! }
  type Mutation { addNote(text: String!): Note! }
  type Note { id: ID!  text: String!  tags: [String!]! }
`;

/** A real API on a port of the loopback: it answers REST with what arrived and GraphQL over a schema, and remembers both. */
export async function startNotesApi(port = 0): Promise<NotesApi> {
  const arrived: Arrived[] = [];
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const { port: bound } = server.address() as AddressInfo;
  const api: NotesApi = {
    origin: `http://127.0.0.1:${bound}`,
    port: bound,
    arrived,
    document: null,
    answer: null,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  const schema = buildSchema(SDL);
  const notes = [{ id: '1', text: 'first', tags: ['a'] }];
  const root = {
    note: ({ id }: { id: string }) => notes.find((note) => note.id === id) ?? null,
    notes: () => notes,
    addNote: ({ text }: { text: string }) => ({ id: '2', text, tags: [] }),
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const url = new URL(request.url ?? '/', api.origin);
    const json = (status: number, value: unknown, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
    };
    if (url.pathname === '/openapi.json') {
      if (api.document === null) json(404, {});
      else json(200, api.document);
      return;
    }
    const method = request.method ?? '';
    arrived.push({ method, path: url.pathname, query: url.searchParams, headers: request.headers, body });
    if (api.answer !== null) {
      response.writeHead(api.answer.status, { 'content-type': 'application/json', ...api.answer.headers }).end(api.answer.body);
      return;
    }
    if (url.pathname === '/graphql') {
      if (method !== 'POST') return json(405, {});
      const { query, variables } = JSON.parse(body.toString()) as { query: string; variables?: Record<string, unknown> };
      return json(200, await graphql({ schema, source: query, rootValue: root, variableValues: variables ?? null }));
    }
    if (url.pathname === '/v1/me' && request.headers.authorization !== `Bearer ${TOKEN}`) {
      return json(401, { message: `unknown token ${request.headers.authorization ?? 'none'}` });
    }
    const headers = { link: `<${api.origin}${url.pathname}?page=2>; rel="next"`, 'x-ratelimit-remaining': '41' };
    json(
      200,
      { method, path: decodeURIComponent(url.pathname), query: url.search, type: request.headers['content-type'] ?? null },
      headers,
    );
  }
  return api;
}

const ok = { 200: { description: 'what arrived', content: { 'application/json': { schema: { type: 'object' } } } } };

/** The OpenAPI document of it. */
export const notesDocument = (): Record<string, unknown> & { paths: Record<string, Record<string, unknown>> } => ({
  openapi: '3.0.3',
  info: { title: 'Notes', version: '1.2.3' },
  servers: [{ url: '/v1' }],
  components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
  paths: {
    '/notes/{id}': {
      get: {
        operationId: 'getNote',
        summary: 'Reads a note',
        parameters: [
          { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
          { name: 'filter', in: 'query', style: 'deepObject', schema: { type: 'object', properties: { tag: { type: 'string' } } } },
          { name: 'X-Trace', in: 'header', schema: { type: 'string' } },
          { name: 'theme', in: 'cookie', schema: { type: 'string' } },
        ],
        responses: ok,
      },
      delete: {
        operationId: 'deleteNote',
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
        responses: ok,
      },
    },
    '/notes': {
      post: {
        operationId: 'addNote',
        requestBody: {
          required: true,
          content: { 'application/json': { schema: { type: 'object', required: ['text'], properties: { text: { type: 'string' } } } } },
        },
        responses: ok,
      },
    },
    '/files': {
      post: {
        operationId: 'upload',
        requestBody: {
          content: {
            'multipart/form-data': {
              schema: {
                type: 'object',
                properties: { title: { type: 'string' }, file: { type: 'string', format: 'binary' } },
              },
            },
          },
        },
        responses: ok,
      },
    },
    '/form': {
      post: {
        operationId: 'sendForm',
        requestBody: {
          content: { 'application/x-www-form-urlencoded': { schema: { type: 'object', properties: { a: { type: 'string' } } } } },
        },
        responses: ok,
      },
    },
    '/me': { get: { operationId: 'whoAmI', security: [{ token: [] }], responses: ok } },
  },
});
