import { AppError } from '@code-executor/platform';
import type { FastifyInstance } from 'fastify';
import { parseJsonBody } from '../body/parse-json.ts';

/** JSON in UTF-8 is the only kind of body, read by our own strict parser. */
export function registerJsonBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
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
      done(null, parseJsonBody(body as Buffer));
    } catch (error) {
      done(error instanceof Error ? error : new AppError('INTERNAL', 'the body parser threw', { cause: error }));
    }
  });
}
