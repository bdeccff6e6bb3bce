import { AppError } from '@code-executor/platform';
import { DOCUMENT_CONTENT_TYPE } from '@code-executor/tools';
import type { z } from 'zod';
import type { ProxyApp } from '../proxy-app.ts';

/** Arguments of tools are any JSON, `__proto__` included, which Fastify's own parser would refuse; nothing here merges them. */
export function registerJsonBody(app: ProxyApp): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, JSON.parse(body as string));
    } catch (error) {
      done(new AppError('MALFORMED_JSON', 'The body is no JSON', { cause: error }));
    }
  });
  app.addContentTypeParser(DOCUMENT_CONTENT_TYPE, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
}

/** A question as JSON, and the document behind it. @throws AppError MALFORMED_JSON */
export function readDocumentBody(body: unknown): { readonly head: unknown; readonly document: Uint8Array } {
  const end = Buffer.isBuffer(body) ? body.indexOf('\n') : -1;
  if (!Buffer.isBuffer(body) || end === -1) throw new AppError('MALFORMED_JSON', 'The body is no question with a document behind it');
  try {
    return { head: JSON.parse(body.toString('utf8', 0, end)), document: body.subarray(end + 1) };
  } catch (error) {
    throw new AppError('MALFORMED_JSON', 'The body does not begin with JSON', { cause: error });
  }
}

/** The body of a service that may be compromised, or of another version. @throws AppError INVALID_REQUEST naming each wrong field. */
export function readBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.slice(0, 10).map(({ path, message }) => `${path.map(String).join('.') || 'body'}: ${message}`);
  throw new AppError('INVALID_REQUEST', problems.join('; ').slice(0, 2_000));
}
