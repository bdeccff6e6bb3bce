import { DEFAULT_WORKSPACE_ID } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { ProxyApp, RouteDeps } from '../../proxy-app.ts';

interface CatalogQuery {
  readonly workspace?: string;
  readonly version?: string;
}

/** The tools that wrappers are written for, whole: a worker asks once for each version. */
export function registerCatalogRoutes(app: ProxyApp, { catalog, tools }: RouteDeps): void {
  app.get<{ Querystring: CatalogQuery }>('/internal/catalog', { config: { caller: 'worker' } }, async (request, reply) => {
    const { workspace = DEFAULT_WORKSPACE_ID, version: wanted } = request.query;
    // Another proxy may have answered the claim: here the workspace is opened for it.
    if (catalog.find(workspace, wanted) === null) await tools.snapshotDir(workspace);
    const found = catalog.find(workspace, wanted);
    if (found === null) throw new AppError('WORKSPACE_NOT_FOUND', 'There is no such workspace');
    const { version, json } = found;
    const etag = `"${version}"`;
    reply.header('etag', etag);
    if (request.headers['if-none-match'] === etag) return reply.code(304).send();
    return reply.type('application/json; charset=utf-8').send(json);
  });
}
