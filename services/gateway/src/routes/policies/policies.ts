import {
  idPattern,
  newPolicySchema,
  policyChangeSchema,
  policyPreviewAnswerSchema,
  policyPreviewSchema,
  policyRecordSchema,
} from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { listOf } from '../../validation/fields.ts';
import { errorResponses, WITH_BODY } from '../../validation/route-responses.ts';

const params = z.strictObject({ id: z.string() });

/** What agents may do. */
export function registerPolicyRoutes(app: GatewayApp, { tools }: RouteDeps): void {
  app.get(
    '/policies',
    {
      config: { access: 'operator' },
      schema: {
        summary: 'Every policy',
        description: 'With `derived=true` also what follows from each server itself, where no rule decides.',
        querystring: z.strictObject({ derived: z.enum(['true', 'false']).default('false') }),
        response: { 200: listOf(policyRecordSchema), ...errorResponses(['TOOLS_UNAVAILABLE']) },
      },
    },
    async (request) => {
      const items = [...(await tools.listPolicies(principalOf(request), { derived: request.query.derived === 'true' }))];
      return { items, total: items.length, nextCursor: null };
    },
  );

  app.post(
    '/policies',
    {
      config: { access: 'admin', audit: { type: 'policy.create', details: ({ body }) => body } },
      schema: {
        summary: 'Add a policy',
        description: 'One of the same pattern, conditions and principals is replaced.',
        body: newPolicySchema,
        response: { 201: policyRecordSchema, ...errorResponses([...WITH_BODY, 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request, reply) => {
      const policy = await tools.addPolicy(principalOf(request), request.body);
      return reply.code(201).header('location', `/policies/${policy.id}`).send(policy);
    },
  );

  app.post(
    '/policies/preview',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'What would be decided on a call, and why',
        description: 'Nothing is called or counted. An agent may ask for itself only.',
        body: policyPreviewSchema,
        response: {
          200: policyPreviewAnswerSchema,
          ...errorResponses([...WITH_BODY, 'SERVER_NOT_FOUND', 'TOOL_NOT_FOUND', 'INVALID_ARGUMENTS', 'TOOLS_UNAVAILABLE']),
        },
      },
    },
    async (request) => tools.previewPolicy(principalOf(request), request.body),
  );

  app.patch(
    '/policies/:id',
    {
      config: { access: 'admin', audit: { type: 'policy.change', details: ({ body }) => body } },
      schema: {
        summary: 'Change a policy',
        description: 'What is absent stays as it is; null takes conditions, principals, limits or the note away.',
        params,
        body: policyChangeSchema,
        response: { 200: policyRecordSchema, ...errorResponses([...WITH_BODY, 'POLICY_NOT_FOUND', 'POLICY_EXISTS', 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request) => tools.changePolicy(principalOf(request), policyIdOf(request.params.id), request.body),
  );

  app.delete(
    '/policies/:id',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'Remove a policy',
        params,
        response: { 204: z.undefined().describe('Removed'), ...errorResponses(['POLICY_NOT_FOUND', 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request, reply) => {
      await tools.removePolicy(principalOf(request), policyIdOf(request.params.id));
      return reply.code(204).send();
    },
  );
}

function policyIdOf(id: string): string {
  if (idPattern('pol').test(id)) return id;
  if (/^source:[\w-]{1,64}$/.test(id))
    throw new AppError('INVALID_REQUEST', `${id} follows from the server: change its trust, or add a rule of yours that covers it.`);
  throw new AppError('POLICY_NOT_FOUND', `There is no policy ${JSON.stringify(id.slice(0, 60))}; GET /policies lists them.`);
}
