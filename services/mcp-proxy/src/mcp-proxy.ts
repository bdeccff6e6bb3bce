import { mkdir } from 'node:fs/promises';
import { DEFAULT_WORKSPACE_ID } from '@code-executor/contracts';
import {
  CHANNELS,
  createActivePrincipals,
  createEndedExecutions,
  createKeys,
  createLedger,
  createLiveWriter,
  createQueueProducer,
  createSessionLedger,
  createStoredArtifacts,
  createWorkspaceStore,
  type ExecutionEnded,
  executionMigrations,
  heldExecutions,
  isHeld,
  startForgettingLiveLogs,
  startReconciler,
  watchWorkers,
  workspaceMigrations,
} from '@code-executor/executions';
import {
  type Closable,
  closeRedis,
  createGrants,
  createServiceVerifier,
  type Logger,
  messageOf,
  type Open,
  openDatabase,
  openParts,
  openRedis,
  startTracing,
} from '@code-executor/platform';
import {
  approvalSettingsOf,
  createOutboundHttp,
  createToolDomain,
  readSecretSettings,
  registerApprovalMetrics,
  type ToolCallEvent,
} from '@code-executor/tools';
import type { Redis } from 'ioredis';
import { Registry } from 'prom-client';
import packageJson from '../../../package.json' with { type: 'json' };
import { buildMcpProxy } from './app.ts';
import { followCatalog } from './catalog-sync.ts';
import type { ProxyConfig } from './config.ts';
import { createProxyMetrics } from './plugins/metrics.ts';
import { createPublishedCatalog } from './published-catalog.ts';
import { createReadiness } from './readiness.ts';

/** What the proxy's own statements, the journal of tool calls and the reconciler need side by side. */
const DATABASE_CONNECTIONS = 16;

/**
 * The only place with upstream credentials, and the workers' way to the rows. Answers what was opened, in order; the caller
 * closes it. When a part cannot be opened, those opened before are closed and the error is thrown.
 */
export function startMcpProxy(config: ProxyConfig, log: Logger): Promise<readonly Closable[]> {
  return openParts(log, (open) => compose(config, log, open));
}

async function compose(config: ProxyConfig, log: Logger, open: Open): Promise<void> {
  const startedAt = Date.now();
  const dataDir = config.EXECUTOR_DATA_DIR;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  // First of all, so that a key that is missing or too short is said before anything is touched.
  const grants = createGrants({ key: config.EXECUTOR_GRANT_KEY });
  const verifyService = createServiceVerifier({
    gateway: config.EXECUTOR_GATEWAY_INTERNAL_KEY,
    worker: config.EXECUTOR_WORKER_INTERNAL_KEY,
  });
  const tracing = await startTracing(config, { service: 'mcp-proxy', version: packageJson.version, log, open });
  const registry = new Registry();
  const metrics = createProxyMetrics(registry);
  const countApproval = registerApprovalMetrics([registry], () => tools.countPendingApprovals());

  const db = await openDatabase({ url: config.DATABASE_URL, directory: dataDir, log, connections: DATABASE_CONNECTIONS });
  open('database', db, (part) => part.close());
  await db.migrate('executions', executionMigrations);
  await db.migrate('workspaces', workspaceMigrations);
  const redis = open('redis', openRedis({ url: config.REDIS_URL, name: 'mcp-proxy', log }), closeRedis);

  const catalog = createPublishedCatalog();
  const sync = open('catalog sync', followCatalog({ redisUrl: config.REDIS_URL, publisher: redis, log }), (part) => part.close());
  const outbound = createOutboundHttp({ allow: config.EXECUTOR_OUTBOUND_ALLOW, strict: config.EXECUTOR_OUTBOUND_STRICT, log });
  open('outbound', outbound, (part) => part.close());
  // Gateways make and revoke keys; what they did is looked for.
  const keys = open('keys', await createKeys({ db, log, announce: async () => undefined }), (part) => part.close());
  const endedAmong = createEndedExecutions(db);
  const tools = await createToolDomain({
    db,
    log,
    findPrincipal: keys.find,
    auditRetentionDays: config.EXECUTOR_AUDIT_RETENTION_DAYS,
    dataDir,
    serversFile: config.serversFile,
    sealKeyFile: config.sealKeyFile,
    maskedPaths: config.secretPaths,
    wrapperStore: catalog.store,
    outbound,
    secrets: readSecretSettings(config),
    shippedSkills: config.EXECUTOR_SHIPPED_SKILLS,
    fence: heldExecutions,
    workspaces: { exists: createWorkspaceStore(db, []).exists, areTrusted: config.EXECUTOR_WORKSPACES_TRUSTED },
    adminTools: config.EXECUTOR_ADMIN_TOOLS ? { publicUrl: config.EXECUTOR_PUBLIC_URL } : undefined,
    approvals: {
      ...approvalSettingsOf(config, config.EXECUTOR_PUBLIC_URL),
      retentionDays: config.EXECUTOR_AUDIT_RETENTION_DAYS,
      endedAmong,
      isActive: createActivePrincipals(db),
      onDecided: (approvalIds) => tellDecided(approvalIds, redis, log),
      onEvent(event) {
        countApproval(event);
        log.info(event, 'Approval');
      },
    },
    onCommitted: sync.tell,
    tracing,
    onCall(event) {
      metrics.toolCall(event);
      logCall(event, log);
    },
  });
  open('tools', tools, (part) => part.close());
  sync.start(tools);
  tools.start();

  const queue = open('queue', createQueueProducer({ redis: config.REDIS_URL, log, name: 'mcp-proxy-queue' }), (part) => part.close());
  const workers = open('workers', watchWorkers(redis, log), (part) => part.stop());
  const shared = { db, log, redis, queue, share: workers.share };
  const live = createLiveWriter(redis);
  open('live logs', startForgettingLiveLogs({ redis, live, endedAmong, log }), (part) => part.stop());
  const ledger = createLedger({
    ...shared,
    liveWorkers: () => workers.reports().flatMap(({ workerId, draining }) => (draining ? [] : [workerId])),
    grants,
    // An execution of a workspace that was removed finds no wrappers, and ends by that.
    catalogVersion: (workspaceId) =>
      workspaceId === DEFAULT_WORKSPACE_ID ? catalog.version() : tools.snapshotDir(workspaceId).catch(() => ''),
    endsKey: config.EXECUTOR_GATEWAY_INTERNAL_KEY,
    decidedAmong: tools.decidedApprovalsAmong,
    sealing: tools.sealing,
    onEnded(event) {
      log.info(event, 'Execution ended');
      live.ended(event.executionId).catch((error: unknown) => log.debug({ reason: messageOf(error) }, 'A live log stays until it expires'));
    },
  });
  open('ledger', ledger, (part) => part.close());
  const reconciler = startReconciler({
    ...shared,
    effectsOf: tools.effectsOf,
    decidedAmong: tools.decidedApprovalsAmong,
    onEnded(event: ExecutionEnded) {
      metrics.leasesExpired(1);
      log.info(event, 'Execution ended');
    },
  });
  open('reconciler', reconciler, (part) => part.stop());

  const app = await buildMcpProxy({
    ledger,
    sessions: createSessionLedger(shared),
    artifacts: createStoredArtifacts(db, config.EXECUTOR_ARTIFACTS_MB),
    tools,
    catalog,
    grants,
    isHeld: (claim) => isHeld(db, claim),
    verifyService,
    readiness: createReadiness({ db, redis, tools }),
    registry,
    metrics,
    version: packageJson.version,
    startedAt,
    shutdownGraceMs: config.EXECUTOR_DRAIN_SECONDS * 1_000,
    log,
  });
  open('internal routes', app, (part) => part.close());
  const address = await app.listen({ host: config.EXECUTOR_HOST, port: config.EXECUTOR_PORT });
  log.info({ address, dataDir }, `listening on ${address}`);
}

/** A worker that misses it learns with its next renewal. */
function tellDecided(approvalIds: readonly string[], redis: Redis, log: Logger): void {
  redis
    .publish(CHANNELS.decided, approvalIds.join(','))
    .catch((error: unknown) => log.info({ approvalIds, reason: messageOf(error) }, 'Workers were not told of a decision; they ask'));
}

/** One wide line per tool call; arguments and replies are nobody's business but the caller's. */
function logCall(event: ToolCallEvent, log: Logger): void {
  log.info(event, 'Tool call');
}
