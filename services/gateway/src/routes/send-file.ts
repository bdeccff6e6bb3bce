import type { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';

/** The answer of a route that sends one. */
export const fileContent = z.string().describe('The bytes of the file, as application/octet-stream.');

/** Bytes that a program wrote: no browser may take them for a page of ours. */
export function sendFile(reply: FastifyReply, { bytes, content }: { readonly bytes: number; readonly content: Readable }): FastifyReply {
  return reply
    .headers({
      'content-type': 'application/octet-stream',
      'content-length': bytes,
      'content-disposition': 'attachment',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
    })
    .send(content);
}
