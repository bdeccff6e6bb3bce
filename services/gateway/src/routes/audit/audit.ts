import { AUDIT_TYPE, auditRecordSchema } from '@code-executor/contracts';
import type { AuditFilter } from '@code-executor/tools';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { bareKeyOf, principalOf } from '../../plugins/authenticate.ts';
import { cursor, queryInt } from '../../validation/fields.ts';
import { errorResponses } from '../../validation/route-responses.ts';
import { sendJsonLines } from '../send-json-lines.ts';

const time = z.iso.datetime({ offset: true });

const filterShape = {
  type: z.string().regex(AUDIT_TYPE).optional().describe('such as tool.call or key.revoke; policy: everything done to policies'),
  principal: z.string().min(1).max(64).optional().describe('its id'),
  server: z.string().min(1).max(128).optional(),
  tool: z.string().min(1).max(256).optional(),
  execution: z.string().min(1).max(64).optional(),
  outcome: z
    .string()
    .regex(/^[A-Za-z_]{2,64}$/)
    .optional()
    .describe('ok, the code of an error, or failed for everything but ok'),
  since: time.optional().describe('at this time or later'),
  until: time.optional().describe('before this time'),
};

/** Who did what: acts of administration and tool calls in one record. */
export function registerAuditRoutes(app: GatewayApp, { audit, keys, closing }: RouteDeps): void {
  app.get(
    '/audit',
    {
      config: { access: 'operator' },
      schema: {
        summary: 'The record of acts and tool calls',
        description: 'Newest first. Arguments are not in it, only their digest.',
        querystring: z.strictObject({ ...filterShape, limit: queryInt(1, 1_000, 100), cursor: cursor.optional() }),
        response: {
          200: z.object({ items: z.array(auditRecordSchema), nextCursor: z.string().nullable() }),
          ...errorResponses([]),
        },
      },
    },
    async (request) => {
      const { limit, cursor: place, ...filter } = request.query;
      const page = await audit.list(principalOf(request).workspaceId, filterOf(filter), { limit, cursor: place });
      return { items: [...page.items], nextCursor: page.nextCursor };
    },
  );

  app.get(
    '/audit/export',
    {
      config: { access: 'operator', audit: { type: 'audit.export' } },
      schema: {
        summary: 'The record as JSON Lines',
        description: 'Oldest first. The connection is cut where the export cannot go on: an answer that ends by itself is whole.',
        querystring: z.strictObject(filterShape),
        response: {
          200: { description: 'One act or tool call a line', content: { 'application/x-ndjson': { schema: z.string() } } },
          ...errorResponses([]),
        },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const key = bareKeyOf(request);
      return await sendJsonLines(request, reply, {
        items: audit.export(principal.workspaceId, filterOf(request.query), closing.streamSignal(reply)),
        line: (record) => JSON.stringify(record),
        mayGoOn: async () => (await keys.authenticate(key))?.id === principal.id,
      });
    },
  );

  app.get(
    '/audit/verify',
    {
      config: { access: 'operator' },
      schema: {
        summary: 'Whether the chain of the acts is whole',
        description: 'Each act carries a digest over itself and the act before. What is older than its retention has been purged.',
        response: {
          200: z.object({ whole: z.boolean(), checked: z.int(), brokenAt: z.string().nullable() }),
          ...errorResponses([]),
        },
      },
    },
    async (request, reply) => audit.verify(principalOf(request).workspaceId, closing.answerSignal(reply)),
  );
}

interface Question extends Omit<AuditFilter, 'since' | 'until'> {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

const filterOf = ({ since, until, ...rest }: Question): AuditFilter => ({ ...rest, since: dateOf(since), until: dateOf(until) });

const dateOf = (text: string | undefined): Date | undefined => (text === undefined ? undefined : new Date(text));
