import type { Readable } from 'node:stream';
import { AppError } from '@code-executor/platform';

/** Reads all of it, as long as it is no larger. @throws AppError REPLY_TOO_LARGE, and the rest is not read. */
export async function readBody(body: Readable, maximumBytes: number, host: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength;
      if (bytes > maximumBytes) throw new AppError('REPLY_TOO_LARGE', `The answer of ${host} is larger than ${sizeOf(maximumBytes)}`);
      chunks.push(chunk);
    }
  } finally {
    body.destroy();
  }
  return Buffer.concat(chunks, bytes);
}

const sizeOf = (bytes: number): string => (bytes >= 1024 * 1024 ? `${Math.round(bytes / 1024 / 1024)} MB` : `${bytes} bytes`);
