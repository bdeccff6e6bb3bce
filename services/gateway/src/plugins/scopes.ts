import { type ActScope, allowsAct, allowsServer, type Principal, serversOf } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** What it takes to read and to change what lies under a path; a path that is not here is closed to keys with scopes. */
const SCOPE_OF: Readonly<Record<string, { readonly read: ActScope; readonly write: ActScope }>> = {
  execute: { read: 'execute', write: 'execute' },
  executions: { read: 'executions:read', write: 'execute' },
  sessions: { read: 'executions:read', write: 'execute' },
  mcp: { read: 'execute', write: 'execute' },
  tools: { read: 'tools:read', write: 'execute' },
  skills: { read: 'tools:read', write: 'skills:write' },
  integrations: { read: 'integrations:read', write: 'integrations:write' },
  connections: { read: 'integrations:read', write: 'integrations:write' },
  providers: { read: 'integrations:read', write: 'integrations:write' },
  policies: { read: 'policies:read', write: 'policies:write' },
  approvals: { read: 'approvals:read', write: 'approvals:decide' },
  audit: { read: 'audit:read', write: 'audit:read' },
  keys: { read: 'keys:read', write: 'keys:write' },
  workspaces: { read: 'workspaces:read', write: 'workspaces:write' },
  metrics: { read: 'metrics:read', write: 'metrics:read' },
};

const EXCEPTIONS: Readonly<Record<string, ActScope>> = {
  'DELETE /executions': 'executions:write',
  'POST /policies/preview': 'policies:read',
};

/** @throws AppError FORBIDDEN where the key's scopes do not reach to the route. */
export function assertScope(request: FastifyRequest, { scopes }: Principal): void {
  if (scopes === null || scopes === undefined || request.routeOptions.url === '/whoami') return;
  const route = `${request.method} ${request.routeOptions.url ?? ''}`;
  const needed = scopeOf(request.method, request.routeOptions.url ?? '');
  if (needed === null) throw new AppError('FORBIDDEN', `${route} is closed to keys with scopes; this key has ${scopes.join(', ')}.`);
  if (!allowsAct(scopes, needed)) throw new AppError('FORBIDDEN', `${route} needs the scope ${needed}; this key has ${scopes.join(', ')}.`);
}

/**
 * Who asks, as far as it may read executions. What runs programs hears of those that its own key has run; whose they are is nobody's
 * role to widen without `executions:read`.
 */
export const asReader = (principal: Principal): Principal =>
  allowsAct(principal.scopes, 'executions:read') ? principal : { ...principal, role: 'agent' };

/** Judges what a request names once it is read: a key narrowed to servers administers no other. */
export function registerServerScopes(app: FastifyInstance): void {
  app.addHook('preHandler', async (request) => {
    const { principal } = request;
    if (principal === null || serversOf(principal.scopes) === null) return;
    for (const server of serversNamed(request)) {
      if (!allowsServer(principal.scopes, server))
        throw new AppError('FORBIDDEN', `This key is for ${serversOf(principal.scopes)?.join(', ')} only, not for ${server.slice(0, 80)}.`);
    }
  });
}

function scopeOf(method: string, url: string): ActScope | null {
  const exception = EXCEPTIONS[`${method} ${url}`];
  if (exception !== undefined) return exception;
  const scopes = SCOPE_OF[url.split('/')[1] ?? ''];
  if (scopes === undefined) return null;
  return method === 'GET' || method === 'HEAD' ? scopes.read : scopes.write;
}

/** Of the path, the query and the body: the integration that is meant. What has an id of its own is judged where that is known. */
function serversNamed(request: FastifyRequest): readonly string[] {
  const path = request.params as Readonly<Record<string, unknown>> | undefined;
  const query = request.query as Readonly<Record<string, unknown>> | undefined;
  const body = request.body as Readonly<Record<string, unknown>> | undefined;
  const named = [path?.slug, path?.server, query?.server, body?.slug, body?.integration, body?.tool];
  return named.filter((name) => typeof name === 'string').map((name) => /^[^.@]*/.exec(name)?.[0] ?? name);
}
