import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FRAME, type Frame } from './frame-channel.ts';
import { createFrameReader } from './frame-reader.ts';

const CAPS = { callBytes: 64, resultBytes: 1024, otherBytes: 128 };

describe('the frame reader', () => {
  it('gives back the frames that were written, however the bytes are cut', () => {
    const frame = fc.record({
      type: fc.constantFrom(FRAME.READY, FRAME.CALL, FRAME.RESULT, FRAME.FAILURE, FRAME.DISCOVER, FRAME.STARTED),
      payload: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 20 }), fc.infiniteStream(fc.integer({ min: 1, max: 40 })), (frames, cuts) => {
        const reader = createFrameReader(CAPS);
        const read: Frame[] = [];
        const bytes = Buffer.concat(frames.map(encode));
        for (let at = 0; at < bytes.length; ) {
          const end = at + (cuts.next().value ?? 1);
          reader.push(bytes.subarray(at, end));
          at = end;
          for (let next = reader.next(); next !== null; next = reader.next()) {
            if ('reason' in next) throw new Error(next.reason);
            read.push(next);
          }
        }
        expect(read).toEqual(frames);
      }),
    );
  });

  it('refuses a frame by its header alone when it is too long for its type', () => {
    for (const [type, cap] of [
      [FRAME.CALL, 64],
      [FRAME.RESULT, 1024],
      [FRAME.STARTED, 128],
    ] as const) {
      for (const length of [cap, cap + 1, 1024 ** 3, 2 ** 32 - 1]) {
        const reader = createFrameReader(CAPS);
        const head = Buffer.alloc(5);
        head.writeUInt32BE(length, 0);
        head.writeUInt8(type, 4);
        reader.push(head);
        expect(reader.next()).toEqual(length <= cap ? null : { reason: 'frame_too_large', type, bytes: length });
      }
    }
  });

  it('refuses types that nothing inside may send', () => {
    const known: number[] = [FRAME.READY, FRAME.CALL, FRAME.RESULT, FRAME.FAILURE, FRAME.DISCOVER, FRAME.STARTED];
    for (let type = 0; type < 256; type += 1) {
      const reader = createFrameReader(CAPS);
      reader.push(encode({ type, payload: Buffer.from('{}') }));
      expect('reason' in (reader.next() ?? {}), String(type)).toBe(!known.includes(type));
    }
  });
});

function encode({ type, payload }: Frame): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(payload.length, 0);
  head.writeUInt8(type, 4);
  return Buffer.concat([head, payload]);
}
