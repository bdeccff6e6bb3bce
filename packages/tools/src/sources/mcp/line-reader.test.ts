import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLineReader } from './line-reader.ts';

function read(
  chunks: readonly Buffer[],
  capBytes: number,
): { lines: string[]; oversized: { bytes: number; head: string; tail: string }[] } {
  const lines: string[] = [];
  const oversized: { bytes: number; head: string; tail: string }[] = [];
  const reader = createLineReader({ capBytes, onLine: (line) => lines.push(line), onOversized: (line) => oversized.push(line) });
  for (const chunk of chunks) reader.push(chunk);
  return { lines, oversized };
}

describe('lines of a stream', () => {
  it('do not depend on where the chunks end, characters of several bytes included', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n]/g, ''))),
        fc.array(fc.nat(20)),
        (texts, cuts) => {
          const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
          const chunks: Buffer[] = [];
          let start = 0;
          for (const cut of cuts) {
            chunks.push(bytes.subarray(start, start + cut));
            start += cut;
          }
          chunks.push(bytes.subarray(start));
          expect(read(chunks, 1_000_000).lines).toEqual(texts);
        },
      ),
    );
  });

  it('are dropped past the cap, with their size, beginning and end, and the next one is whole', () => {
    const long = `HEAD${'x'.repeat(5_000)}TAIL`;
    const bytes = Buffer.from(`before\n${long}\nafter\r\n`);
    for (const size of [1, 7, 600, 10_000]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
      const { lines, oversized } = read(chunks, 1_000);
      expect(lines).toEqual(['before', 'after']);
      expect(oversized).toHaveLength(1);
      expect(oversized[0]).toMatchObject({
        bytes: long.length,
        head: expect.stringMatching(/^HEADx+$/),
        tail: expect.stringMatching(/^x+TAIL$/),
      });
    }
  });
});
