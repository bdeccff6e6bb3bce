import { connectionRecordSchema, handoffSchema, handoffValuesSchema, idPattern } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { errorResponses, WITH_BODY } from '../../validation/route-responses.ts';

const params = z.strictObject({ id: z.string() });

/** Secrets that agents have asked for with `executor.connections.createHandoff`, entered by people. */
export function registerHandoffRoutes(app: GatewayApp, { tools }: RouteDeps): void {
  app.get(
    '/connections/handoffs/:id',
    {
      config: { access: 'operator' },
      schema: {
        summary: 'What a secret is asked for, and where it will be sent',
        description: 'A browser, which asks for text/html and brings no key, gets a page to enter it on.',
        params,
        response: { 200: handoffSchema, ...errorResponses(['HANDOFF_NOT_FOUND', 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request) => await tools.getHandoff(principalOf(request), handoffIdOf(request.params.id)),
  );

  app.post(
    '/connections/handoffs/:id',
    {
      config: { access: 'operator', audit: { type: 'connection.create' } },
      schema: {
        summary: 'Enter the secret: makes the connection, once',
        params,
        body: handoffValuesSchema,
        response: {
          201: connectionRecordSchema,
          ...errorResponses([
            ...WITH_BODY,
            'HANDOFF_NOT_FOUND',
            'HANDOFF_USED',
            'CONNECTION_EXISTS',
            'SERVER_NOT_FOUND',
            'TOOLS_UNAVAILABLE',
          ]),
        },
      },
    },
    async (request, reply) => {
      const record = await tools.completeHandoff(principalOf(request), handoffIdOf(request.params.id), request.body.values);
      return reply.code(201).header('location', `/connections/${record.id}`).send(record);
    },
  );
}

function handoffIdOf(id: string): string {
  if (idPattern('hnd').test(id)) return id;
  throw new AppError('HANDOFF_NOT_FOUND', 'There is no such handoff; the agent can ask for a new one.');
}
