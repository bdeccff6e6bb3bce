import { idPattern, POLICY_ACTIONS } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { listOf } from '../../validation/fields.ts';
import { errorResponses, WITH_BODY } from '../../validation/route-responses.ts';

const policySchema = z.object({ id: z.string(), pattern: z.string(), action: z.enum(POLICY_ACTIONS), createdAt: z.string() });

/** What agents may do. */
export function registerPolicyRoutes(app: GatewayApp, { tools }: RouteDeps): void {
  app.get(
    '/policies',
    {
      config: { access: 'operator' },
      schema: { summary: 'Every policy', response: { 200: listOf(policySchema), ...errorResponses(['TOOLS_UNAVAILABLE']) } },
    },
    async (request) => {
      const items = [...(await tools.listPolicies(principalOf(request)))];
      return { items, total: items.length, nextCursor: null };
    },
  );

  app.post(
    '/policies',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'Add a policy',
        body: z.strictObject({
          pattern: z
            .string()
            .min(1)
            .max(256)
            .regex(/^[\x21-\x7e]+$/)
            .describe('such as *, filesystem.* or github.issues.*: visible ASCII without spaces'),
          action: z.enum(POLICY_ACTIONS),
        }),
        response: { 201: policySchema, ...errorResponses([...WITH_BODY, 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request, reply) => {
      const policy = await tools.addPolicy(principalOf(request), request.body);
      return reply.code(201).header('location', `/policies/${policy.id}`).send(policy);
    },
  );

  app.delete(
    '/policies/:id',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'Remove a policy',
        params: z.strictObject({ id: z.string() }),
        response: { 204: z.undefined().describe('Removed'), ...errorResponses(['POLICY_NOT_FOUND', 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      if (!idPattern('pol').test(id))
        throw new AppError('POLICY_NOT_FOUND', `There is no policy ${JSON.stringify(id.slice(0, 60))}; GET /policies lists them.`);
      await tools.removePolicy(principalOf(request), id);
      return reply.code(204).send();
    },
  );
}
