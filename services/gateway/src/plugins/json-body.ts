import { DOCUMENT_LIMIT_BYTES } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseJsonBody } from '../body/parse-json.ts';
import { createLargeBodyReader } from '../body/read-large-body.ts';

/** JSON in UTF-8 is the only kind of body, read by our own strict parser. */
export function registerJsonBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      checkHeaders(request);
      done(null, parseJsonBody(body as Buffer));
    } catch (error) {
      done(error instanceof Error ? error : new AppError('INTERNAL', 'the body parser threw', { cause: error }));
    }
  });
}

/** As JSON, a document is longer by what has to be escaped in it. */
export const DOCUMENT_BODY_LIMIT_BYTES = 1.5 * DOCUMENT_LIMIT_BYTES;

/** For the routes of this scope, whose limit is `DOCUMENT_BODY_LIMIT_BYTES`: bodies with a document in them, which `request.document` holds afterwards. */
export function registerDocumentBody(scope: FastifyInstance): void {
  const readLargeBody = createLargeBodyReader();
  scope.decorateRequest('document', undefined);
  scope.removeContentTypeParser('application/json');
  scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (request: FastifyRequest, bytes: Buffer) => {
    checkHeaders(request);
    const { body, document } = await readLargeBody(bytes);
    if (document !== undefined && document.byteLength > DOCUMENT_LIMIT_BYTES)
      throw new AppError('BODY_TOO_LARGE', `The document is larger than ${DOCUMENT_LIMIT_BYTES / 1024 / 1024} MB.`);
    request.document = document;
    return body;
  });
}

/** @throws AppError UNSUPPORTED_MEDIA_TYPE */
function checkHeaders(request: FastifyRequest): void {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new AppError(
      'UNSUPPORTED_MEDIA_TYPE',
      `Content-Encoding ${JSON.stringify(encoding.slice(0, 50))} is not understood; send the body as it is.`,
    );
  }
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(request.headers['content-type'] ?? '')?.[1];
  if (charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset)) {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', `The body must be UTF-8, not ${JSON.stringify(charset.slice(0, 50))}.`);
  }
}
