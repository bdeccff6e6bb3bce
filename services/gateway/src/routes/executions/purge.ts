import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { errorResponses } from '../../validation/route-responses.ts';

const purgedSchema = z.object({
  purged: z.int().describe('executions that were deleted'),
  complete: z.boolean().describe('false: the time was up first; the same request again goes on'),
});

/** `DELETE /executions?before=`: the history's old end, before its retention is over. */
export function registerPurgeRoute(app: GatewayApp, { executions, closing }: RouteDeps): void {
  app.delete(
    '/executions',
    {
      config: { access: 'admin', audit: { type: 'execution.purge', details: ({ query }) => query } },
      schema: {
        summary: 'Delete old executions',
        description:
          'Those that ended before `before`, with their events; their tool calls stay in the record (`GET /audit`) for its own retention. Nothing that has not ended, and nothing that ended within the last minute. It cannot be undone. Idempotency keys stay for their day, so that no request runs twice.',
        querystring: z.strictObject({ before: z.iso.datetime({ offset: true }).describe('a time such as 2026-01-31T00:00:00Z') }),
        response: { 200: purgedSchema, ...errorResponses([]) },
      },
    },
    (request, reply) => executions.purge(principalOf(request), new Date(request.query.before), closing.answerSignal(reply)),
  );
}
