import { AppError } from '@code-executor/platform';
import type { FastifyRequest } from 'fastify';
import type { ProxyApp } from '../../proxy-app.ts';

/** In a scope of its own, because the body is no JSON there: it reaches the route as a stream. */
export function takeRawBodies(scope: ProxyApp): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
}

/** What the sender says it will be; Fastify refuses what is above the route's limit, and Node what differs. @throws AppError INVALID_REQUEST */
export function bytesOf({ headers }: FastifyRequest): number {
  const bytes = Number(headers['content-length']);
  if (Number.isSafeInteger(bytes) && bytes >= 0) return bytes;
  throw new AppError('INVALID_REQUEST', 'A file is sent with its Content-Length');
}
