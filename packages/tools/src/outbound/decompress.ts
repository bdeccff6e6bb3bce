import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createUnzip } from 'node:zlib';
import { AppError } from '@code-executor/platform';

/** What requests say that they accept. */
export const ACCEPTED_ENCODINGS = 'gzip, deflate, br';
/** More than anybody has a use for; each is another chance to multiply. */
const LAYERS = 2;

/** The body without its `Content-Encoding`. It flows no faster than it is read, so that who counts while reading is not flooded. */
export function decompressed(body: Readable, encoding: string): Readable {
  const layers = encoding
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  if (layers.length > LAYERS) throw unreadable(`it is compressed ${layers.length} times`);
  const streams = layers.reverse().map(decompressor);
  if (streams.length === 0) return body;
  const last = pipeline([body, ...streams], () => undefined) as unknown as Readable;
  // Who reads it meets its errors; see `send`.
  return last.on('error', () => undefined);
}

function decompressor(encoding: string): Transform {
  if (encoding === 'gzip' || encoding === 'x-gzip' || encoding === 'deflate') return createUnzip();
  if (encoding === 'br') return createBrotliDecompress();
  throw unreadable(`its Content-Encoding is ${encoding.slice(0, 40)}; ${ACCEPTED_ENCODINGS} are understood`);
}

const unreadable = (why: string): AppError => new AppError('UPSTREAM_LOST', `The answer cannot be read: ${why}`);
