import { APPROVAL_STATUSES, approvalDecisionSchema, approvalSchema, idPattern } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { ApprovalRecord } from '@code-executor/tools';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { cursor, listOf, queryInt } from '../../validation/fields.ts';
import { errorResponses, WITH_BODY } from '../../validation/route-responses.ts';

const shownSchema = approvalSchema.extend({ url: z.string().describe('where a person reads and decides it') });
const params = z.strictObject({ id: z.string() });

/** Decisions of people on calls that a policy does not let through without one. */
export function registerApprovalRoutes(app: GatewayApp, { tools, approvalUrl }: RouteDeps): void {
  const shown = (record: ApprovalRecord) => ({ ...record, url: approvalUrl(record.id) });

  app.get(
    '/approvals',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'What waits for a person, and what was decided, newest first',
        description: 'An agent sees those of its own executions, an operator those of the workspace.',
        querystring: z.strictObject({
          status: z.enum(APPROVAL_STATUSES).optional(),
          executionId: z.string().regex(idPattern('exe'), 'must be an id as execute answered it').optional(),
          limit: queryInt(1, 200, 50),
          cursor: cursor.optional(),
        }),
        response: { 200: listOf(shownSchema), ...errorResponses(['TOOLS_UNAVAILABLE']) },
      },
    },
    async (request) => {
      const page = await tools.listApprovals(principalOf(request), request.query);
      return { ...page, items: page.items.map(shown) };
    },
  );

  app.get(
    '/approvals/:id',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'One approval',
        description: 'A browser, which asks for text/html and brings no key, gets a page to decide on it.',
        params,
        response: { 200: shownSchema, ...errorResponses(['APPROVAL_NOT_FOUND', 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request) => shown(await tools.getApproval(principalOf(request), approvalIdOf(request.params.id))),
  );

  app.post(
    '/approvals/:id',
    {
      // The domain records it, whichever way it is decided.
      config: { access: 'operator', audit: false },
      schema: {
        summary: 'Decide on an approval',
        description:
          '`scope` of an approval: `once` (the default), `execution` for every call of this tool in this execution, `always` to write the allow policy that `always` of the approval shows (role admin). The same decision again answers the same.',
        params,
        body: approvalDecisionSchema,
        response: {
          200: shownSchema,
          ...errorResponses([...WITH_BODY, 'APPROVAL_NOT_FOUND', 'APPROVAL_DECIDED', 'TOOLS_UNAVAILABLE']),
        },
      },
    },
    async (request) => shown(await tools.decideApproval(principalOf(request), approvalIdOf(request.params.id), request.body)),
  );
}

export function approvalIdOf(id: string): string {
  if (idPattern('apr').test(id)) return id;
  throw new AppError('APPROVAL_NOT_FOUND', `There is no approval ${JSON.stringify(id.slice(0, 60))}; GET /approvals lists them.`);
}
