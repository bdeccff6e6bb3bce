import { DEFAULT_WORKSPACE_ID } from '@code-executor/contracts';
import { AppError, metricsText } from '@code-executor/platform';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { errorResponses } from '../../validation/route-responses.ts';

/** Prometheus. Names of tools' servers and the load are the operator's business: it needs a key of that role. */
export function registerMetricsRoute(app: GatewayApp, { registry }: RouteDeps): void {
  app.get(
    '/metrics',
    {
      config: { access: 'operator', scraped: true },
      schema: {
        summary: 'Metrics for Prometheus',
        response: {
          200: { description: 'Prometheus text format', content: { 'text/plain': { schema: z.string() } } },
          ...errorResponses([]),
        },
      },
    },
    async (request, reply) => {
      if (principalOf(request).workspaceId !== DEFAULT_WORKSPACE_ID)
        throw new AppError('FORBIDDEN', 'The metrics are of the whole service: they take a key of the default workspace.');
      return reply.header('content-type', registry.contentType).send(await metricsText(registry));
    },
  );
}
