import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromTextColumn, toTextColumn } from './text-column.ts';

const hostileText = fc.string({ unit: fc.constantFrom('\u0000', '\u0010', '0', 'e', 'a', '\u{1f600}', '\n') });

test('every text comes back as it was, and none carries NUL to the database', () => {
  fc.assert(
    fc.property(fc.oneof(hostileText, fc.string({ unit: 'binary' })), (text) => {
      const column = toTextColumn(text);
      expect(column).not.toContain('\u0000');
      expect(fromTextColumn(column)).toBe(text);
    }),
  );
});
