import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inParts } from './in-parts.ts';

test('whatever pieces a stream comes in, its parts are the same bytes, a megabyte each but the last', async () => {
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 3 << 20 })), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(sizes, async (lengths) => {
      const chunks = lengths.map((length, index) => Buffer.alloc(length, index + 1));
      const parts: Buffer[] = [];
      for await (const part of inParts(Readable.from(chunks))) parts.push(part);
      expect(Buffer.concat(parts).equals(Buffer.concat(chunks))).toBe(true);
      expect(parts.slice(0, -1).every(({ length }) => length === 1 << 20)).toBe(true);
      expect(parts.every(({ length }) => length > 0)).toBe(true);
    }),
    { numRuns: 20 },
  );
});
