import fc from 'fast-check';
import { expect, test } from 'vitest';
import { kindOfAddress, parseAddress } from './address-kind.ts';
import { parseAllowRules } from './allow-rules.ts';
import { originWarning, plainOrigin } from './plain-origin.ts';

test.each([
  'http://nas.lan',
  'nas.lan:0',
  'nas.lan:99999',
  'nas.lan:http',
  '10.0.0.0/33',
  '10.0.0/8',
  'nas.lan/24',
  '127.1',
  '0x7f000001',
  '*',
  '*.*.lan',
  'a*.lan',
  '[::1',
  '[nas.lan]:80',
  'user@nas.lan',
  'nas lan',
])('%s in the list is refused by name', (entry) => {
  expect(() => parseAllowRules(`ok.example,${entry}`)).toThrow(JSON.stringify(entry));
});

test('an empty list lists nothing', () => {
  expect([...parseAllowRules(''), ...parseAllowRules(' , ,')]).toEqual([]);
});

test('only the global unicast space less what is set apart in it is public', () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const address = parseAddress(text);
      if (kindOfAddress(address) !== 'public' || address.kind() === 'ipv4') return;
      const first = address.toByteArray()[0] ?? 0;
      expect(first).toBeGreaterThanOrEqual(0x20);
      expect(first).toBeLessThanOrEqual(0x3f);
    }),
  );
});

test('an IPv4 address is judged the same however an IPv6 address carries it', () => {
  fc.assert(
    fc.property(fc.ipV4(), (text) => {
      const kind = kindOfAddress(parseAddress(text));
      expect(kindOfAddress(parseAddress(`::ffff:${text}`))).toBe(kind);
      expect(kindOfAddress(parseAddress(`64:ff9b::${text}`))).toBe(kind);
      for (const carried of [`::${text}`, `::ffff:0:${text}`, `64:ff9b:1::${text}`])
        expect(kindOfAddress(parseAddress(carried))).not.toBe('public');
    }),
  );
});

test('an origin is plain only as the standard would spell it', () => {
  expect(plainOrigin('http://127.0.0.1:4010/v1')).toMatchObject({ host: '127.0.0.1', port: 4010, kind: 'loopback' });
  expect(plainOrigin('https://localhost')).toMatchObject({ host: 'localhost', port: 443 });
  expect(plainOrigin('http://LocalHost:80/')).toMatchObject({ host: 'localhost', port: 80 });
  expect(plainOrigin('http://[::1]:4010')).toMatchObject({ host: '::1', port: 4010 });
  expect(plainOrigin('http://[fd12::5]')).toMatchObject({ host: 'fd12::5', kind: 'private' });
  for (const url of [
    'http://127.1',
    'http:127.0.0.1',
    'http://[0::1]',
    'http://x@127.0.0.1',
    'http://8.8.8.8',
    'http://example.com',
    'http://169.254.1.1',
    'nonsense',
  ]) {
    expect([url, plainOrigin(url)]).toEqual([url, null]);
  }
});

test('the warning of such an origin says how to forbid it and how to list it', () => {
  expect(originWarning('http://192.168.1.9:8123/api')).toBe(
    'http://192.168.1.9:8123 is on a private network; it is reached because an admin key spelled it out, by this integration alone. EXECUTOR_OUTBOUND_STRICT=true forbids that; EXECUTOR_OUTBOUND_ALLOW=192.168.1.9:8123 lists it for good',
  );
  expect(originWarning('https://api.example.com')).toBeNull();
});
