import { FRAME, type Frame, type FrameCaps, type FrameViolation } from './frame-channel.ts';

export interface FrameReader {
  push(chunk: Buffer): void;
  /** The next whole frame, null while it is incomplete, or the violation after which nothing more can be read. */
  next(): Frame | FrameViolation | null;
}

/** Cuts a stream of bytes into frames. A frame's length is judged by its five header bytes, before any of it is kept. */
export function createFrameReader(caps: FrameCaps): FrameReader {
  let chunks: Buffer[] = [];
  let held = 0;
  let head: { readonly type: number; readonly bytes: number } | null = null;

  const take = (bytes: number): Buffer => {
    const first = chunks[0];
    if (first !== undefined && first.length >= bytes) {
      chunks[0] = first.subarray(bytes);
      if (first.length === bytes) chunks.shift();
      held -= bytes;
      return first.subarray(0, bytes);
    }
    const all = Buffer.concat(chunks, held);
    chunks = all.length > bytes ? [all.subarray(bytes)] : [];
    held -= bytes;
    return all.subarray(0, bytes);
  };

  return {
    push(chunk) {
      if (chunk.length === 0) return;
      chunks.push(chunk);
      held += chunk.length;
    },
    next() {
      if (head === null) {
        if (held < HEADER_BYTES) return null;
        const bytes = take(HEADER_BYTES);
        head = { bytes: bytes.readUInt32BE(0), type: bytes.readUInt8(4) };
        const cap = capOf(head.type, caps);
        if (cap === null) return { reason: 'unknown_type', type: head.type, bytes: head.bytes };
        if (head.bytes > cap) return { reason: 'frame_too_large', type: head.type, bytes: head.bytes };
      }
      if (held < head.bytes) return null;
      const frame = { type: head.type, payload: take(head.bytes) };
      head = null;
      return frame;
    },
  };
}

const HEADER_BYTES = 5;

/** Null: nothing inside may send this type. */
function capOf(type: number, caps: FrameCaps): number | null {
  switch (type) {
    case FRAME.CALL:
      return caps.callBytes;
    case FRAME.RESULT:
      return caps.resultBytes;
    case FRAME.READY:
    case FRAME.FAILURE:
    case FRAME.DISCOVER:
    case FRAME.STARTED:
      return caps.otherBytes;
    default:
      return null;
  }
}
