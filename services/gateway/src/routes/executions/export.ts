import { EXECUTION_STATUSES } from '@code-executor/contracts';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { bareKeyOf, principalOf } from '../../plugins/authenticate.ts';
import { errorResponses } from '../../validation/route-responses.ts';
import { sendJsonLines } from '../send-json-lines.ts';
import { serializeExecutionWithHistory } from './serialize-execution.ts';

const time = z.iso.datetime({ offset: true });

/** `GET /executions/export`: the history as JSON Lines, one record in memory at a time. */
export function registerExportRoute(app: GatewayApp, { executions, keys, closing }: RouteDeps): void {
  app.get(
    '/executions/export',
    {
      config: { access: 'operator' },
      schema: {
        summary: 'The history as JSON Lines',
        description:
          'One execution a line, oldest first, each as `GET /executions/:id` answers it; the program itself is not in it, and of one that runs there is no output yet. The connection is cut where the export cannot go on: an answer that ends by itself is whole.',
        querystring: z
          .strictObject({
            from: time.optional().describe('created at this time or later'),
            to: time.optional().describe('created before; now by default'),
            status: z.enum(EXECUTION_STATUSES).optional(),
          })
          .refine(({ from, to }) => from === undefined || to === undefined || Date.parse(from) < Date.parse(to), {
            path: ['to'],
            message: 'must be later than from',
          }),
        response: {
          200: { description: 'One execution a line', content: { 'application/x-ndjson': { schema: z.string() } } },
          ...errorResponses([]),
        },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const { from, to, status } = request.query;
      const filter = { from: dateOf(from), to: dateOf(to), status };
      const key = bareKeyOf(request);
      return await sendJsonLines(request, reply, {
        items: executions.export(principal, filter, closing.streamSignal(reply)),
        line: serializeExecutionWithHistory,
        mayGoOn: async () => (await keys.authenticate(key))?.id === principal.id,
      });
    },
  );
}

const dateOf = (text: string | undefined): Date | undefined => (text === undefined ? undefined : new Date(text));
