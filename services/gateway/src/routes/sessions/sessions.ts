import { AppError } from '@code-executor/platform';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { listOf } from '../../validation/fields.ts';
import { errorResponses } from '../../validation/route-responses.ts';
import { registerSessionFileRoutes, sessionParams } from './session-files.ts';

const sessionSchema = z.object({
  sessionId: z.string(),
  language: z.string(),
  status: z.enum(['idle', 'busy']),
  createdAt: z.string(),
  expiresAt: z.string().nullable().describe('when it ends unless it is used; null while it is in use'),
  executions: z.int(),
});

/** Sandboxes that stay between executions. `POST /execute` with a `sessionId` begins one. */
export function registerSessionRoutes(app: GatewayApp, { executions }: RouteDeps): void {
  const sessions = () => {
    if (executions.sessions !== undefined) return executions.sessions;
    throw new AppError('NOT_FOUND', 'This service keeps no sessions.');
  };

  app.get(
    '/sessions',
    {
      config: { access: 'agent' },
      schema: { summary: "The key's own sessions", response: { 200: listOf(sessionSchema), ...errorResponses(['NOT_FOUND']) } },
    },
    async (request) => {
      const items = await sessions().list(principalOf(request));
      return { items, total: items.length, nextCursor: null };
    },
  );

  app.delete(
    '/sessions/:id',
    {
      config: { access: 'agent', audit: { type: 'session.end' } },
      schema: {
        summary: 'End a session, with its files and variables',
        params: sessionParams,
        response: {
          204: z.null().describe('It has ended.'),
          ...errorResponses(['NOT_FOUND', 'SESSION_NOT_FOUND', 'SESSION_BUSY']),
        },
      },
    },
    async (request, reply) => {
      await sessions().end(principalOf(request), request.params.id);
      return reply.code(204).send(null);
    },
  );

  registerSessionFileRoutes(app, sessions);
}
