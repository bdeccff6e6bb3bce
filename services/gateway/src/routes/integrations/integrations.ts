import { INTEGRATION_KINDS, newIntegrationShape } from '@code-executor/contracts';
import type { IntegrationRecord } from '@code-executor/tools';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { listOf, noBody } from '../../validation/fields.ts';
import { errorResponses, WITH_BODY } from '../../validation/route-responses.ts';

const integrationSchema = z.object({
  slug: z.string(),
  kind: z.enum(INTEGRATION_KINDS),
  origin: z.enum(['file', 'api']),
  state: z.enum(['starting', 'ready', 'idle', 'broken', 'stopped']),
  reason: z.string().nullable().describe('why it is broken'),
  toolCount: z.int(),
  trust: z.union([z.boolean(), z.literal('annotations')]),
  warnings: z.array(z.string()),
  restarts: z.int(),
});

const newIntegrationSchema = z.strictObject(newIntegrationShape).superRefine((body, context) => {
  if ((body.url === undefined) === (body.command === undefined)) {
    context.addIssue({ code: 'custom', message: 'An integration of kind "mcp" has either "url" or "command" (with "args" and "env").' });
  }
  for (const field of ['args', 'env', 'cwd', 'sandbox'] as const) {
    if (body.url !== undefined && body[field] !== undefined) {
      context.addIssue({ code: 'custom', path: [field], message: 'goes with "command", not with "url"' });
    }
  }
  if (body.command !== undefined && body.headers !== undefined) {
    context.addIssue({ code: 'custom', path: ['headers'], message: 'goes with "url", not with "command"' });
  }
});

const params = z.strictObject({ slug: z.string().min(1).max(128) });

/** Which API surfaces there are. */
export function registerIntegrationRoutes(app: GatewayApp, { tools }: RouteDeps): void {
  app.get(
    '/integrations',
    {
      config: { access: 'operator' },
      schema: {
        summary: 'Every integration with its state',
        response: { 200: listOf(integrationSchema), ...errorResponses(['TOOLS_UNAVAILABLE']) },
      },
    },
    async (request) => {
      const items = (await tools.listIntegrations(principalOf(request))).map(answerOf);
      return { items, total: items.length, nextCursor: null };
    },
  );

  app.post(
    '/integrations',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'Add an integration',
        body: newIntegrationSchema,
        response: {
          201: integrationSchema,
          ...errorResponses([...WITH_BODY, 'INTEGRATION_EXISTS', 'INTEGRATION_INVALID', 'INTEGRATION_UNREACHABLE', 'TOOLS_UNAVAILABLE']),
        },
      },
    },
    async (request, reply) => {
      const record = await tools.addIntegration(principalOf(request), request.body);
      return reply.code(201).header('location', `/integrations/${record.slug}`).send(answerOf(record));
    },
  );

  app.get(
    '/integrations/:slug',
    {
      config: { access: 'operator' },
      schema: {
        summary: 'One integration',
        params,
        response: { 200: integrationSchema, ...errorResponses(['SERVER_NOT_FOUND', 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request) => answerOf(await tools.getIntegration(principalOf(request), request.params.slug)),
  );

  app.delete(
    '/integrations/:slug',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'Remove an integration',
        params,
        response: { 204: z.undefined().describe('Removed'), ...errorResponses(['SERVER_NOT_FOUND', 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request, reply) => {
      await tools.removeIntegration(principalOf(request), request.params.slug);
      return reply.code(204).send();
    },
  );

  app.post(
    '/integrations/:slug/refresh',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'List the tools of an integration again',
        params,
        body: noBody,
        response: {
          200: integrationSchema.extend({ added: z.array(z.string()), removed: z.array(z.string()), changed: z.array(z.string()) }),
          ...errorResponses([...WITH_BODY, 'SERVER_NOT_FOUND', 'INTEGRATION_UNREACHABLE', 'TOOLS_UNAVAILABLE']),
        },
      },
    },
    async (request) => {
      const record = await tools.refreshIntegration(principalOf(request), request.params.slug);
      return { ...answerOf(record), added: record.added, removed: record.removed, changed: record.changed };
    },
  );
}

const answerOf = (record: IntegrationRecord) => ({ ...record, warnings: [...record.warnings] });
