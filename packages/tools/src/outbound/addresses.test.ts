import { afterEach, describe, expect, test } from 'vitest';
import { answersTo, closeGuards, get, guard, NAMES, refusal } from '../testing/guard.ts';
import { startUpstream } from '../testing/upstream.ts';

afterEach(closeGuards);

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
