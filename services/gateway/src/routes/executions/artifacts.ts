import { AppError } from '@code-executor/platform';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { listOf } from '../../validation/fields.ts';
import { errorResponses } from '../../validation/route-responses.ts';
import { fileContent, sendFile } from '../send-file.ts';
import { executionIdOf, executionParams } from './executions.ts';

const artifactSchema = z.object({ path: z.string(), bytes: z.int() });
const artifactsSchema = listOf(artifactSchema).extend({
  omitted: z.array(z.object({ path: z.string(), reason: z.string() })).describe('what lay there and was not kept'),
});
const artifactParams = z.strictObject({ id: z.string(), '*': z.string() });

/** What an execution left in /workspace/artifacts, and its whole output where the answer has only part of it. */
export function registerArtifactRoutes(app: GatewayApp, { executions }: RouteDeps): void {
  const artifacts = () => {
    if (executions.artifacts !== undefined) return executions.artifacts;
    throw new AppError('NOT_FOUND', 'This service keeps no artifacts.');
  };

  app.get(
    '/executions/:id/artifacts',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'Files that an execution left',
        description: 'What lay in /workspace/artifacts at its end, and output.txt where its output was truncated.',
        params: executionParams,
        response: { 200: artifactsSchema, ...errorResponses(['EXECUTION_NOT_FOUND', 'NOT_FOUND']) },
      },
    },
    async (request) => {
      const { items, omitted } = await artifacts().list(principalOf(request), executionIdOf(request, request.params.id));
      return { items, total: items.length, nextCursor: null, omitted: [...omitted] };
    },
  );

  app.get(
    '/executions/:id/artifacts/*',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'One file that an execution left',
        params: artifactParams,
        response: { 200: fileContent, ...errorResponses(['EXECUTION_NOT_FOUND', 'FILE_NOT_FOUND', 'NOT_FOUND']) },
      },
    },
    async (request, reply) => {
      const { id, '*': path } = request.params;
      return sendFile(reply, await artifacts().open(principalOf(request), executionIdOf(request, id), path));
    },
  );
}
