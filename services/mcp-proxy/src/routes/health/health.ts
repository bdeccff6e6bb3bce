import type { ProxyApp, RouteDeps } from '../../proxy-app.ts';

/** For orchestrators; nothing here is a secret. That it is stopping is said to everybody in the same way, see registerClosing. */
export function registerHealthRoutes(app: ProxyApp, { readiness, tools, catalog, version, startedAt }: RouteDeps): void {
  app.get('/health', { config: { caller: 'public' } }, async () => {
    const { servers, totalTools } = tools.summary();
    return {
      status: Object.values(servers).some(({ state }) => state === 'broken') ? 'degraded' : 'ok',
      version,
      uptime: Math.round((Date.now() - startedAt) / 100) / 10,
      servers: Object.fromEntries(Object.entries(servers).map(([slug, { state }]) => [slug, state])),
      totalTools,
      catalogVersion: catalog.version(),
    };
  });

  app.get('/health/ready', { config: { caller: 'public' } }, async (_request, reply) => {
    const waitingFor = await readiness.waitingFor();
    return reply.code(waitingFor.length === 0 ? 200 : 503).send({ ready: waitingFor.length === 0, waitingFor });
  });
}
