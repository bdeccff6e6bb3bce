import { newId } from '@code-executor/contracts';
import type { Logger } from '@code-executor/platform';
import { registerClosing } from '@code-executor/platform';
import fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import { registerAuthentication } from './plugins/authenticate.ts';
import { registerErrors } from './plugins/errors.ts';
import { registerJsonBody } from './plugins/json-body.ts';
import { registerRequestMetrics } from './plugins/metrics.ts';
import type { ProxyApp, RouteDeps } from './proxy-app.ts';
import { registerAdministrationRoutes } from './routes/administration/administration.ts';
import { registerCatalogRoutes } from './routes/catalog/catalog.ts';
import { registerDiscoverRoutes } from './routes/discover/discover.ts';
import { registerArtifactRoutes } from './routes/executions/artifacts.ts';
import { registerExecutionRoutes } from './routes/executions/executions.ts';
import { registerHealthRoutes } from './routes/health/health.ts';
import { registerMetricsRoute } from './routes/metrics/metrics.ts';
import { registerSessionRoutes } from './routes/sessions/sessions.ts';
import { registerToolCallRoutes } from './routes/tool-calls/tool-calls.ts';

export interface ProxyAppOptions extends Omit<RouteDeps, 'closing'> {
  readonly log: Logger;
  /** What is under way when close() is called may take so long to end. */
  readonly shutdownGraceMs: number;
}

/** After the grace, aborted calls may take so long to be recorded and answered. */
const LAST_WORDS_MS = 2_000;
/** Of a body where its route says nothing else. */
const BODY_LIMIT_BYTES = 1024 * 1024;
/** Services of the fleet send at once; whoever does not is none. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** Above what the clients of the fleet keep an idle connection for (30 s), so that they close it and not we. */
const KEEP_ALIVE_MS = 72_000;

/** Builds the internal HTTP API; it does not listen. What it is given stays the caller's to close, afterwards. */
export async function buildMcpProxy(options: ProxyAppOptions): Promise<ProxyApp> {
  const app: ProxyApp = fastify({
    loggerInstance: options.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: () => newId('req'),
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionTimeout: 0,
    // Ours answers in the form of every other error.
    return503OnClosing: false,
    exposeHeadRoutes: true,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, maxHeaderSize: 16 * 1024 },
  });
  // Hooks run in the order of these lines: nothing is parsed for who is not let in.
  registerErrors(app);
  registerRequestMetrics(app, options.registry, () => options.tools.summary());
  const closing = registerClosing(app, { graceMs: options.shutdownGraceMs, lastWordsMs: LAST_WORDS_MS });
  registerAuthentication(app, options);
  registerJsonBody(app);

  const deps: RouteDeps = { ...options, closing };
  registerExecutionRoutes(app, deps);
  registerArtifactRoutes(app, deps);
  registerSessionRoutes(app, deps);
  registerToolCallRoutes(app, deps);
  registerDiscoverRoutes(app, deps);
  registerCatalogRoutes(app, deps);
  registerAdministrationRoutes(app, deps);
  registerHealthRoutes(app, deps);
  registerMetricsRoute(app, deps);
  await app.ready();
  return app;
}
