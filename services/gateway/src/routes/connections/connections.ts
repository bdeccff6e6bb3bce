import {
  type ConnectionRecord,
  connectionChangeSchema,
  connectionCheckSchema,
  connectionRecordSchema,
  newConnectionSchema,
} from '@code-executor/contracts';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { cursor, listOf, noBody, queryInt } from '../../validation/fields.ts';
import { errorResponses, WITH_BODY } from '../../validation/route-responses.ts';
import { publicUrlOf } from '../approvals/public-url.ts';
import { CALLBACK_PATH } from './oauth-callback.ts';

const params = z.strictObject({ id: z.string().min(1).max(64) });
/** A reference to where a value lies, or to the upstream, may be wrong in ways that only a look at it tells. */
const CHANGE_ERRORS = [...WITH_BODY, 'CONNECTION_NOT_FOUND', 'TOOLS_UNAVAILABLE'] as const;

/** With which credentials integrations are called. No answer here holds a secret. */
export function registerConnectionRoutes(app: GatewayApp, { tools, config, closing }: RouteDeps): void {
  app.get(
    '/connections',
    {
      config: { access: 'operator' },
      schema: {
        summary: 'Every connection, without its values',
        querystring: z.strictObject({
          integration: z.string().min(1).max(128).optional(),
          limit: queryInt(1, 500, 100),
          cursor: cursor.optional(),
        }),
        response: { 200: listOf(connectionRecordSchema), ...errorResponses(['TOOLS_UNAVAILABLE']) },
      },
    },
    async (request) => {
      const { items, total, nextCursor } = await tools.listConnections(principalOf(request), request.query);
      return { items: [...items], total, nextCursor };
    },
  );

  app.post(
    '/connections',
    {
      config: { access: 'operator', audit: { type: 'connection.create', details: (request) => auditOf(request.body) } },
      schema: {
        summary: 'Add a connection',
        description:
          'Values are taken and never given back. Each may be a text, or `{"provider", "key"}`: where it is read at each use. The first connection of an integration and owner becomes its default.',
        body: newConnectionSchema,
        response: {
          201: connectionRecordSchema,
          ...errorResponses([...WITH_BODY, 'SERVER_NOT_FOUND', 'CONNECTION_EXISTS', 'TOOLS_UNAVAILABLE']),
        },
      },
    },
    async (request, reply) => {
      const record = await tools.addConnection(principalOf(request), request.body);
      return reply.code(201).header('location', `/connections/${record.id}`).send(record);
    },
  );

  app.get(
    '/connections/:id',
    {
      config: { access: 'operator' },
      schema: {
        summary: 'One connection, without its values',
        params,
        response: { 200: connectionRecordSchema, ...errorResponses(['CONNECTION_NOT_FOUND', 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request): Promise<ConnectionRecord> => tools.getConnection(principalOf(request), request.params.id),
  );

  app.patch(
    '/connections/:id',
    {
      config: { access: 'operator', audit: { type: 'connection.change', details: (request) => auditOf(request.body) } },
      schema: {
        summary: 'Give a connection new values, or make it the default',
        params,
        body: connectionChangeSchema,
        response: { 200: connectionRecordSchema, ...errorResponses(CHANGE_ERRORS) },
      },
    },
    async (request) => tools.changeConnection(principalOf(request), request.params.id, request.body),
  );

  app.delete(
    '/connections/:id',
    {
      config: { access: 'operator', audit: { type: 'connection.remove' } },
      schema: {
        summary: 'Remove a connection with its values and tokens',
        params,
        response: { 204: z.undefined().describe('Removed'), ...errorResponses(['CONNECTION_NOT_FOUND', 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request, reply) => {
      await tools.removeConnection(principalOf(request), request.params.id);
      return reply.code(204).send();
    },
  );

  app.post(
    '/connections/:id/validate',
    {
      config: { access: 'operator' },
      schema: {
        summary: 'Try a connection with a request that changes nothing',
        params,
        body: noBody,
        response: { 200: connectionCheckSchema, ...errorResponses(CHANGE_ERRORS) },
      },
    },
    async (request, reply) => tools.validateConnection(principalOf(request), request.params.id, closing.answerSignal(reply)),
  );

  app.post(
    '/connections/:id/oauth/start',
    {
      config: { access: 'operator' },
      schema: {
        summary: 'Begin an authorization',
        description:
          "A person opens `url` in a browser and consents there. It comes back to this gateway's /oauth/callback within ten minutes.",
        params,
        body: noBody,
        response: {
          200: z.object({ url: z.string(), expiresAt: z.string() }),
          ...errorResponses([...CHANGE_ERRORS, 'CONNECTION_BROKEN', 'CONNECTION_UNAVAILABLE', 'OUTBOUND_REFUSED']),
        },
      },
    },
    async (request) => tools.startAuthorization(principalOf(request), request.params.id, `${publicUrlOf(app, config)}${CALLBACK_PATH}`),
  );
}

/** What the record keeps of a body: nothing of `auth` but its type. */
function auditOf(body: unknown): Record<string, unknown> {
  const { integration, name, owner, auth, default: isDefault } = (body ?? {}) as Record<string, unknown>;
  const type = typeof auth === 'object' && auth !== null && 'type' in auth ? auth.type : undefined;
  return { integration, name, owner, authType: type, default: isDefault };
}
