import { detectedIntegrationSchema, integrationChangesSchema, integrationRecordSchema } from '@code-executor/contracts';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { DOCUMENT_BODY_LIMIT_BYTES, registerDocumentBody } from '../../plugins/json-body.ts';
import { listOf } from '../../validation/fields.ts';
import { errorResponses, WITH_BODY } from '../../validation/route-responses.ts';
import { integrationChangeSchema, newIntegrationSchema } from './new-integration.ts';

const params = z.strictObject({ slug: z.string().min(1).max(128) });
const FROM_OUTSIDE = ['INTEGRATION_INVALID', 'INTEGRATION_UNREACHABLE', 'OUTBOUND_REFUSED', 'TOOLS_UNAVAILABLE'] as const;

/** Which API surfaces there are. */
export function registerIntegrationRoutes(app: GatewayApp, deps: RouteDeps): void {
  const { tools } = deps;
  app.get(
    '/integrations',
    {
      config: { access: 'operator' },
      schema: {
        summary: 'Every integration with its state',
        response: { 200: listOf(integrationRecordSchema), ...errorResponses(['TOOLS_UNAVAILABLE']) },
      },
    },
    async (request) => {
      const items = [...(await tools.listIntegrations(principalOf(request)))];
      return { items, total: items.length, nextCursor: null };
    },
  );

  app.get(
    '/integrations/:slug',
    {
      config: { access: 'operator' },
      schema: {
        summary: 'One integration',
        params,
        response: { 200: integrationRecordSchema, ...errorResponses(['SERVER_NOT_FOUND', 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request) => await tools.getIntegration(principalOf(request), request.params.slug),
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
    '/integrations/detect',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'What kind of API lies at an address',
        body: z.strictObject({ url: z.url({ protocol: /^https?$/ }).max(4_096) }),
        response: { 200: detectedIntegrationSchema, ...errorResponses([...WITH_BODY, ...FROM_OUTSIDE]) },
      },
    },
    async (request) => await tools.detectIntegration(principalOf(request), request.body.url),
  );

  // Of their own scope: their bodies carry documents.
  app.register(async (scope: GatewayApp) => {
    registerDocumentBody(scope);
    registerDocumentRoutes(scope, deps);
  });
}

function registerDocumentRoutes(scope: GatewayApp, { tools }: RouteDeps): void {
  scope.post(
    '/integrations',
    {
      bodyLimit: DOCUMENT_BODY_LIMIT_BYTES,
      config: { access: 'admin' },
      schema: {
        summary: 'Add an integration',
        body: newIntegrationSchema,
        response: { 201: integrationRecordSchema, ...errorResponses([...WITH_BODY, 'INTEGRATION_EXISTS', ...FROM_OUTSIDE]) },
      },
    },
    async (request, reply) => {
      const { document: _, ...fields } = request.body;
      const record = await tools.addIntegration(principalOf(request), { ...fields, document: request.document });
      return reply.code(201).header('location', `/integrations/${record.slug}`).send(record);
    },
  );

  scope.post(
    '/integrations/:slug/refresh',
    {
      bodyLimit: DOCUMENT_BODY_LIMIT_BYTES,
      config: { access: 'admin' },
      schema: {
        summary: 'List the tools of an integration again, or read its document anew',
        params,
        body: integrationChangeSchema,
        response: { 200: integrationChangesSchema, ...errorResponses([...WITH_BODY, 'SERVER_NOT_FOUND', ...FROM_OUTSIDE]) },
      },
    },
    async (request) => {
      const change = { baseUrl: request.body?.baseUrl, document: request.document };
      return await tools.refreshIntegration(principalOf(request), request.params.slug, change);
    },
  );
}
