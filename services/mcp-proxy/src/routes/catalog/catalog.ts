import type { ProxyApp, RouteDeps } from '../../proxy-app.ts';

/** The tools that wrappers are written for, whole: a worker asks once for each version. */
export function registerCatalogRoutes(app: ProxyApp, { catalog }: RouteDeps): void {
  app.get<{ Querystring: { version?: string } }>('/internal/catalog', { config: { caller: 'worker' } }, async (request, reply) => {
    const { version, json } = catalog.find(request.query.version);
    const etag = `"${version}"`;
    reply.header('etag', etag);
    if (request.headers['if-none-match'] === etag) return reply.code(304).send();
    return reply.type('application/json; charset=utf-8').send(json);
  });
}
