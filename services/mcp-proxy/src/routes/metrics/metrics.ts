import { metricsText } from '@code-executor/platform';
import type { ProxyApp, RouteDeps } from '../../proxy-app.ts';

/** Prometheus. Public within the fleet's own network: the port is not published. */
export function registerMetricsRoute(app: ProxyApp, { registry }: RouteDeps): void {
  app.get('/metrics', { config: { caller: 'public' } }, async (_request, reply) =>
    reply.header('content-type', registry.contentType).send(await metricsText(registry)),
  );
}
