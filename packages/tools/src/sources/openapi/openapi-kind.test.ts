import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Credential } from '../../connections/port.ts';
import { createOutboundHttp } from '../../outbound/outbound-http.ts';
import { startUpstream, type Upstream } from '../../testing/upstream.ts';
import type { InvokeContext, InvokeResult } from '../port.ts';
import { openApiKind } from './openapi-kind.ts';
import { documentOf, parseText, toolOf } from './testing/parse-text.ts';

type Answer = { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: string | Buffer };

const guard = createOutboundHttp({ allow: [], strict: false });
let upstream: Upstream;
let answer: Answer = {};

beforeAll(async () => {
  upstream = await startUpstream((_request, response) => {
    response.writeHead(answer.status ?? 200, answer.headers ?? { 'content-type': 'application/json' }).end(answer.body ?? '{}');
  });
});
afterAll(async () => {
  await upstream[Symbol.asyncDispose]();
  await guard.close();
});
beforeEach(() => {
  answer = {};
  upstream.requests.length = 0;
});

const NO_CREDENTIAL: Credential = { connectionId: 'con_1', headers: {}, query: {}, cookies: {}, secrets: [] };

async function call(document: unknown, args: Record<string, unknown>, more: Partial<InvokeContext> = {}): Promise<InvokeResult> {
  const tool = await toolOf(document);
  return openApiKind.invoke(JSON.parse(JSON.stringify(tool.binding)), args, {
    baseUrl: `${upstream.origin}/v1`,
    credential: null,
    http: guard.withOrigin(upstream.origin, 'admin'),
    idempotencyKey: 'key-of-the-call',
    timeoutMs: 10_000,
    signal: AbortSignal.timeout(20_000),
    ...more,
  });
}

/** What arrived. */
const request = () => {
  const last = upstream.requests.at(-1);
  if (last === undefined) throw new Error('nothing arrived');
  return last;
};

const body = (contentType: string, schema: unknown = {}, encoding?: unknown) => ({
  requestBody: { required: true, content: { [contentType]: { schema, ...(encoding === undefined ? {} : { encoding }) } } },
});

/** The parts of a multipart body as an independent reader finds them. */
async function partsOf(): Promise<{ name: string; text: string; type: string; filename?: string }[]> {
  const { headers, body: sent } = request();
  const form = await new Response(Buffer.from(sent, 'latin1'), { headers: { 'content-type': headers['content-type'] ?? '' } }).formData();
  return Promise.all(
    [...form].map(async ([name, value]) =>
      typeof value === 'string'
        ? { name, text: value, type: '' }
        : { name, text: await value.text(), type: value.type, filename: value.name },
    ),
  );
}

describe('what a call sends', () => {
  test('parameters in path, query, header and cookie, and the credential after them', async () => {
    const parameters = [
      { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
      { name: 'tags', in: 'query', schema: { type: 'array', items: { type: 'string' } } },
      { name: 'X-Trace', in: 'header', schema: { type: 'array', items: { type: 'string' } } },
      { name: 'session', in: 'cookie', schema: { type: 'string' } },
    ];
    await call(
      documentOf({ parameters }, {}, 'get /things/{id}/parts'),
      { id: 'a/b?c#d ..', tags: ['x', 'y z'], 'X-Trace': ['1', '2'], session: 'a;b' },
      {
        credential: { ...NO_CREDENTIAL, headers: { Authorization: 'Bearer s' }, query: { key: 'k&1' }, cookies: { sid: 'c' } },
        traceparent: '00-1-2-03',
      },
    );
    expect(request()).toMatchObject({
      method: 'GET',
      url: '/v1/things/a%2Fb%3Fc%23d%20../parts?tags=x&tags=y%20z&key=k%261',
      headers: { 'x-trace': '1,2', cookie: 'session=a%3Bb; sid=c', authorization: 'Bearer s', traceparent: '00-1-2-03' },
    });
    expect(request().headers).not.toHaveProperty('idempotency-key');
  });

  test.each(['..', '.', '', '%2e%2e', '%2E'])('a path parameter %j cannot lead out of its segment', async (id) => {
    const parameters = [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }];
    const answered = call(documentOf({ parameters }, {}, 'delete /things/{id}'), { id });
    // What is escaped once more is a name like any other.
    if (id.includes('%')) {
      await answered;
      expect(request().url).toBe(`/v1/things/${encodeURIComponent(id)}`);
    } else await expect(answered).rejects.toMatchObject({ code: 'INVALID_ARGUMENTS' });
  });

  test.each([
    ['header', { headers: { 'X-Key': 's' } }, { 'X-KEY': 'mine' }, [{ name: 'X-KEY', in: 'header', schema: {} }]],
    ['query', { query: { key: 's' } }, { key: 'mine' }, [{ name: 'key', in: 'query', schema: {} }]],
    [
      'query, by a key of an exploded object',
      { query: { key: 's' } },
      { filter: { key: 'mine' } },
      [{ name: 'filter', in: 'query', schema: { type: 'object' } }],
    ],
    ['cookie', { cookies: { sid: 's' } }, { sid: 'mine' }, [{ name: 'sid', in: 'cookie', schema: {} }]],
  ])('an argument cannot take the place of the credential: %s', async (_, credential, args, parameters) => {
    const refused = call(documentOf({ parameters }), args, { credential: { ...NO_CREDENTIAL, ...credential } });
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_ARGUMENTS', message: expect.stringContaining('leave it out') });
    expect(upstream.requests).toEqual([]);
  });

  test('a call that may change something carries its idempotency key, the agent’s own where it gives one', async () => {
    const parameters = [{ name: 'Idempotency-Key', in: 'header', required: true, schema: { type: 'string' } }];
    await call(documentOf({ parameters }), {});
    expect(request().headers['idempotency-key']).toBe('key-of-the-call');
    await call(documentOf({ parameters }), { 'Idempotency-Key': 'mine' });
    expect(request().headers['idempotency-key']).toBe('mine');
  });

  test('JSON under the media type that is declared', async () => {
    await call(documentOf(body('application/vnd.api+json')), { body: { a: [1, null, 'é'] } });
    expect(request()).toMatchObject({
      body: Buffer.from('{"a":[1,null,"é"]}').toString('latin1'),
      headers: { 'content-type': 'application/vnd.api+json' },
    });
    await call(documentOf(body('application/json')), { body: null });
    expect(request().body).toBe('null');
  });

  test('a form, nested as Stripe takes it', async () => {
    const encoding = {
      expand: { style: 'deepObject', explode: true },
      meta: { contentType: 'application/json' },
      list: { explode: false },
    };
    await call(documentOf(body('application/x-www-form-urlencoded', { type: 'object' }, encoding)), {
      body: {
        name: 'a b&c=d',
        items: [{ price: 'p', tags: ['x'] }],
        expand: ['a', 'b'],
        metadata: { k: 'é' },
        meta: { x: 1 },
        list: [1, 2],
        off: null,
        many: ['1', '2'],
        flag: false,
      },
    });
    expect(request().headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect([...new URLSearchParams(request().body)]).toEqual([
      ['name', 'a b&c=d'],
      ['items[0][price]', 'p'],
      ['items[0][tags][]', 'x'],
      ['expand[]', 'a'],
      ['expand[]', 'b'],
      ['metadata[k]', 'é'],
      ['meta', '{"x":1}'],
      ['list', '1,2'],
      ['off', ''],
      ['many', '1'],
      ['many', '2'],
      ['flag', 'false'],
    ]);
  });

  test('multipart with files as text and bytes, JSON parts and a media type for each', async () => {
    const schema = {
      type: 'object',
      properties: {
        file: { type: 'string', format: 'binary' },
        files: { type: 'array', items: { type: 'string', format: 'binary' } },
        meta: { type: 'object' },
        note: { type: 'string' },
      },
    };
    const encoding = { note: { contentType: 'text/markdown' }, files: { contentType: 'image/png' } };
    const bytes = Buffer.from([0, 255, 13, 10, 45, 45]);
    await call(documentOf(body('multipart/form-data', schema, encoding)), {
      body: {
        file: { base64: bytes.toString('base64'), filename: 'a"\r\nb.bin', contentType: 'application/x-thing' },
        files: [{ text: 'one', filename: '1.png' }, { base64: 'dHdv' }],
        meta: { a: 1 },
        note: '# é',
        tags: ['x', 'y'],
        gone: null,
      },
    });
    const parts = await partsOf();
    expect(parts.map(({ name, filename, type }) => [name, filename, type])).toEqual([
      ['file', 'a"\r\nb.bin', 'application/x-thing'],
      ['files', '1.png', 'image/png'],
      ['files', 'files', 'image/png'],
      ['meta', undefined, ''],
      ['note', undefined, ''],
      ['tags', undefined, ''],
      ['tags', undefined, ''],
    ]);
    expect(parts.slice(1).map(({ text }) => text)).toEqual(['one', 'two', '{"a":1}', '# é', 'x', 'y']);
    const raw = Buffer.from(request().body, 'latin1');
    expect(raw.includes(bytes)).toBe(true);
    expect(raw.toString()).toContain('name="meta"\r\nContent-Type: application/json\r\n\r\n{"a":1}');
    expect(raw.toString()).toContain('name="note"\r\nContent-Type: text/markdown\r\n\r\n# é');
  });

  test.each([
    ['bytes', { base64: '/wA=' }, '\u00ff\u0000', 'image/png'],
    ['bytes of a type of their own', { base64: 'YQ==', contentType: 'image/webp' }, 'a', 'image/webp'],
    ['text', 'plain', 'plain', 'image/png'],
  ])('a body of bytes, given as %s', async (_, value, arrived, contentType) => {
    await call(documentOf(body('image/png', { type: 'string', format: 'binary' })), { body: value });
    expect(request()).toMatchObject({ body: arrived, headers: { 'content-type': contentType } });
  });

  test('text and XML as they are', async () => {
    await call(documentOf(body('application/xml')), { body: '<a/>' });
    expect(request()).toMatchObject({ body: '<a/>', headers: { 'content-type': 'application/xml' } });
  });

  test.each([
    ['no base64', 'multipart/form-data', { file: { base64: '%%%' } }, /is no base64/],
    ['a media type with a line break', 'multipart/form-data', { file: { text: 'x', contentType: 'a/b\r\nX: 1' } }, /no media type/],
    ['a form that is no object', 'application/x-www-form-urlencoded', [1], /object of form fields/],
    ['bytes that are a number', 'application/octet-stream', 5, /text, or \{base64\}/],
  ])('%s is refused before anything is sent', async (_, contentType, value, message) => {
    const refused = call(documentOf(body(contentType)), { body: value });
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_ARGUMENTS', message: expect.stringMatching(message) });
    expect(upstream.requests).toEqual([]);
  });

  test('2.0: lists by their collectionFormat, and fields of a form', async () => {
    const list = (name: string, collectionFormat?: string) => ({
      name,
      in: 'query',
      type: 'array',
      items: { type: 'string' },
      ...(collectionFormat ? { collectionFormat } : {}),
    });
    const parameters = [
      list('csv'),
      list('ssv', 'ssv'),
      list('tsv', 'tsv'),
      list('pipes', 'pipes'),
      list('multi', 'multi'),
      { name: 'field', in: 'formData', type: 'string' },
    ];
    const given = ['a', 'b,c'];
    await call(
      { swagger: '2.0', paths: { '/a': { post: { parameters } } } },
      { csv: given, ssv: given, tsv: given, pipes: given, multi: given, body: { field: 'é' } },
    );
    expect(request().url).toBe('/v1/a?csv=a,b%2Cc&ssv=a%20b%2Cc&tsv=a%09b%2Cc&pipes=a%7Cb%2Cc&multi=a&multi=b%2Cc');
    expect(request()).toMatchObject({ body: 'field=%C3%A9', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  });

  test('2.0: a file goes as multipart', async () => {
    const parameters = [
      { name: 'file', in: 'formData', type: 'file' },
      { name: 'note', in: 'formData', type: 'string' },
    ];
    await call(
      { swagger: '2.0', paths: { '/a': { post: { parameters } } } },
      { body: { file: { base64: 'YQ==', filename: 'a.txt' }, note: 'n' } },
    );
    expect(await partsOf()).toMatchObject([
      { name: 'file', filename: 'a.txt', text: 'a' },
      { name: 'note', text: 'n' },
    ]);
  });

  test('where the document sends an operation elsewhere, the operator’s own address still counts', async () => {
    const document = documentOf({ servers: [{ url: 'https://uploads.example/v2' }] });
    const { tools } = await parseText(document);
    expect(tools[0]?.binding.server).toEqual({ url: 'https://uploads.example/v2', standard: 'https://api.example/v1' });
    await call(document, {});
    expect(request().url).toBe('/v1/things');
    const samePlace = documentOf({ servers: [{ url: 'https://api.example/upload' }] });
    await call(samePlace, {});
    expect(request().url).toBe('/upload/things');
    const elsewhere = documentOf({ servers: [{ url: `${upstream.origin}/v9` }] });
    const secret = { connectionId: 'con_1', headers: { 'x-key': 'k' }, query: { key: 'k' }, cookies: { key: 'k' }, secrets: ['k'] };
    await call(elsewhere, {}, { baseUrl: 'https://api.example/v1', credential: secret });
    expect(request()).toMatchObject({ url: '/v9/things', headers: expect.not.objectContaining({ 'x-key': 'k' }) });
    expect(request().headers.cookie).toBeUndefined();
    expect((await parseText(elsewhere)).warnings).toEqual([expect.stringMatching(/go to http:\/\/127.* told no credential/)]);
  });

  test.each(['@evil.example/', '//evil.example/x', '/\\evil.example', '/a/../../b', '/%2e%2e/b'])(
    'a path of a document, %j, stays on its server',
    async (path) => {
      const seen = await call({ openapi: '3.0.0', paths: { [path]: { get: {} } } }, {}).catch((error: unknown) => error);
      for (const { url, headers } of upstream.requests) {
        expect(headers.host).toBe(new URL(upstream.origin).host);
        expect(url.startsWith('/v1/')).toBe(true);
      }
      if (upstream.requests.length === 0) expect(seen).toMatchObject({ code: 'INVALID_ARGUMENTS' });
    },
  );
});

describe('what a call answers', () => {
  const READ = documentOf({ responses: { 200: { description: 'ok' } } }, {}, 'get /things');

  test.each<[string, Answer, unknown]>([
    ['JSON', { body: '{"a":[1]}' }, { a: [1] }],
    ['JSON of a particular type', { headers: { 'content-type': 'application/hal+json; charset=utf-8' }, body: '[1]' }, [1]],
    ['what calls itself JSON and is none', { body: 'oops' }, 'oops'],
    [
      'integers beyond what a number holds',
      { body: '{"id":12345678901234567890,"n":1.5,"s":"12345678901234567890"}' },
      { id: '12345678901234567890', n: 1.5, s: '12345678901234567890' },
    ],
    ['text', { headers: { 'content-type': 'text/csv' }, body: 'a,b' }, 'a,b'],
    ['text of another encoding', { headers: { 'content-type': 'text/plain; charset=iso-8859-1' }, body: Buffer.from([233]) }, 'é'],
    ['nothing', { status: 204, headers: {}, body: '' }, null],
    ['no type at all', { headers: {}, body: '{"a":1}' }, { a: 1 }],
    [
      'a file',
      {
        headers: { 'content-type': 'image/png', 'content-disposition': 'attachment; filename="../../a b.png"' },
        body: Buffer.from([1, 2, 255]),
      },
      { base64: 'AQL/', contentType: 'image/png', filename: 'a b.png', bytes: 3 },
    ],
  ])('%s', async (_, given, value) => {
    answer = given;
    expect(await call(READ, {})).toMatchObject({ ok: true, value });
  });

  test.each<[number, unknown, string]>([
    [404, { message: 'Not Found' }, 'HTTP 404: Not Found'],
    [402, { error: { message: 'Your card was declined.', type: 'card_error' } }, 'HTTP 402: Your card was declined.'],
    [400, { errors: [{ message: 'project: Missing input' }] }, 'HTTP 400: project: Missing input'],
    [422, { title: 'Unprocessable', detail: 'amount is negative', status: 422 }, 'HTTP 422: Unprocessable: amount is negative'],
    [400, { error: 'invalid_grant', error_description: 'expired' }, 'HTTP 400: expired'],
    [500, '<!doctype html><title>Down</title><script>x</script>', 'HTTP 500: Down'],
    [503, {}, 'HTTP 503: Service Unavailable'],
    [400, [[[[[[['x']]]]]]], 'HTTP 400: x'],
    [400, { message: 'a\u202e\u0000b'.padEnd(5_000, 'x') }, 'HTTP 400: a'],
  ])('an error of the upstream, %i %j, says why', async (status, value, message) => {
    answer = {
      status,
      body: typeof value === 'string' ? value : JSON.stringify(value),
      ...(typeof value === 'string' ? { headers: { 'content-type': 'text/html' } } : {}),
    };
    const result = await call(READ, {});
    expect(result).toMatchObject({ ok: false, value, meta: { status } });
    expect(result.message?.startsWith(message)).toBe(true);
    expect(result.message?.length).toBeLessThan(900);
  });

  test('pagination links, rate limits and when to come back', async () => {
    answer = {
      status: 429,
      headers: {
        'content-type': 'application/json',
        link: '</v1/things?page=2&q=a,b>; rel="next", <https://x.example/last>; title="a, b"; rel=last',
        'x-ratelimit-limit': '60',
        'x-ratelimit-remaining': '0',
        'x-ratelimit-reset': '4102444800',
        'retry-after': '7',
      },
    };
    expect((await call(READ, {})).meta).toEqual({
      status: 429,
      links: { next: `${upstream.origin}/v1/things?page=2&q=a,b`, last: 'https://x.example/last' },
      rateLimit: { limit: 60, remaining: 0, resetAt: '2100-01-01T00:00:00.000Z' },
      retryAfterSeconds: 7,
    });
  });

  test('an operation is asked for what it declares', async () => {
    const responses = { 200: { content: { 'application/xml': {}, 'application/vnd.x+json': {} } } };
    await call(documentOf({ responses }, {}, 'get /things'), {});
    expect(request().headers.accept).toBe('application/vnd.x+json, */*;q=0.1');
  });

  test('a file that no reply can carry is refused as too large', async () => {
    answer = { headers: { 'content-type': 'application/zip' }, body: Buffer.alloc(6_500_000) };
    await expect(call(READ, {})).rejects.toMatchObject({ code: 'REPLY_TOO_LARGE' });
  });
});

describe('a probe', () => {
  test.each([200, 401, 404, 500])('takes an answer of %i for life, and asks for nothing but reading', async (status) => {
    answer = { status };
    const context = {
      baseUrl: upstream.origin,
      credential: null,
      http: guard.withOrigin(upstream.origin, 'admin'),
      timeoutMs: 5_000,
      signal: AbortSignal.timeout(10_000),
    };
    expect(await openApiKind.probe(context)).toBeNull();
    expect(request().method).toBe('GET');
  });
});
