import { AppError, nearest } from '@code-executor/platform';
import type { FastifyInstance } from 'fastify';

interface KnownRoute {
  readonly url: string;
  readonly matches: RegExp;
  readonly methods: Set<string>;
}

/** 404 with the route that was probably meant, 405 with the methods there are. Judged before the body is read. Register it before the routes. */
export function registerUnknownRoutes(app: FastifyInstance): void {
  const routes = new Map<string, KnownRoute>();
  app.addHook('onRoute', ({ url, method, schema }) => {
    if (schema && 'hide' in schema && schema.hide === true) return;
    const route = routes.get(url) ?? { url, matches: patternOf(url), methods: new Set<string>() };
    for (const name of [method].flat()) route.methods.add(name);
    routes.set(url, route);
  });
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) {
      done();
      return;
    }
    const path = pathOf(request.url);
    const route = [...routes.values()].find(({ matches }) => matches.test(path));
    if (route) {
      const methods = [...route.methods].join(', ');
      reply.header('allow', methods);
      done(
        new AppError('METHOD_NOT_ALLOWED', `${route.url} takes ${methods}, not ${request.method}.`, {
          details: { allow: [...route.methods] },
        }),
      );
      return;
    }
    done(
      new AppError(
        'NOT_FOUND',
        `There is no route ${request.method} ${path.slice(0, 200)}.${hint(path, routes)} GET /openapi.json lists all.`,
      ),
    );
  });
  // Never reached: the hook above answers. Fastify wants one to run hooks for.
  app.setNotFoundHandler((request) => {
    throw new AppError('NOT_FOUND', `There is no route ${request.method} ${pathOf(request.url)}.`);
  });
}

const pathOf = (url: string): string => url.split('?', 1)[0] ?? url;

function patternOf(url: string): RegExp {
  const source = url
    .split('/')
    .map((part) => (part.startsWith(':') ? '[^/]+' : part === '*' ? '.+' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')))
    .join('/');
  return new RegExp(`^${source}/?$`);
}

function hint(path: string, routes: ReadonlyMap<string, KnownRoute>): string {
  const exact = routes.get(path.replace(/^\/(?:api(?:\/v\d+)?|v\d+)(?=\/)/, ''));
  const meant = exact?.url ?? nearest(path, routes.keys());
  const route = meant === null ? undefined : routes.get(meant);
  return route ? ` Did you mean ${[...route.methods].join(' or ')} ${route.url}?` : '';
}
