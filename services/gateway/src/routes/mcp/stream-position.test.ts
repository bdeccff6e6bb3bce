import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventIdOf, positionOf } from './stream-position.ts';

const id = fc.oneof(fc.string({ maxLength: 100 }), fc.integer());
const position = fc.record({
  executionId: fc.constant('exe_01m7zmza270y2mqqmp7gy3h9eg'),
  afterEvent: fc.nat(),
  requestId: id,
  progressToken: fc.option(id),
  logLevel: fc.option(fc.constantFrom('debug', 'error')),
});

test('a place in a stream comes back from its id as it was, in characters that a header takes', () => {
  fc.assert(
    fc.property(position, (place) => {
      expect(positionOf(eventIdOf(place))).toEqual(place);
      expect(eventIdOf(place)).toMatch(/^[\w-]+$/);
    }),
  );
});

test('what clients make up is no place, and throws nothing', () => {
  const base64 = fc.anything().map((value) => Buffer.from(JSON.stringify(value) ?? '').toString('base64url'));
  fc.assert(
    fc.property(fc.oneof(fc.string(), base64, fc.string({ minLength: 2_000 })), (text) => {
      expect(positionOf(text)).toBeNull();
    }),
  );
});
