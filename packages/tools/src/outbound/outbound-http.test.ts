import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { answersTo, closeGuards, get, guard, refusal } from '../testing/guard.ts';
import { startRawUpstream, startUpstream } from '../testing/upstream.ts';

afterEach(closeGuards);

test('a password in an address is refused and not repeated, however the request is sent', async () => {
  const http = guard({ list: '127.0.0.1' });
  const url = 'http://user:hunter22@127.0.0.1:1/';
  for (const sent of [get(http, url), http.fetch(url), http.fetch(new URL(url))]) {
    const error = await refusal(sent);
    expect([error.code, error.message]).toEqual(['OUTBOUND_REFUSED', expect.stringContaining('carries a user name or password')]);
    expect(error.message).not.toContain('hunter22');
  }
});

describe('answers', () => {
  test('that are larger than wanted are refused and not read on', async () => {
    await using upstream = await startUpstream((_request, response) => {
      const more = (): void =>
        void (response.destroyed || response.write(Buffer.alloc(64 * 1024)) ? setImmediate(more) : response.once('drain', more));
      more();
    });
    const error = await refusal(get(guard({ list: '127.0.0.1' }), upstream.origin, { maximumBytes: 1024 * 1024 }));
    expect([error.code, error.message]).toEqual(['REPLY_TOO_LARGE', expect.stringContaining('larger than 1 MB')]);
  });

  test('that are compressed are counted as what they become', async () => {
    const zeros = Buffer.alloc(64 * 1024 * 1024);
    const bombs = { gzip: gzipSync(zeros), br: brotliCompressSync(zeros), 'gzip, gzip': gzipSync(gzipSync(zeros)) };
    await using upstream = await startUpstream((request, response) => {
      const encoding = decodeURIComponent(request.url?.slice(1) ?? '') as keyof typeof bombs;
      response.writeHead(200, { 'content-encoding': encoding }).end(bombs[encoding]);
    });
    const http = guard({ list: '127.0.0.1' });
    for (const encoding of Object.keys(bombs)) {
      expect((await refusal(get(http, `${upstream.origin}/${encodeURIComponent(encoding)}`))).code).toBe('REPLY_TOO_LARGE');
    }
    await expect((await http.fetch(`${upstream.origin}/br`)).bytes()).rejects.toThrow('larger than 24 MB');
  });

  test('come decompressed, and say nothing of how they travelled', async () => {
    await using upstream = await startUpstream((_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip', 'x-two': ['a', 'b'] }).end(gzipSync('hello')),
    );
    const http = guard({ list: '127.0.0.1' });
    const { body, headers } = await get(http, upstream.origin);
    expect([Buffer.from(body).toString(), headers['content-encoding'], headers['x-two']]).toEqual(['hello', undefined, 'a, b']);
    expect(await (await http.fetch(upstream.origin)).text()).toBe('hello');
  });

  test.each([
    ['zstd', Buffer.from('x')],
    ['gzip', Buffer.from('no gzip')],
    ['gzip, gzip, gzip', Buffer.from('x')],
  ])('whose encoding %s cannot be undone are an error that says so', async (encoding, body) => {
    await using upstream = await startUpstream((_request, response) => response.writeHead(200, { 'content-encoding': encoding }).end(body));
    expect((await refusal(get(guard({ list: '127.0.0.1' }), upstream.origin))).code).toBe('UPSTREAM_LOST');
  });

  test('that drip end at the time limit', async () => {
    await using upstream = await startUpstream((_request, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('.'), 20);
      response.on('close', () => clearInterval(timer));
    });
    const error = await refusal(get(guard({ list: '127.0.0.1' }), upstream.origin, { timeoutMs: 300 }));
    expect([error.code, error.message]).toEqual(['TOOL_TIMEOUT', expect.stringContaining('did not answer within 0.3 s')]);
  });

  test('whose headers never end are refused', async () => {
    await using upstream = await startRawUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const more = (): void => {
        if (!socket.destroyed) socket.write(`x-filler: ${'y'.repeat(1_000)}\r\n`, () => setImmediate(more));
      };
      more();
    });
    const error = await refusal(get(guard({ list: '127.0.0.1' }), upstream.origin));
    expect([error.code, error.message]).toEqual(['REPLY_TOO_LARGE', expect.stringContaining('headers')]);
  });

  test.each([
    ['hangs up', (socket: { destroy(): void }) => socket.destroy()],
    ['speaks something else', (socket: { end(text: string): void }) => socket.end('220 smtp.example ESMTP\r\n')],
    ['ends too early', (socket: { end(text: string): void }) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc')],
  ])('of a server that %s are lost', async (_title, onConnection) => {
    await using upstream = await startRawUpstream((socket) => socket.once('data', () => onConnection(socket)));
    expect((await refusal(get(guard({ list: '127.0.0.1' }), upstream.origin))).code).toBe('UPSTREAM_LOST');
  });

  test('of a server that is not there are said to be unavailable, nothing having been sent', async () => {
    const port = await startUpstream((_request, response) => response.end()).then(async (upstream) => {
      await upstream[Symbol.asyncDispose]();
      return upstream.port;
    });
    const http = guard({ list: '127.0.0.1,nowhere.example', resolve: answersTo({}) });
    expect((await refusal(get(http, `http://127.0.0.1:${port}/`))).message).toContain('ECONNREFUSED');
    expect((await refusal(get(http, 'http://nowhere.example/'))).code).toBe('UPSTREAM_UNAVAILABLE');
  });
});

describe('requests', () => {
  test('send headers, query and bodies as given, forms and files too', async () => {
    await using upstream = await startUpstream((_request, response) => response.end());
    const http = guard({ list: '127.0.0.1' });
    const form = new FormData();
    form.set('name', 'Ä');
    form.set('file', new Blob([new Uint8Array([0, 255, 10])]), 'a.bin');
    await get(http, `${upstream.origin}/a%20b?q=%C3%A4`, {
      method: 'post',
      body: form,
      headers: { 'X-One': '1', 'Content-Type': 'wrong' },
    });
    await get(http, upstream.origin, { method: 'DELETE', body: '{"why":"ä"}' });
    await get(http, upstream.origin, { body: new Uint8Array([1, 2]) });
    const [first, second, third] = upstream.requests;
    expect(first).toMatchObject({ method: 'POST', url: '/a%20b?q=%C3%A4', headers: { 'x-one': '1' } });
    expect(first?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/);
    expect(first?.body).toContain('filename="a.bin"');
    expect(first?.body).toContain('\x00\xff\n');
    expect([second?.method, Buffer.from(second?.body ?? '', 'latin1').toString()]).toEqual(['DELETE', '{"why":"ä"}']);
    expect([third?.method, third?.body]).toEqual(['GET', '\x01\x02']);
  });

  test('cannot take another host, or smuggle a second request', async () => {
    await using upstream = await startUpstream((_request, response) => response.end());
    const http = guard({ list: '127.0.0.1' });
    await get(http, upstream.origin, {
      headers: { Host: 'internal', 'Transfer-Encoding': 'chunked', Connection: 'upgrade', Upgrade: 'h2c' },
    });
    expect(upstream.requests[0]?.headers).toMatchObject({ host: `127.0.0.1:${upstream.port}`, connection: 'keep-alive' });
    for (const headers of [{ 'x-a': 'b\r\nx-c: d' }, { 'x\r\ny': 'z' }, { 'x-a': 'ÿĀ' }]) {
      const error = await refusal(get(http, upstream.origin, { headers }));
      expect(error.code).toBe('INVALID_ARGUMENTS');
      expect(error.message).not.toContain('x-c');
    }
    expect(upstream.requests).toHaveLength(1);
  });

  test('go to no proxy that the environment names', async () => {
    await using proxy = await startUpstream((_request, response) => response.end('proxied'));
    await using upstream = await startUpstream((_request, response) => response.end('direct'));
    const before = { ...process.env };
    Object.assign(process.env, { http_proxy: proxy.origin, HTTP_PROXY: proxy.origin, ALL_PROXY: proxy.origin, NODE_USE_ENV_PROXY: '1' });
    try {
      const { body } = await get(guard({ list: '127.0.0.1' }), upstream.origin);
      expect(Buffer.from(body).toString()).toBe('direct');
    } finally {
      process.env = before;
    }
  });

  test('that are cancelled end with the reason that was given', async () => {
    await using upstream = await startUpstream(() => undefined);
    const http = guard({ list: '127.0.0.1' });
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error('enough')), 100);
    await expect(get(http, upstream.origin, { signal: stop.signal })).rejects.toThrow('enough');
    await expect(get(http, upstream.origin, { signal: stop.signal })).rejects.toThrow('enough');
  });
});

describe('fetch', () => {
  test('streams events as they come and ends when it is cancelled', async () => {
    let closed: (() => void) | undefined;
    const isClosed = new Promise<void>((resolve) => {
      closed = resolve;
    });
    await using upstream = await startUpstream((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: one\n\n');
      response.on('close', () => closed?.());
    });
    const response = await guard({ list: '127.0.0.1' }).fetch(upstream.origin);
    expect(response).toBeInstanceOf(Response);
    const reader = response.body?.getReader();
    const { value } = (await reader?.read()) ?? {};
    expect(Buffer.from(value ?? []).toString()).toBe('data: one\n\n');
    await reader?.cancel();
    await isClosed;
  });

  test('lets go of a stream that is cancelled while it is read', async () => {
    await using upstream = await startUpstream((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const timer = setInterval(() => response.write('data: more\n\n'), 1);
      response.on('close', () => clearInterval(timer));
    });
    const http = guard({ list: '127.0.0.1' });
    for (let round = 0; round < 20; round += 1) {
      const reader = (await http.fetch(upstream.origin)).body?.getReader();
      await reader?.read();
      const pending = reader?.read();
      await reader?.cancel();
      await pending;
    }
  });

  test('bounds each event of a stream, and not the stream', async () => {
    const event = `data: ${'x'.repeat(1024 * 1024)}\r\n\r\n`;
    await using upstream = await startUpstream((request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const isEndless = request.url === '/endless';
      for (let count = 0; count < 30; count += 1) response.write(isEndless ? event.trimEnd() : event);
      response.end();
    });
    const http = guard({ list: '127.0.0.1' });
    expect((await (await http.fetch(`${upstream.origin}/events`)).bytes()).byteLength).toBe(30 * event.length);
    await expect((await http.fetch(`${upstream.origin}/endless`)).bytes()).rejects.toThrow('larger than 24 MB');
  });

  test('breaks a stream off when its signal is aborted', async () => {
    await using upstream = await startUpstream((_request, response) => void response.writeHead(200).write('x'));
    const stop = new AbortController();
    const response = await guard({ list: '127.0.0.1' }).fetch(upstream.origin, { signal: stop.signal });
    const text = response.text();
    stop.abort(new Error('enough'));
    await expect(text).rejects.toThrow();
  });

  test('sends what a Request and its init say, and says where the answer came from', async () => {
    await using upstream = await startUpstream((request, response) => {
      if (request.url === '/go') response.writeHead(302, { location: '/there' }).end();
      else response.writeHead(201, { 'set-cookie': ['a=1', 'b=2'] }).end('{"ok":true}');
    });
    const http = guard({ list: '127.0.0.1' });
    const posted = await http.fetch(new Request(`${upstream.origin}/x`, { method: 'PUT', body: new URLSearchParams({ a: 'ä' }) }));
    expect([posted.status, await posted.json(), posted.headers.getSetCookie()]).toEqual([201, { ok: true }, ['a=1', 'b=2']]);
    expect(upstream.requests[0]).toMatchObject({ method: 'PUT', body: 'a=%C3%A4' });
    const moved = await http.fetch(new URL(`${upstream.origin}/go`));
    expect([moved.redirected, moved.url]).toEqual([true, `${upstream.origin}/there`]);
    expect((await http.fetch(upstream.origin, { method: 'HEAD' })).body).toBeNull();
  });
});
