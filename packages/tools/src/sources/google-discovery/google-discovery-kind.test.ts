import { isAppError } from '@code-executor/platform';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createOutboundHttp } from '../../outbound/outbound-http.ts';
import { startUpstream, type Upstream } from '../../testing/upstream.ts';
import type { SourceTool } from '../port.ts';
import { googleDiscoveryKind } from './google-discovery-kind.ts';
import type { GoogleBinding } from './parse-discovery.ts';

const DOCUMENT = {
  kind: 'discovery#restDescription',
  name: 'drive',
  version: 'v3',
  title: 'Drive API',
  rootUrl: 'https://www.example.com/',
  servicePath: 'drive/v3/',
  parameters: {
    alt: { type: 'string', location: 'query', enum: ['json'], enumDescriptions: ['JSON'] },
    fields: { type: 'string', location: 'query', description: 'Selects fields.' },
    key: { type: 'string', location: 'query' },
    prettyPrint: { type: 'boolean', location: 'query', default: 'true' },
  },
  auth: { oauth2: { scopes: { 'https://example.com/auth/drive': { description: 'All of it' } } } },
  schemas: {
    File: {
      id: 'File',
      type: 'object',
      properties: {
        id: { type: 'string' },
        size: { type: 'string', format: 'int64' },
        parents: { type: 'array', items: { $ref: 'Folder' } },
        any: { type: 'any' },
      },
    },
    Folder: {
      id: 'Folder',
      type: 'object',
      properties: { files: { type: 'array', items: { $ref: 'File' } }, 'x-made': { type: 'string', readOnly: true } },
    },
  },
  resources: {
    files: {
      methods: {
        list: {
          id: 'drive.files.list',
          path: 'files',
          httpMethod: 'GET',
          scopes: ['https://example.com/auth/drive'],
          parameters: {
            pageSize: { type: 'integer', format: 'int32', default: '100', minimum: '1', maximum: '1000', location: 'query' },
            spaces: {
              type: 'string',
              repeated: true,
              location: 'query',
              enum: ['a', 'b'],
              enumDescriptions: ['The first.', 'The second.'],
            },
          },
          response: { $ref: 'Folder' },
        },
        get: {
          path: 'files/{fileId}',
          httpMethod: 'GET',
          parameters: { fileId: { type: 'string', required: true, location: 'path' } },
          response: { $ref: 'File' },
          supportsMediaDownload: true,
        },
        create: {
          path: 'files',
          httpMethod: 'POST',
          request: { $ref: 'File' },
          response: { $ref: 'File' },
          supportsMediaUpload: true,
          mediaUpload: { accept: ['*/*'], protocols: { simple: { multipart: true, path: '/upload/drive/v3/files' } } },
        },
        delete: {
          path: 'files/{fileId}',
          httpMethod: 'DELETE',
          parameters: { fileId: { type: 'string', required: true, location: 'path' } },
        },
      },
      resources: {
        revisions: {
          methods: {
            get: { path: 'v1/{+name}', httpMethod: 'GET', parameters: { name: { type: 'string', required: true, location: 'path' } } },
          },
        },
        replies: {
          methods: {
            get: { path: 'v1/{+name}', httpMethod: 'GET', parameters: { name: { type: 'string', required: true, location: 'path' } } },
          },
        },
      },
    },
  },
};

const parse = (document: unknown) =>
  googleDiscoveryKind.parse({ text: JSON.stringify(document), url: null }, { fetchText: async () => '', onProgress: () => undefined });

const guard = createOutboundHttp({ allow: [], strict: false });
let upstream: Upstream;
let tools: ReadonlyMap<string, SourceTool<GoogleBinding>>;
beforeAll(async () => {
  upstream = await startUpstream((_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"1"}'));
  tools = new Map((await parse(DOCUMENT)).tools.map((tool) => [tool.name, tool]));
});
afterAll(async () => {
  await upstream[Symbol.asyncDispose]();
  await guard.close();
});

const tool = (name: string): SourceTool<GoogleBinding> => {
  const found = tools.get(name);
  if (found === undefined) throw new Error(`no tool ${name} in ${[...tools.keys()]}`);
  return found;
};

async function call(name: string, args: Record<string, unknown>) {
  await googleDiscoveryKind.invoke(JSON.parse(JSON.stringify(tool(name).binding)), args, {
    baseUrl: `${upstream.origin}/drive/v3`,
    credential: null,
    http: guard.withOrigin(upstream.origin, 'admin'),
    idempotencyKey: 'k',
    timeoutMs: 10_000,
    signal: AbortSignal.timeout(20_000),
  });
  const last = upstream.requests.at(-1);
  if (last === undefined) throw new Error('nothing arrived');
  return last;
}

describe('a Discovery document', () => {
  test('gives a tool for each method, named by the resources it lies in, also where two share a path', async () => {
    expect([...tools.keys()].sort()).toEqual([
      'files.create',
      'files.delete',
      'files.get',
      'files.list',
      'files.replies.get',
      'files.revisions.get',
    ]);
    const parsed = await parse(DOCUMENT);
    expect(parsed).toMatchObject({
      title: 'Drive API',
      version: 'v3',
      baseUrl: 'https://www.example.com/drive/v3',
      operations: 6,
      warnings: [],
    });
    expect(parsed.securitySchemes).toEqual([
      expect.objectContaining({ type: 'oauth2', scopes: ['https://example.com/auth/drive'] }),
      { name: 'key', type: 'apiKey', in: 'query', parameter: 'key' },
    ]);
  });

  test('says types, bounds and what values mean', () => {
    expect(tool('files.list').inputSchema).toEqual({
      type: 'object',
      additionalProperties: false,
      properties: {
        pageSize: { type: 'integer', format: 'int32', default: 100, minimum: 1, maximum: 1000 },
        spaces: { type: 'array', description: '(a: The first.; b: The second.)', items: { type: 'string', enum: ['a', 'b'] } },
        fields: { type: 'string', description: 'Selects fields.' },
      },
    });
    expect(tool('files.list').outputSchema).toMatchObject({
      properties: { files: { items: { $ref: '#/$defs/File' } } },
      $defs: { File: { properties: { any: {}, parents: { items: { $ref: '#/$defs/Folder' } } } }, Folder: {} },
    });
    expect(tool('files.delete').outputSchema).toEqual({ type: 'null' });
  });

  test('lists go as repeated parameters', async () => {
    expect(await call('files.list', { spaces: ['a', 'b'], fields: 'files(id)' })).toMatchObject({
      method: 'GET',
      url: '/drive/v3/files?spaces=a&spaces=b&fields=files%28id%29',
    });
  });

  test('a name that spans segments keeps its slashes, and cannot lead out', async () => {
    expect((await call('files.replies.get', { name: 'projects/a b/things/c' })).url).toBe('/drive/v3/v1/projects/a%20b/things/c');
    for (const name of ['a/../b', '..', 'a//b', '/a', 'a/.']) {
      await expect(call('files.replies.get', { name }), name).rejects.toMatchObject({ code: 'INVALID_ARGUMENTS' });
    }
  });

  test('without media the metadata go as JSON, with it both go to the upload address', async () => {
    expect(await call('files.create', { body: { id: '1' } })).toMatchObject({ url: '/drive/v3/files', body: '{"id":"1"}' });
    const uploaded = await call('files.create', { body: { id: '1' }, media: { base64: '/wA=', contentType: 'image/png' } });
    expect(uploaded.url).toBe('/upload/drive/v3/files?uploadType=multipart');
    expect(uploaded.headers['content-type']).toMatch(/^multipart\/related; boundary=/);
    expect(uploaded.body).toContain('Content-Type: application/json; charset=utf-8\r\n\r\n{"id":"1"}\r\n');
    expect(uploaded.body).toContain('Content-Type: image/png\r\n\r\n\u00ff\u0000\r\n');
  });

  test('a download is asked for by alt', async () => {
    expect((await call('files.get', { fileId: 'x', alt: 'media' })).url).toBe('/drive/v3/files/x?alt=media');
    expect(tool('files.get').outputSchema).toMatchObject({ properties: { id: {}, base64: { type: 'string' } } });
  });

  test('any node of it may be anything: it is read, or refused as invalid', async () => {
    const nodes: string[][] = [];
    const walk = (node: unknown, path: string[]): void => {
      nodes.push(path);
      if (typeof node === 'object' && node !== null) for (const [key, child] of Object.entries(node)) walk(child, [...path, key]);
    };
    walk(DOCUMENT, []);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...nodes), fc.jsonValue(), async (path, value) => {
        const spoil = (node: unknown, [key, ...rest]: string[]): unknown =>
          key === undefined
            ? value
            : Object.fromEntries(Object.entries(node as object).map(([name, child]) => [name, name === key ? spoil(child, rest) : child]));
        const document = spoil(DOCUMENT, path);
        try {
          for (const each of (await parse(document)).tools) JSON.stringify(each);
        } catch (error) {
          if (!isAppError(error, 'INTEGRATION_INVALID')) throw error;
        }
      }),
      { numRuns: 600 },
    );
  });
});
