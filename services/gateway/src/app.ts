import { newId } from '@code-executor/contracts';
import type { Keys, McpSessions, Workspaces } from '@code-executor/executions';
import { registerClosing, type Tracing } from '@code-executor/platform';
import type { Audit, ToolAdministration } from '@code-executor/tools';
import fastify, { type FastifyBaseLogger, type FastifyRequest, LogController } from 'fastify';
import { serializerCompiler } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { type GatewayConfig, type GatewayConfigInput, gatewayConfigSchema } from './config.ts';
import type { GatewayApp, ObservedExecutions, PoolStats, RouteDeps } from './gateway-app.ts';
import { registerAudit } from './plugins/audit.ts';
import { registerAuthentication } from './plugins/authenticate.ts';
import { answerClientError, answerError, registerErrors } from './plugins/errors.ts';
import { registerFairConnections } from './plugins/fair-connections.ts';
import { registerHostCheck } from './plugins/host-check.ts';
import { registerJsonBody } from './plugins/json-body.ts';
import { registerMetrics } from './plugins/metrics.ts';
import { registerOpenapi } from './plugins/openapi.ts';
import { registerRateLimit } from './plugins/rate-limit.ts';
import { registerRequestLog } from './plugins/request-log.ts';
import { registerServerScopes } from './plugins/scopes.ts';
import { registerSlowReaders } from './plugins/slow-readers.ts';
import { registerTracing } from './plugins/tracing.ts';
import { registerUnknownRoutes } from './plugins/unknown-routes.ts';
import { registerApprovalPage } from './routes/approvals/approval-page.ts';
import { registerApprovalRoutes } from './routes/approvals/approvals.ts';
import { publicUrlOf } from './routes/approvals/public-url.ts';
import { showApprovals } from './routes/approvals/show-approvals.ts';
import { registerAuditRoutes } from './routes/audit/audit.ts';
import { registerConnectionRoutes } from './routes/connections/connections.ts';
import { registerOauthCallback } from './routes/connections/oauth-callback.ts';
import { registerExecuteRoutes } from './routes/execute/execute.ts';
import { registerExecutionRoutes } from './routes/executions/executions.ts';
import { registerExportRoutes } from './routes/export/export.ts';
import { registerHandoffPage } from './routes/handoffs/handoff-page.ts';
import { registerHandoffRoutes } from './routes/handoffs/handoffs.ts';
import { registerHealthRoutes } from './routes/health/health.ts';
import { registerIntegrationRoutes } from './routes/integrations/integrations.ts';
import { registerKeyRoutes } from './routes/keys/keys.ts';
import { registerMcpRoutes } from './routes/mcp/mcp.ts';
import { registerMetricsRoute } from './routes/metrics/metrics.ts';
import { type Access, withAccess } from './routes/oauth/access.ts';
import { RESOURCE_METADATA } from './routes/oauth/metadata.ts';
import { registerOauthServer } from './routes/oauth/oauth.ts';
import { originOf } from './routes/oauth/origin.ts';
import { registerPolicyRoutes } from './routes/policies/policies.ts';
import { registerProviderRoutes } from './routes/providers/providers.ts';
import { registerSessionRoutes } from './routes/sessions/sessions.ts';
import { registerSkillRoutes } from './routes/skills/skills.ts';
import { registerToolRoutes } from './routes/tools/tools.ts';
import { registerWhoamiRoute } from './routes/whoami/whoami.ts';
import { registerWorkspaceRoutes } from './routes/workspaces/workspaces.ts';
import { compileValidator } from './validation/validator-compiler.ts';

/** After the grace, what is still being sent may take so long before its connection is cut. */
const LAST_WORDS_MS = 1_000;

/** Longest part of a path: ids have 30 characters, slugs and tool names are bounded by their upstreams at about 128. */
const PARAM_LENGTH_LIMIT = 256;

export interface GatewayOptions {
  readonly executions: ObservedExecutions;
  readonly keys: Keys;
  readonly tools: ToolAdministration;
  readonly audit: Audit;
  /** Absent: there is the home workspace alone. */
  readonly workspaces?: Workspaces | undefined;
  readonly mcpSessions?: McpSessions | undefined;
  /** Absent: API keys alone are let in. */
  readonly access?: Access | undefined;
  readonly config: GatewayConfigInput;
  readonly log: Logger;
  /** null or absent: nothing is traced. */
  readonly tracing?: Tracing | null | undefined;
  /** Asked for every /health and /metrics: must be cheap. */
  readonly poolStats: () => PoolStats;
  /** Sandboxes are in other processes, which tell Prometheus of their pools themselves. */
  readonly sandboxesElsewhere?: boolean | undefined;
  /** What the gateway cannot work without and that does not answer now, by name. */
  readonly missing?: (() => Promise<readonly string[]>) | undefined;
  readonly version: string;
  /** When the service started, milliseconds since the epoch. */
  readonly startedAt: number;
  /** Where other parts of the process register metrics too. Default: one of the gateway's own. */
  readonly metrics?: Registry | undefined;
}

/**
 * Builds the gateway; it does not listen. Throws a ZodError when `config` does not fit. `close()` on the answer ends it as
 * registerClosing says; the ports stay the caller's to close, afterwards.
 */
export async function buildGateway(options: GatewayOptions): Promise<GatewayApp> {
  const config = gatewayConfigSchema.parse(options.config);
  const app = newApp(config, options.log);
  app.setValidatorCompiler(compileValidator);
  app.setSerializerCompiler(serializerCompiler);

  // Hooks run in the order of these lines: nothing is parsed for who is not let in.
  registerErrors(app);
  registerRequestLog(app);
  registerTracing(app, options.tracing ?? null);
  const registry = options.metrics ?? new Registry();
  registerMetrics(app, registry, options);
  const closing = registerClosing(app, { graceMs: config.shutdownGraceMs, lastWordsMs: LAST_WORDS_MS });
  registerSlowReaders(app, config.stalledReaderTimeoutMs);
  registerHostCheck(app, config);
  registerUnknownRoutes(app);
  registerApprovalPage(app);
  registerHandoffPage(app);
  const { access } = options;
  const keys = access === undefined ? options.keys : withAccess(options.keys, access);
  const metadata = access === undefined ? null : (request: FastifyRequest) => `${originOf(request, config).issuer}${RESOURCE_METADATA}`;
  registerAuthentication(app, keys, metadata);
  registerAudit(app, options.audit);
  registerFairConnections(app, config.maxConnections);
  registerServerScopes(app);
  if (config.rateLimitPerMinute !== null) await registerRateLimit(app, config.rateLimitPerMinute);
  registerJsonBody(app);
  await registerOpenapi(app, options.version);

  const approvalUrl = (approvalId: string): string => `${publicUrlOf(app, config)}/approvals/${approvalId}`;
  const executions = showApprovals(options.executions, options.tools, approvalUrl);
  const missing = options.missing ?? (async () => []);
  const deps: RouteDeps = { ...options, keys, executions, approvalUrl, missing, config, registry, closing };
  registerExecuteRoutes(app, deps);
  registerExecutionRoutes(app, deps);
  registerSessionRoutes(app, deps);
  registerToolRoutes(app, deps);
  registerSkillRoutes(app, deps);
  registerExportRoutes(app, deps);
  registerIntegrationRoutes(app, deps);
  registerConnectionRoutes(app, deps);
  registerOauthCallback(app, deps);
  registerProviderRoutes(app, deps);
  registerPolicyRoutes(app, deps);
  registerAuditRoutes(app, deps);
  registerApprovalRoutes(app, deps);
  registerHandoffRoutes(app, deps);
  registerKeyRoutes(app, deps);
  if (options.workspaces !== undefined) registerWorkspaceRoutes(app, options.workspaces);
  registerMcpRoutes(app, deps);
  if (access !== undefined) await registerOauthServer(app, deps, access, options.keys);
  registerWhoamiRoute(app);
  registerHealthRoutes(app, deps);
  registerMetricsRoute(app, deps);
  await app.ready();
  return app;
}

function newApp(config: GatewayConfig, log: Logger): GatewayApp {
  const app: GatewayApp = fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: requestIdOf,
    bodyLimit: config.bodyLimitBytes,
    requestTimeout: config.requestTimeoutMs,
    keepAliveTimeout: config.keepAliveTimeoutMs,
    // No limit on the silence of a connection: an execution may take minutes. Who reads nothing is cut off by slow-readers.
    connectionTimeout: 0,
    // Ours answers in the form of every other error.
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: PARAM_LENGTH_LIMIT },
    frameworkErrors: (error, request, reply) => {
      answerError(error, request, reply);
    },
    clientErrorHandler: answerClientError,
    http: {
      headersTimeout: config.headersTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, config.headersTimeoutMs),
      maxHeaderSize: 16 * 1024,
    },
  });
  app.server.maxConnections = config.maxConnections;
  return app;
}

/** A caller's own id is kept where it is harmless in a log. */
function requestIdOf(request: { readonly headers: Readonly<Record<string, string | string[] | undefined>> }): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : newId('req');
}
