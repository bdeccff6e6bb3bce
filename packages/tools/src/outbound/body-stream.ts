import type { Readable } from 'node:stream';

/** The most of one answer, or of one event of a stream, that is passed on to who reads it as it comes. */
const ANSWER_LIMIT_BYTES = 24 * 1024 * 1024;

const LF = 0x0a;
const CR = 0x0d;

/**
 * A body for who reads it as it comes. It ends with an error past the limit; an event stream may go on for ever, a single event may
 * not. (`Readable.toWeb` throws into the void when a body that is being read is cancelled.)
 */
export function bodyStream(body: Readable, isEventStream: boolean): ReadableStream<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  const count = isEventStream ? countEvent() : countAll();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done) {
        controller.close();
      } else if (count(value) <= ANSWER_LIMIT_BYTES) {
        controller.enqueue(value);
      } else {
        body.destroy();
        throw new Error(`The answer is larger than ${ANSWER_LIMIT_BYTES / 1024 / 1024} MB`);
      }
    },
    cancel() {
      body.destroy();
    },
  });
}

function countAll(): (chunk: Uint8Array) => number {
  let bytes = 0;
  return (chunk) => {
    bytes += chunk.byteLength;
    return bytes;
  };
}

/** Bytes since the last empty line. */
function countEvent(): (chunk: Uint8Array) => number {
  let bytes = 0;
  let isLineEmpty = true;
  return (chunk) => {
    for (const byte of chunk) {
      bytes += 1;
      if (byte === LF) {
        if (isLineEmpty) bytes = 0;
        isLineEmpty = true;
      } else if (byte !== CR) isLineEmpty = false;
    }
    return bytes;
  };
}
