import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scrubbed } from './reply-value.ts';
import { createScrub } from './secrets.ts';

const SECRET = 'sk-live/+4f~"é\\Zq9 x&<7';
const hide = createScrub([SECRET]);

describe('a secret is hidden', () => {
  const spellings: Record<string, string> = {
    'as it is': SECRET,
    'in JSON': JSON.stringify(SECRET),
    'in JSON within JSON': JSON.stringify(JSON.stringify(SECRET)),
    'in JSON with escaped slashes': JSON.stringify(SECRET).replaceAll('/', '\\/'),
    'in a URL': encodeURIComponent(SECRET),
    'in a URL, in lower case': encodeURIComponent(SECRET).replace(/%../g, (code) => code.toLowerCase()),
    'in a form': new URLSearchParams({ key: SECRET }).toString(),
    'in HTML': 'sk-live/+4f~&quot;é\\Zq9 x&amp;&lt;7',
    'in hexadecimal': Buffer.from(SECRET).toString('hex'),
    'in HEXADECIMAL': Buffer.from(SECRET).toString('hex').toUpperCase(),
    'in base64': Buffer.from(SECRET).toString('base64'),
    'in base64url': Buffer.from(SECRET).toString('base64url'),
    'in base64 behind a name': Buffer.from(`user:${SECRET}`).toString('base64'),
    'in base64 of a JSON text, one further': Buffer.from(`x${SECRET}yz`).toString('base64'),
    'in base64 of a JSON text, two further': Buffer.from(`xy${SECRET}z`).toString('base64url'),
  };
  test.each(Object.entries(spellings))('%s', (_how, text) => {
    const hidden = hide(`before ${text} after`);
    expect(hidden).toContain('[secret]');
    // Not one piece of eight characters of it is left.
    for (let at = 0; at + 8 <= text.length; at += 1) {
      const piece = text.slice(at, at + 8);
      if (/[A-Za-z0-9+/_-]{8}/.test(piece) && Buffer.from(SECRET).toString('base64').includes(piece)) expect(hidden).not.toContain(piece);
    }
  });

  test('wherever it stands in base64 of anything, so that what is left decodes to next to nothing of it', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 10, maxLength: 60 }),
        fc.uint8Array({ maxLength: 40 }),
        fc.uint8Array({ maxLength: 40 }),
        (secret, before, after) => {
          const text = Buffer.concat([before, Buffer.from(secret), after]).toString('base64');
          expect(createScrub([secret])(text)).toContain('[secret]');
        },
      ),
      { numRuns: 500 },
    );
  });

  test('in the names of a value as in its strings, and withheld where it comes in pieces', () => {
    expect(JSON.stringify(scrubbed({ [SECRET]: [SECRET, { deep: `Bearer ${SECRET}` }] }, hide))).toBe(
      '{"[secret]":["[secret]",{"deep":"Bearer [secret]"}]}',
    );
    for (const pieces of [
      [SECRET.slice(0, 9), SECRET.slice(9)],
      { first: SECRET.slice(0, 3), second: { third: SECRET.slice(3, 12) }, fourth: SECRET.slice(12) },
      [...SECRET],
      `${SECRET.slice(0, 9)}\n${SECRET.slice(9)}`,
      `first ${JSON.stringify(SECRET.slice(0, 9))}, then ${JSON.stringify(SECRET.slice(9))}`.replace(' then ', ' '),
      `${encodeURIComponent(SECRET.slice(0, 9))}\\n${encodeURIComponent(SECRET.slice(9))}`,
      [...SECRET].join(' - '),
    ])
      expect(scrubbed(pieces, hide)).toMatch(/^\[withheld/);
    expect(scrubbed({ a: 'sk-live', b: 'Zq9' }, hide)).toEqual({ a: 'sk-live', b: 'Zq9' });
  });

  test('at a cost that a large reply can bear', () => {
    const many = createScrub(Array.from({ length: 8 }, (_, index) => `${SECRET}${index}${'k'.repeat(40)}`));
    const text = 'lorem ipsum dolor sit amet '.repeat(300_000);
    const began = performance.now();
    expect(many(text)).toBe(text);
    // 8 MB against some 160 spellings; a machine ten times slower than this one still passes.
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});

test('what holds no secret comes back as the very same text', () => {
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => void (text.includes('sk-live') || expect(hide(text)).toBe(text))));
});
