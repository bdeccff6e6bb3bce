import { brotliCompressSync, gzipSync } from 'node:zlib';
import { AppError } from '@code-executor/platform';
import { afterEach, describe, expect, test } from 'vitest';
import { startRawUpstream, startUpstream } from '../testing/upstream.ts';
import { parseAllowRules } from './allow-rules.ts';
import { createOutboundHttp } from './outbound-http.ts';
import type { GuardedHttp, OutboundHttp, OutboundRequest } from './port.ts';

const opened: GuardedHttp[] = [];

function guard(options: Partial<Parameters<typeof createOutboundHttp>[0]> & { readonly list?: string } = {}): GuardedHttp {
  const http = createOutboundHttp({ allow: parseAllowRules(options.list ?? ''), strict: false, ...options });
  opened.push(http);
  return http;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((http) => http.close()));
});

const get = (http: OutboundHttp, url: string, more: Partial<OutboundRequest> = {}) =>
  http.request({ method: 'GET', url, timeoutMs: 20_000, signal: AbortSignal.timeout(30_000), ...more });

async function refusal(asked: Promise<unknown>): Promise<AppError> {
  const error = await asked.then(
    () => new Error('nothing was refused'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof AppError)) throw error;
  return error;
}

const answersTo = (addresses: Readonly<Record<string, readonly string[]>>) => async (hostname: string) => {
  const found = addresses[hostname];
  if (found === undefined) throw new Error(`ENOTFOUND ${hostname}`);
  return found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
};

/** Everything here leads to a place that is nobody's business, however it is spelled. */
const REFUSED_SPELLINGS = [
  'http://127.0.0.1/',
  'http://127.1/',
  'http://127.0.1/',
  'http://2130706433/',
  'http://0x7f000001/',
  'http://0x7f.0.0.1/',
  'http://0x7f.1/',
  'http://017700000001/',
  'http://0177.0.0.1/',
  'http://127.0.0.1./',
  'http://127.255.255.254/',
  'http://0/',
  'http://0.0.0.0/',
  'http://00.0.0.0/',
  'http://%31%32%37.0.0.1/',
  'http://１２７.０.０.１/',
  'http://①②⑦.⓪.⓪.①/',
  'http://127。0。0。1/',
  'http://127．0．0．1/',
  'http:127.0.0.1/',
  'http:/\\127.0.0.1/',
  'http://\t127.0.0.1/',
  'HTTP://127.0.0.1:80/',
  'http://10.0.0.1/',
  'http://10.255.255.255/',
  'http://172.16.0.1/',
  'http://172.31.255.255/',
  'http://192.168.1.1/',
  'http://0300.0250.1.1/',
  'http://100.64.0.1/',
  'http://100.127.255.255/',
  'http://100.100.100.200/',
  'http://169.254.0.1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://2852039166/',
  'http://0xa9fea9fe/',
  'http://0251.0376.0251.0376/',
  'http://168.63.129.16/',
  'http://192.0.0.192/',
  'http://192.0.2.1/',
  'http://192.88.99.1/',
  'http://198.18.0.1/',
  'http://198.51.100.1/',
  'http://203.0.113.1/',
  'http://224.0.0.1/',
  'http://239.255.255.250/',
  'http://240.0.0.1/',
  'http://255.255.255.255/',
  'http://[::]/',
  'http://[::1]/',
  'http://[0:0:0:0:0:0:0:1]/',
  'http://[0000:0000:0000:0000:0000:0000:0000:0001]/',
  'http://[::127.0.0.1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[0:0:0:0:0:ffff:127.0.0.1]/',
  'http://[::ffff:169.254.169.254]/',
  'http://[::ffff:10.0.0.1]/',
  'http://[::ffff:0:127.0.0.1]/',
  'http://[64:ff9b::127.0.0.1]/',
  'http://[64:ff9b::a9fe:a9fe]/',
  'http://[64:ff9b:1::1]/',
  'http://[2002:7f00:1::]/',
  'http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/',
  'http://[2001:db8::1]/',
  'http://[3fff::1]/',
  'http://[100::1]/',
  'http://[5f00::1]/',
  'http://[fc00::1]/',
  'http://[fd00:ec2::254]/',
  'http://[fd20:ce::254]/',
  'http://[fe80::1]/',
  'http://[fec0::1]/',
  'http://[ff02::1]/',
  'http://localhost/',
  'http://LOCALHOST/',
  'http://localhost./',
  'http://ｌｏｃａｌｈｏｓｔ/',
  'http://lo%63alhost/',
  'http://anything.localhost/',
  'http://a.b.localhost./',
  'http://loopback.example/',
  'http://private.example/',
  'http://metadata.example/',
  'http://mapped.example/',
  'http://nat64.example/',
  'http://mixed.example/',
  'http://mixed.example./',
  'https://127.0.0.1/',
  'https://localhost/',
];

const NAMES = answersTo({
  localhost: ['127.0.0.1', '::1'],
  'loopback.example': ['127.0.0.53'],
  'private.example': ['10.1.2.3'],
  'metadata.example': ['169.254.169.254'],
  'mapped.example': ['::ffff:127.0.0.1'],
  'nat64.example': ['64:ff9b::7f00:1'],
  'mixed.example': ['93.184.216.34', '192.168.0.7'],
});

describe('addresses', () => {
  test.each(REFUSED_SPELLINGS)('%s is refused unless it is listed', async (url) => {
    const http = guard({ resolve: NAMES });
    const error = await refusal(get(http, url));
    expect(error.code).toBe('OUTBOUND_REFUSED');
    expect(error.message).toContain('EXECUTOR_OUTBOUND_ALLOW=');
    const byFetch = await refusal(http.fetch(url));
    expect(byFetch.code).toBe('OUTBOUND_REFUSED');
  });

  test.each([
    'http://user:pass@example.com/',
    'http://example.com@127.0.0.1/',
    'http://127.0.0.1#@example.com/',
    'http://127.0.0.1\\@example.com/',
    'file:///etc/passwd',
    'ftp://example.com/',
    'gopher://127.0.0.1:6379/_FLUSHALL',
    'data:text/plain,hello',
    'http://[fe80::1%25eth0]/',
    'http://256.256.256.256/',
    'http://exa mple.com/',
    'no address',
  ])('%s is refused whatever is listed for others', async (url) => {
    expect((await refusal(get(guard({ resolve: NAMES }), url))).code).toBe('OUTBOUND_REFUSED');
  });

  test('a refusal names the host, the address it led to, why, and the setting that lists it', async () => {
    const error = await refusal(get(guard({ resolve: NAMES }), 'http://private.example:8080/x'));
    expect(error.message).toBe(
      'private.example leads to 10.1.2.3, a private address, and is not reached unless the operator lists it: EXECUTOR_OUTBOUND_ALLOW=private.example:8080',
    );
    expect(error.details).toEqual({
      host: 'private.example',
      port: 8080,
      address: '10.1.2.3',
      reason: 'private',
      setting: 'EXECUTOR_OUTBOUND_ALLOW=private.example:8080',
    });
  });

  test('the setting that a refusal names opens exactly what was refused', async () => {
    await using upstream = await startUpstream((_request, response) => response.end('here'));
    for (const url of [`http://127.0.0.1:${upstream.port}/`, `http://localhost:${upstream.port}/`, `http://0x7f.1:${upstream.port}/`]) {
      const { details } = await refusal(get(guard(), url));
      const { setting } = details as { setting: string };
      const http = guard({ list: setting.replace('EXECUTOR_OUTBOUND_ALLOW=', '') });
      expect(Buffer.from((await get(http, url)).body).toString()).toBe('here');
      expect((await refusal(get(http, 'http://127.0.0.2:1024/'))).code).toBe('OUTBOUND_REFUSED');
    }
  });

  test.each([
    ['127.0.0.1', (port: number) => `http://127.0.0.1:${port}/`],
    ['127.0.0.0/8', (port: number) => `http://2130706433:${port}/`],
    ['0.0.0.0/0,::/0', (port: number) => `http://127.0.0.1:${port}/`],
    ['127.0.0.1', (port: number) => `http://[::ffff:127.0.0.1]:${port}/`],
    ['127.0.0.1', (port: number) => `http://loopback.test:${port}/`],
    ['loopback.test', (port: number) => `http://loopback.test:${port}/`],
    ['LOOPBACK.test.', (port: number) => `http://loopback.TEST.:${port}/`],
    ['*.loopback.test', (port: number) => `http://a.b.loopback.test:${port}/`],
    ['other.test, localhost', (port: number) => `http://localhost:${port}/`],
    ['*.localhost', (port: number) => `http://api.localhost:${port}/`],
  ])('with %s listed, its addresses are reached', async (list, url) => {
    await using upstream = await startUpstream((_request, response) => response.end('here'));
    const resolve = answersTo({ 'loopback.test': ['127.0.0.1'], 'a.b.loopback.test': ['127.0.0.1'], localhost: ['127.0.0.1'] });
    expect((await get(guard({ list, resolve }), url(upstream.port))).status).toBe(200);
  });

  test.each([
    ['127.0.0.1:9', 'http://127.0.0.1:1024/'],
    ['10.0.0.0/8', 'http://127.0.0.1/'],
    ['*.example', 'http://example.test/'],
    ['*.private.example', 'http://private.example/'],
    ['metadata.example', 'http://metadata.example/'],
    ['*.example', 'http://metadata.example/'],
    ['mixed.example', 'http://private.example/'],
    ['::/0', 'http://127.0.0.1/'],
  ])('with %s listed, %s is still refused', async (list, url) => {
    const resolve = answersTo({ 'example.test': ['127.0.0.1'], 'private.example': ['10.1.2.3'], 'metadata.example': ['169.254.169.254'] });
    expect((await refusal(get(guard({ list, resolve }), url))).code).toBe('OUTBOUND_REFUSED');
  });

  test('ports that other protocols live on are refused', async () => {
    const resolve = answersTo({ 'public.example': ['93.184.216.34'] });
    expect((await refusal(get(guard({ resolve }), 'http://public.example:25/'))).message).toContain('Port 25');
  });
});

describe('rebinding', () => {
  test('a name that leads elsewhere the second time is refused the second time', async () => {
    await using upstream = await startRawUpstream(
      (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok'),
      '0.0.0.0',
    );
    const answers = ['127.0.0.2', '127.0.0.3'];
    const resolve = async () => [{ address: answers.shift() ?? '127.0.0.3', family: 4 }];
    const http = guard({ list: '127.0.0.2', resolve });
    const url = `http://rebinding.example:${upstream.port}/`;
    expect((await get(http, url)).status).toBe(200);
    expect((await refusal(get(http, url))).message).toContain('127.0.0.3');
  });

  test('the socket goes to the address that was judged, and the resolver is asked once', async () => {
    const reached: (string | undefined)[] = [];
    await using upstream = await startRawUpstream((socket) => {
      reached.push(socket.localAddress);
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
    }, '0.0.0.0');
    let asked = 0;
    const resolve = async () => [{ address: ++asked === 1 ? '127.0.0.2' : '127.0.0.3', family: 4 }];
    await get(guard({ list: '127.0.0.2', resolve }), `http://rebinding.example:${upstream.port}/`);
    expect({ reached, asked }).toEqual({ reached: ['127.0.0.2'], asked: 1 });
  });

  test('of several addresses the one that answers is used, all of them being judged', async () => {
    await using upstream = await startUpstream((_request, response) => response.end('here'));
    const resolve = answersTo({ 'many.example': ['127.0.0.9', '127.0.0.1'] });
    const http = guard({ list: '127.0.0.0/8', resolve });
    expect((await get(http, `http://many.example:${upstream.port}/`)).status).toBe(200);
  });
});

describe('the origin of one integration', () => {
  test('spelled out by an admin it is open to that integration and to no other', async () => {
    await using upstream = await startUpstream((_request, response) => response.end('here'));
    const http = guard();
    const own = http.withOrigin(`${upstream.origin}/api`, 'admin');
    expect((await get(own, `${upstream.origin}/x`)).status).toBe(200);
    expect(await (await own.fetch(`${upstream.origin}/x`)).text()).toBe('here');
    expect((await refusal(get(http, upstream.origin))).code).toBe('OUTBOUND_REFUSED');
    expect((await refusal(get(http.withOrigin('http://127.0.0.1:1', 'admin'), upstream.origin))).code).toBe('OUTBOUND_REFUSED');
    expect((await refusal(get(own, `https://127.0.0.1:${upstream.port}/`))).code).toBe('OUTBOUND_REFUSED');
  });

  test('in strict mode an admin opens nothing; the operator still does', async () => {
    await using upstream = await startUpstream((_request, response) => response.end('here'));
    const http = guard({ strict: true });
    expect((await refusal(get(http.withOrigin(upstream.origin, 'admin'), upstream.origin))).code).toBe('OUTBOUND_REFUSED');
    expect((await get(http.withOrigin(upstream.origin, 'operator'), upstream.origin)).status).toBe(200);
  });

  test.each([
    ['http://2130706433:8080/', 'http://127.0.0.1:8080/'],
    ['http://127.1:8080/', 'http://127.0.0.1:8080/'],
    ['http://0x7f000001:8080/', 'http://127.0.0.1:8080/'],
    ['http://[::ffff:127.0.0.1]:8080/', 'http://[::ffff:127.0.0.1]:8080/'],
    ['http://user@127.0.0.1:8080/', 'http://127.0.0.1:8080/'],
    ['http://private.example/', 'http://private.example/'],
    ['http://localhost.:8080/', 'http://localhost.:8080/'],
    ['http://api.localhost:8080/', 'http://api.localhost:8080/'],
    ['http://169.254.169.254/', 'http://169.254.169.254/'],
    ['http://100.100.100.200/', 'http://100.100.100.200/'],
    ['http://[fe80::1]/', 'http://[fe80::1]/'],
    ['http://0.0.0.0:8080/', 'http://0.0.0.0:8080/'],
    ['http://224.0.0.1/', 'http://224.0.0.1/'],
  ])('%s opens nothing when an admin gives it', async (given, asked) => {
    expect((await refusal(get(guard({ resolve: NAMES }).withOrigin(given, 'admin'), asked))).code).toBe('OUTBOUND_REFUSED');
  });

  test('a redirect to it, or back to it from elsewhere, is refused', async () => {
    await using own = await startUpstream((request, response) => {
      if (request.url === '/away') response.writeHead(302, { location: `http://listed.example:${listed.port}/back` }).end();
      else response.end('here');
    });
    await using listed = await startUpstream((_request, response) => response.writeHead(302, { location: `${own.origin}/secret` }).end());
    const http = guard({ list: 'listed.example', resolve: answersTo({ 'listed.example': ['127.0.0.1'] }) }).withOrigin(own.origin, 'admin');
    expect((await get(http, `${own.origin}/here`)).status).toBe(200);
    for (const url of [`${own.origin}/away`, `http://listed.example:${listed.port}/`]) {
      expect((await refusal(get(http, url))).code).toBe('OUTBOUND_REFUSED');
    }
    expect(own.requests.map((request) => request.url)).toEqual(['/here', '/away']);
  });
});

describe('redirects', () => {
  test('to a private address are refused', async () => {
    await using upstream = await startUpstream((_request, response) =>
      response.writeHead(302, { location: 'http://[::ffff:a00:1]/' }).end(),
    );
    const http = guard({ list: '127.0.0.1' });
    const error = await refusal(get(http, upstream.origin));
    expect([error.code, error.message]).toEqual(['OUTBOUND_REFUSED', expect.stringContaining('10.0.0.1, a private address')]);
    expect(error.details).toMatchObject({ address: '10.0.0.1', redirectedFrom: upstream.origin });
    expect((await refusal(http.fetch(upstream.origin))).code).toBe('OUTBOUND_REFUSED');
  });

  test('to another origin carry no credentials, to the same one all of them', async () => {
    await using other = await startUpstream((_request, response) => response.end('there'));
    await using upstream = await startUpstream((request, response) => {
      if (request.url === '/same') response.end('same');
      else response.writeHead(307, { location: request.url === '/stay' ? '/same' : `${other.origin}/x` }).end();
    });
    const http = guard({ list: '127.0.0.1' });
    const headers = { Authorization: 'Bearer s3cret', Cookie: 'sid=s3cret', 'X-Api-Key': 's3cret', Accept: 'application/json' };
    const answer = await get(http, `${upstream.origin}/leave`, { headers });
    expect([Buffer.from(answer.body).toString(), answer.url]).toEqual(['there', `${other.origin}/x`]);
    await http.fetch(`${upstream.origin}/leave`, { headers });
    for (const seen of other.requests) {
      expect(JSON.stringify(seen)).not.toContain('s3cret');
      expect(seen.headers.accept).toBe('application/json');
    }
    await get(http, `${upstream.origin}/stay`, { headers });
    expect(upstream.requests.at(-1)?.headers).toMatchObject({
      authorization: 'Bearer s3cret',
      cookie: 'sid=s3cret',
      'x-api-key': 's3cret',
    });
  });

  test('never carry a body to another origin, and become GET where the standard says so', async () => {
    await using other = await startUpstream((_request, response) => response.end('there'));
    await using upstream = await startUpstream((request, response) =>
      response.writeHead(Number(request.url?.slice(1)), { location: `${other.origin}/` }).end(),
    );
    const http = guard({ list: '127.0.0.1' });
    const post = { method: 'POST', body: '{"password":"s3cret"}', headers: { 'content-type': 'application/json' } };
    for (const status of [307, 308]) {
      const error = await refusal(get(http, `${upstream.origin}/${status}`, post));
      expect([error.code, error.details]).toEqual(['OUTBOUND_REFUSED', expect.objectContaining({ redirectedFrom: upstream.origin })]);
    }
    for (const status of [301, 302, 303]) await get(http, `${upstream.origin}/${status}`, post);
    expect(other.requests.map(({ method, body }) => [method, body])).toEqual([
      ['GET', ''],
      ['GET', ''],
      ['GET', ''],
    ]);
  });

  test('end after as many as are allowed, and none is followed where none is wanted', async () => {
    await using upstream = await startUpstream((_request, response) => response.writeHead(302, { location: '/again' }).end());
    const http = guard({ list: '127.0.0.1' });
    expect((await refusal(get(http, upstream.origin))).message).toContain('redirects more than 5 times');
    expect(upstream.requests).toHaveLength(6);
    expect(await get(http, upstream.origin, { redirects: 0 })).toMatchObject({ status: 302, headers: { location: '/again' } });
    expect((await http.fetch(upstream.origin, { redirect: 'manual' })).status).toBe(302);
    await expect(http.fetch(upstream.origin, { redirect: 'error' })).rejects.toThrow('fetch failed');
  });
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
