import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseHostileJson } from './checked-json.ts';
import { type PositionMap, toUserPosition } from './position-map.ts';
import { createProgramOutput } from './program-output.ts';
import { isValidJson } from './validate-json.ts';

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

describe('JSON from inside', () => {
  test('is judged as JSON.parse judges it', async () => {
    const nearJson = fc.oneof(
      fc.json(),
      fc
        .json()
        .chain((text) =>
          fc
            .tuple(fc.nat(text.length), fc.nat(3), fc.string({ maxLength: 2 }))
            .map(([at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut)),
        ),
      fc
        .array(
          fc.constantFrom('{', '}', '[', ']', ',', ':', '"a"', '1', '-', '0', '1.5e+3', 'true', 'null', ' ', '\n', '"\\u00e9"', '"\\x"'),
          { maxLength: 12 },
        )
        .map((parts) => parts.join('')),
    );
    await fc.assert(
      fc.asyncProperty(nearJson, async (text) => {
        expect(await isValidJson(Buffer.from(text), 100)).toBe(isJson(Buffer.from(text).toString()));
        expect(parseHostileJson(text, 100) !== null).toBe(isJson(text));
      }),
      { numRuns: 2000 },
    );
  });

  test('nests as deep as it may and no deeper', async () => {
    const nested = (depth: number): string => `${'['.repeat(depth)}"]["${']'.repeat(depth)}`;
    expect([await isValidJson(Buffer.from(nested(10)), 10), await isValidJson(Buffer.from(nested(11)), 10)]).toEqual([true, false]);
    expect([parseHostileJson(nested(10), 10) !== null, parseHostileJson(nested(11), 10) !== null]).toEqual([true, false]);
    expect(parseHostileJson('['.repeat(1e6), 128)).toBeNull();
  });

  test('long texts let the event loop turn', async () => {
    let turns = 0;
    const count = setInterval(() => {
      turns += 1;
    }, 0);
    await isValidJson(Buffer.from(`[${'[],'.repeat(3_000_000)}0]`), 10);
    clearInterval(count);
    expect(turns).toBeGreaterThan(3);
  });
});

describe('output', () => {
  const collect = (chunks: readonly Buffer[]): { live: string; kept: ReturnType<ReturnType<typeof createProgramOutput>['finish']> } => {
    let live = '';
    const output = createProgramOutput((text) => {
      live += text;
    });
    for (const chunk of chunks) output.push(chunk);
    return { kept: output.finish(), live };
  };

  test('is decoded across chunks as it is whole', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(200)), (bytes, cuts) => {
        const whole = Buffer.from(bytes);
        const edges = [0, ...cuts.filter((cut) => cut < whole.length).toSorted((a, b) => a - b), whole.length];
        const { kept, live } = collect(edges.slice(1).map((edge, index) => whole.subarray(edges[index], edge)));
        expect(kept).toEqual({ output: whole.toString('utf8'), truncated: false, droppedBytes: 0, outputBytes: whole.length });
        expect(live).toBe(whole.toString('utf8'));
      }),
    );
  });

  test('keeps head and tail, cuts no character, and counts exactly what it drops', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('a', 'é', '€', '🦀'),
        fc.integer({ min: 30_000, max: 70_000 }),
        fc.integer({ min: 1, max: 50_000 }),
        fc.nat(3),
        (unit, count, size, lead) => {
          const whole = Buffer.from('x'.repeat(lead) + unit.repeat(count));
          const chunks = Array.from({ length: Math.ceil(whole.length / size) }, (_, index) =>
            whole.subarray(index * size, (index + 1) * size),
          );
          const { kept } = collect(chunks);
          expect(kept.output).not.toContain('\ufffd');
          const [head = '', tail] = kept.output.split(/\n… \d+ bytes dropped …\n/);
          expect(Buffer.byteLength(head) + Buffer.byteLength(tail ?? '') + kept.droppedBytes).toBe(whole.length);
          expect(kept.truncated).toBe(whole.length > 100 * 1024);
          expect(Buffer.byteLength(head)).toBeLessThanOrEqual(kept.truncated ? 64 * 1024 : 100 * 1024);
        },
      ),
      { numRuns: 60 },
    );
  });
});

test('positions behind, inside and before insertions, and in moved blocks, become the user’s own', () => {
  const map: PositionMap = {
    inserted: [
      { line: 2, column: 5, length: 10 },
      { line: 2, column: 30, length: 4 },
    ],
    moved: [{ line: 9, lines: 2, fromLine: 3, fromColumn: 7 }],
  };
  const at = (line: number, column: number): [number, number] => {
    const user = toUserPosition(map, { line, column });
    return [user.line, user.column];
  };
  expect([at(1, 8), at(2, 4), at(2, 5), at(2, 9), at(2, 15), at(2, 20), at(2, 40)]).toEqual([
    [1, 8],
    [2, 4],
    [2, 5],
    [2, 5],
    [2, 5],
    [2, 10],
    [2, 26],
  ]);
  expect([at(9, 1), at(9, 4), at(10, 4), at(11, 1)]).toEqual([
    [3, 7],
    [3, 10],
    [4, 4],
    [11, 1],
  ]);
});
