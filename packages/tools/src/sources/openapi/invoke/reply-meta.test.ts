import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { replyMeta } from './reply-meta.ts';

const NOW_MS = Date.parse('2026-01-01T00:00:00Z');
const meta = (headers: Record<string, string>) => replyMeta(200, headers, 'https://api.example/v1/things?page=1', NOW_MS);

describe('what the headers of an answer say', () => {
  test.each<[Record<string, string>, unknown]>([
    [
      { 'x-ratelimit-limit': '10', 'x-ratelimit-remaining': '9', 'x-ratelimit-reset': '1767225660' },
      { limit: 10, remaining: 9, resetAt: '2026-01-01T00:01:00.000Z' },
    ],
    [{ 'x-ratelimit-reset': '1767225660000' }, { resetAt: '2026-01-01T00:01:00.000Z' }],
    [
      { 'x-rate-limit-remaining': '1', 'x-ratelimit-reset': '30' },
      { remaining: 1, resetAt: '2026-01-01T00:00:30.000Z' },
    ],
    [
      { 'ratelimit-limit': '100, 100;w=60', 'ratelimit-remaining': '50', 'ratelimit-reset': '5' },
      { limit: 100, remaining: 50, resetAt: '2026-01-01T00:00:05.000Z' },
    ],
    [{ ratelimit: 'limit=100, remaining=50, reset=5' }, { limit: 100, remaining: 50, resetAt: '2026-01-01T00:00:05.000Z' }],
    [
      { ratelimit: '"default";r=50;t=30', 'ratelimit-policy': '"default";q=100;w=60' },
      { limit: 100, remaining: 50, resetAt: '2026-01-01T00:00:30.000Z' },
    ],
    [{ 'x-ratelimit-reset': '1m30s' }, { resetAt: '2026-01-01T00:01:30.000Z' }],
  ])('rate limits: %j', (headers, expected) => {
    expect(meta(headers).rateLimit).toEqual(expected);
  });

  test.each([
    ['120', 120],
    ['Thu, 01 Jan 2026 00:02:00 GMT', 120],
    ['Thu, 01 Jan 2020 00:00:00 GMT', 0],
    ['soon', undefined],
  ])('retry-after: %s', (header, seconds) => {
    expect(meta({ 'retry-after': header }).retryAfterSeconds).toBe(seconds);
  });

  test.each<[string, Record<string, string> | undefined]>([
    ['<https://x/?a=1,2;3>; rel="next prev"', { next: 'https://x/?a=1,2;3', prev: 'https://x/?a=1,2;3' }],
    ['<?page=2>; REL=next', { next: 'https://api.example/v1/things?page=2' }],
    ['<https://x>; title="a; rel=\\"no\\", b"; rel="last"', { last: 'https://x/' }],
    ['<https://x>', undefined],
    ['nonsense, <', undefined],
    ['<javascript:alert(1)>; rel="__proto__"', undefined],
  ])('links: %s', (link, links) => {
    const found = meta({ link }).links;
    if (links === undefined) expect(Object.values(found ?? {}).filter((address) => address.startsWith('http'))).toEqual([]);
    else expect(found).toEqual(links);
  });

  test('whatever they hold, they are read in time', () => {
    const header = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '<'.repeat(60_000),
        `<a>${';a=1'.repeat(15_000)}`,
        `<a>${' ;'.repeat(30_000)}`,
        '9'.repeat(10_000),
        `limit=${'1'.repeat(9_000)}`,
        ' '.repeat(60_000),
      ),
    );
    const names = ['link', 'retry-after', 'x-ratelimit-reset', 'ratelimit', 'ratelimit-policy', 'x-ratelimit-limit'];
    fc.assert(
      fc.property(fc.constantFrom(...names), header, (name, value) => {
        const startedMs = performance.now();
        JSON.stringify(meta({ [name]: value }));
        return performance.now() - startedMs < 2_000;
      }),
      { numRuns: 300 },
    );
  });
});
