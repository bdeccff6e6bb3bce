import { newSkillSchema, skillNameSchema, skillSchema, skillSummarySchema } from '@code-executor/contracts';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { cursor, listOf, queryInt } from '../../validation/fields.ts';
import { errorResponses, WITH_BODY } from '../../validation/route-responses.ts';
import { checkPython } from './check-python.ts';

const params = z.strictObject({ name: skillNameSchema });
const version = z
  .preprocess((value) => (typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value), z.int().min(1))
  .optional()
  .meta({ type: 'integer', minimum: 1 });

/** Programs that are kept under a name, for every agent. */
export function registerSkillRoutes(app: GatewayApp, deps: RouteDeps): void {
  const { tools, closing } = deps;
  app.get(
    '/skills',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'Every skill',
        description: 'The newest version of each. GET /tools/search finds them as the tools of the server `skills`.',
        querystring: z.strictObject({ limit: queryInt(1, 1_000, 200), cursor: cursor.optional() }),
        response: { 200: listOf(skillSummarySchema), ...errorResponses(['TOOLS_UNAVAILABLE']) },
      },
    },
    async (request) => {
      const page = await tools.listSkills(principalOf(request), request.query);
      return { ...page, items: [...page.items] };
    },
  );

  app.get(
    '/skills/:name',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'One skill with its code',
        params,
        querystring: z.strictObject({ version }),
        response: { 200: skillSchema, ...errorResponses(['SKILL_NOT_FOUND', 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request) => tools.getSkill(principalOf(request), request.params.name, request.query.version),
  );

  app.post(
    '/skills',
    {
      config: {
        access: 'operator',
        audit: {
          type: 'skill.save',
          details: ({ body }) => (({ name, language }) => ({ name, language }))(body as { name?: unknown; language?: unknown }),
        },
      },
      schema: {
        summary: 'Save a program as a skill',
        description: 'One of the same name becomes its next version, which programs that start from now on import.',
        body: newSkillSchema,
        response: {
          201: skillSchema,
          ...errorResponses([...WITH_BODY, 'SKILL_INVALID', 'SKILL_LIMIT', 'QUEUE_FULL', 'TOOLS_UNAVAILABLE']),
        },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const { language, code } = request.body;
      if (language === 'python') await checkPython(principal, code, { requestId: request.id, signal: closing.answerSignal(reply) }, deps);
      const skill = await tools.saveSkill(principal, request.body);
      return reply.code(201).header('location', `/skills/${skill.name}`).send(skill);
    },
  );

  app.delete(
    '/skills/:name',
    {
      config: { access: 'operator', audit: { type: 'skill.remove' } },
      schema: {
        summary: 'Remove a skill',
        description: 'With every version. Programs that run keep what they have imported.',
        params,
        response: { 204: z.undefined().describe('Removed'), ...errorResponses(['SKILL_NOT_FOUND', 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request, reply) => {
      await tools.removeSkill(principalOf(request), request.params.name);
      return reply.code(204).send();
    },
  );
}
