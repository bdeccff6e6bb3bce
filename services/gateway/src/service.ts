import { hostname } from 'node:os';
import {
  createFleetExecutions,
  createKeys,
  createQueueProducer,
  createWorkspaces,
  EXECUTION_HOLDINGS,
  executionMigrations,
  type FleetExecutions,
  inbandApprovalOf,
  type KeysService,
  mcpMigrations,
  oauthMigrations,
  sessionLimitsOf,
  workspaceMigrations,
} from '@code-executor/executions';
import {
  type Closable,
  createServiceSigner,
  type Logger,
  messageOf,
  type Open,
  openDatabase,
  openParts,
  startTracing,
} from '@code-executor/platform';
import { createAudit, createRemoteToolAdministration, TOOL_HOLDINGS, toolMigrations } from '@code-executor/tools';
import packageJson from '../../../package.json' with { type: 'json' };
import { buildGateway } from './app.ts';
import type { PoolStats } from './gateway-app.ts';
import { checkAccess, openFaces } from './open-access.ts';
import type { GatewayServiceConfig } from './service-config.ts';

/**
 * The gateway as a process of the fleet: rows in PostgreSQL, ids to BullMQ, everything about tools at mcp-proxy. Answers
 * what was opened, in order; the caller closes it. When a part cannot be opened, those before it are closed again.
 */
export function startGatewayService(config: GatewayServiceConfig, log: Logger): Promise<readonly Closable[]> {
  return openParts(log, (open) => compose(config, log, open));
}

async function compose(config: GatewayServiceConfig, log: Logger, open: Open): Promise<void> {
  const startedAt = Date.now();
  const naming = { host: config.EXECUTOR_HOST, allowedHosts: [...config.allowedHosts], publicUrl: config.EXECUTOR_PUBLIC_URL ?? null };
  checkAccess(config, naming);
  // A key that is too short is found before anything is opened.
  const authorize = createServiceSigner({ role: 'gateway', name: hostname(), key: config.EXECUTOR_GATEWAY_INTERNAL_KEY });
  const tracing = await startTracing(config, { service: 'gateway', version: packageJson.version, log, open });
  const db = open('database', await openDatabase({ url: config.DATABASE_URL, directory: '', log }), (part) => part.close());
  await db.migrate('executions', executionMigrations);
  await db.migrate('mcp', mcpMigrations);
  await db.migrate('oauth', oauthMigrations);
  // What is administered here goes into the record beside the tool calls.
  await db.migrate('tools', toolMigrations);
  await db.migrate('workspaces', workspaceMigrations);
  const redis = config.REDIS_URL;
  const queue = open('queue', createQueueProducer({ redis, log, name: 'gateway-queue' }), (part) => part.close());
  const tools = open('tools', createRemoteToolAdministration({ url: config.EXECUTOR_PROXY_URL, authorize, log }), (part) => part.close());
  const audit = open('audit', createAudit({ db, log, findPrincipal: async (id) => (await keys?.find(id)) ?? null }), (part) =>
    part.close(),
  );
  let keys: KeysService | null = null;
  const executions = createFleetExecutions({
    db,
    redis,
    queue,
    log,
    queueLimit: config.EXECUTOR_QUEUE_LIMIT,
    endsKey: config.EXECUTOR_GATEWAY_INTERNAL_KEY,
    sessions: sessionLimitsOf(config),
    retentionDays: config.EXECUTOR_RETENTION_DAYS,
    onKeysChanged: () => {
      keys?.reload().catch((error: unknown) => log.debug({ reason: messageOf(error) }, 'the keys could not be read again'));
    },
  });
  open('executions', executions, (part) => part.close());
  keys = open('keys', await createKeys({ db, log, announce: executions.announceKeys }), (part) => part.close());
  await keys.ensureAdminKey(config.EXECUTOR_ADMIN_KEY_FILE);
  const service = keys;
  const workspaces = await createWorkspaces({
    db,
    log,
    keys: service,
    holdings: [...EXECUTION_HOLDINGS, ...TOOL_HOLDINGS],
    executions: () => executions,
  });
  open('workspaces', workspaces, (part) => part.close());
  workspaces.start();
  const { access, mcpSessions } = await openFaces({
    db,
    log,
    settings: config,
    naming,
    secret: config.EXECUTOR_GATEWAY_INTERNAL_KEY,
    onKeysChanged: () => service.changed(),
    open,
  });

  const gateway = await buildGateway({
    executions,
    keys,
    tools,
    audit,
    workspaces,
    mcpSessions,
    access,
    config: {
      ...naming,
      inbandApproval: inbandApprovalOf(config),
      rateLimitPerMinute: config.EXECUTOR_RATE_LIMIT === 0 ? null : config.EXECUTOR_RATE_LIMIT,
      maxConnections: config.EXECUTOR_CONNECTIONS,
    },
    log,
    tracing,
    poolStats: () => poolOf(executions),
    sandboxesElsewhere: true,
    missing: executions.missing,
    version: packageJson.version,
    startedAt,
  });
  open('gateway', gateway, (part) => part.close());
  const address = await gateway.listen({ host: config.EXECUTOR_HOST, port: config.EXECUTOR_PORT });
  log.info({ address }, `listening on ${address}`);
}

/** Of all live workers. */
function poolOf(executions: FleetExecutions): PoolStats {
  let hits = 0;
  let misses = 0;
  const warm: Record<string, number> = {};
  for (const { pool } of executions.workers()) {
    hits += pool.hits;
    misses += pool.misses;
    for (const [runtime, count] of Object.entries(pool.warm)) warm[runtime] = (warm[runtime] ?? 0) + count;
  }
  return { hits, misses, warm };
}
