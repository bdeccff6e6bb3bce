/** The most of one answer, or of one event of a stream, that is passed on to who reads it as it comes. */
const ANSWER_LIMIT_BYTES = 24 * 1024 * 1024;

const LF = 0x0a;
const CR = 0x0d;

/** Ends with an error past the limit. An event stream may go on for ever; a single event may not. */
export function boundedStream(isEventStream: boolean): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  let isLineEmpty = true;
  return new TransformStream({
    transform(chunk, controller) {
      if (isEventStream) {
        for (const byte of chunk) {
          bytes += 1;
          if (byte === LF) {
            if (isLineEmpty) bytes = 0;
            isLineEmpty = true;
          } else if (byte !== CR) isLineEmpty = false;
        }
      } else bytes += chunk.byteLength;
      if (bytes > ANSWER_LIMIT_BYTES) controller.error(new Error(`The answer is larger than ${ANSWER_LIMIT_BYTES / 1024 / 1024} MB`));
      else controller.enqueue(chunk);
    },
  });
}
