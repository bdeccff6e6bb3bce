import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkRedirectUri, isRegistered } from './redirect-uris.ts';

test('whatever is registered is matched by itself, and by nothing that differs in more than a loopback port', () => {
  const uri = fc
    .tuple(fc.constantFrom('https://app.example', 'http://127.0.0.1', 'http://127.0.0.1:80', 'http://[::1]:9', 'cursor://x'), fc.webPath())
    .map(([base, path]) => base + path);
  fc.assert(
    fc.property(uri, uri, (known, given) => {
      expect(isRegistered(known, [known])).toBe(true);
      if (!isRegistered(given, [known]) || given === known) return;
      const bare = (text: string) => text.replace(/^(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost))(?::\d+)?/, '$1');
      expect(bare(given)).toBe(bare(known));
      expect(known).toMatch(/^http:/);
    }),
  );
});

test('what may be registered never leads into a script, nor over plain http to another machine', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.webUrl(),
        fc.string().map((text) => `javascript:${text}`),
      ),
      (uri) => {
        try {
          checkRedirectUri(uri);
        } catch {
          return;
        }
        const { protocol, hostname, hash, username } = new URL(uri);
        expect(['javascript:', 'data:', 'file:', 'blob:']).not.toContain(protocol);
        if (protocol === 'http:') expect(['127.0.0.1', '[::1]', 'localhost']).toContain(hostname);
        expect(hash + username).toBe('');
      },
    ),
  );
});

test('no host ends a directive of the policy of the page that names it', () => {
  for (const host of ['a;frame-ancestors', 'a,b.example', "a'b.example", 'a$b.example'])
    expect(() => checkRedirectUri(`https://${host}/x`)).toThrow('has a host that no name or number is');
  for (const uri of [
    'https://app.example:8443/x',
    'https://xn--mnchen-3ya.example/',
    'http://[::1]:7/',
    'com.example.app:/callback',
    'https://a_b.example/',
  ])
    expect(checkRedirectUri(uri)).toBe(uri);
});
