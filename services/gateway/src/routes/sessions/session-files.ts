import type { Readable } from 'node:stream';
import type { Executions } from '@code-executor/executions';
import { AppError } from '@code-executor/platform';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { GatewayApp } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { listOf } from '../../validation/fields.ts';
import { errorResponses } from '../../validation/route-responses.ts';
import { fileContent, sendFile } from '../send-file.ts';

const fileSchema = z.object({ path: z.string(), bytes: z.int() });
export const sessionParams = z.strictObject({ id: z.string() });
const fileParams = sessionParams.extend({ '*': z.string() });
const FILE_LIMIT_BYTES = 64 * 1024 * 1024;

/** Files of a session's /workspace, as raw bytes. */
export function registerSessionFileRoutes(app: GatewayApp, sessions: () => NonNullable<Executions['sessions']>): void {
  app.get(
    '/sessions/:id/files',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'Files of a session',
        params: sessionParams,
        response: { 200: listOf(fileSchema), ...errorResponses(['NOT_FOUND', 'SESSION_NOT_FOUND', 'SESSION_BUSY']) },
      },
    },
    async (request) => {
      const items = await sessions().files(principalOf(request), request.params.id);
      return { items, total: items.length, nextCursor: null };
    },
  );

  app.get(
    '/sessions/:id/files/*',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'One file of a session',
        params: fileParams,
        response: {
          200: fileContent,
          ...errorResponses(['NOT_FOUND', 'SESSION_NOT_FOUND', 'SESSION_BUSY', 'FILE_NOT_FOUND', 'FILE_TOO_LARGE']),
        },
      },
    },
    async (request, reply) => {
      const { id, '*': path } = request.params;
      return sendFile(reply, await sessions().readFile(principalOf(request), id, path));
    },
  );

  // In a scope of its own, because the body is no JSON here, whatever its type says.
  void app.register(async (scope: GatewayApp) => {
    takeRawBodies(scope);
    scope.put(
      '/sessions/:id/files/*',
      {
        config: { access: 'agent' },
        bodyLimit: FILE_LIMIT_BYTES,
        schema: {
          summary: 'Put a file into a session',
          description: 'The body is the file, up to 64 MB, of any content type. Folders on the way are made.',
          params: fileParams,
          response: {
            200: fileSchema,
            ...errorResponses([
              'NOT_FOUND',
              'SESSION_NOT_FOUND',
              'SESSION_BUSY',
              'FILE_TOO_LARGE',
              'BODY_TOO_LARGE',
              'UNSUPPORTED_MEDIA_TYPE',
            ]),
          },
        },
      },
      async (request) => {
        const { id, '*': path } = request.params;
        return await sessions().writeFile(principalOf(request), id, path, (request.body ?? request.raw) as Readable);
      },
    );
  });
}

function takeRawBodies(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (request, payload, done) => {
    const encoding = request.headers['content-encoding'];
    if (encoding === undefined || encoding === 'identity') done(null, payload);
    else done(new AppError('UNSUPPORTED_MEDIA_TYPE', 'Content-Encoding is not understood here; send the file as it is.'));
  });
}
