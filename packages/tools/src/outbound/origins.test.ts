import { afterEach, describe, expect, test } from 'vitest';
import { answersTo, closeGuards, get, guard, NAMES, refusal } from '../testing/guard.ts';
import { startRawUpstream, startUpstream } from '../testing/upstream.ts';

afterEach(closeGuards);

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
