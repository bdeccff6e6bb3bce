import type { Readable } from 'node:stream';
import { AppError } from '@code-executor/platform';
import { z } from 'zod';
import { grantOf } from '../../plugins/authenticate.ts';
import { readBody } from '../../plugins/json-body.ts';
import type { ProxyApp, RouteDeps } from '../../proxy-app.ts';
import { bytesOf, takeRawBodies } from './raw-bodies.ts';

const FILES_MAXIMUM = 64;
const FILE_LIMIT_BYTES = 64 * 1024 * 1024;
const text = z.string().max(300);
const indexBody = z.strictObject({
  index: z.strictObject({
    files: z
      .array(z.strictObject({ path: text, bytes: z.int().min(0).max(FILE_LIMIT_BYTES), name: z.string().regex(/^\d{1,2}$/) }))
      .max(FILES_MAXIMUM),
    omitted: z.array(z.strictObject({ path: text, reason: text })).max(1_000),
  }),
});

/** What executions leave behind, as their workers send it; it is theirs by the grant of their claim. */
export function registerArtifactRoutes(app: ProxyApp, { artifacts }: Pick<RouteDeps, 'artifacts'>): void {
  void app.register(async (scope: ProxyApp) => {
    takeRawBodies(scope);
    scope.put<{ Params: { id: string; name: string } }>(
      '/internal/executions/:id/artifacts/:name',
      { config: { caller: 'grant' }, bodyLimit: FILE_LIMIT_BYTES },
      async (request, reply) => {
        const { id, name } = request.params;
        const held = heldBy(grantOf(request), id);
        if (!/^\d{1,2}$/.test(name) || Number(name) >= FILES_MAXIMUM)
          throw new AppError('INVALID_REQUEST', 'Files are named by their number');
        await artifacts.keepFile(held, Number(name), request.body as Readable, bytesOf(request));
        return reply.code(204).send();
      },
    );
  });

  app.post<{ Params: { id: string } }>('/internal/executions/:id/artifacts', { config: { caller: 'grant' } }, async (request, reply) => {
    const held = heldBy(grantOf(request), request.params.id);
    await artifacts.keepIndex(held, readBody(indexBody, request.body).index);
    return reply.code(204).send();
  });
}

function heldBy({ grant }: ReturnType<typeof grantOf>, executionId: string): { readonly executionId: string; readonly token: number } {
  if (grant.executionId === executionId) return { executionId, token: grant.token };
  throw new AppError('FORBIDDEN', 'The grant is for another execution');
}
