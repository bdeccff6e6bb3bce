import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readSessionMessage, type SessionMessage, writeSessionMessage } from './session-messages.ts';

const word = fc.stringMatching(/^[\w.-]{1,60}$/);
const message: fc.Arbitrary<SessionMessage> = fc.oneof(
  fc.record({ kind: fc.constant('run' as const), workerId: word, executionId: word }),
  fc.record({ kind: fc.constant('look' as const), workerId: word }),
  fc.record({ kind: fc.constant('done' as const), transferId: word }),
);

test('a message is read as it was written', () => {
  fc.assert(
    fc.property(message, (written) => {
      expect({ ...readSessionMessage(writeSessionMessage(written)) }).toEqual({ ...written });
    }),
  );
});

test('anything else is no message, and no fault', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 500 }), (text) => {
      const read = readSessionMessage(text);
      if (read !== null) expect(text.slice(0, 300)).toBe(writeSessionMessage(read));
    }),
  );
});
