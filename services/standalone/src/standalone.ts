import { join } from 'node:path';
import { DEFAULT_WORKSPACE_ID } from '@code-executor/contracts';
import {
  containersOf,
  createActivePrincipals,
  createArtifactStore,
  createEndedExecutions,
  createExecutions,
  createInProcessQueue,
  createKeys,
  createPreparer,
  createTypechecker,
  createWorkspaces,
  EXECUTION_HOLDINGS,
  executionMigrations,
  inbandApprovalOf,
  mcpMigrations,
  oauthMigrations,
  readOrMakeSecret,
  sessionLimitsOf,
  workspaceMigrations,
} from '@code-executor/executions';
import { buildGateway, checkAccess, openFaces } from '@code-executor/gateway';
import { type Closable, type Logger, type Open, openDatabase, openParts, startTracing } from '@code-executor/platform';
import { makeSnapshotsDir, openSandboxes, sandboxLimitsOf, sendAhead } from '@code-executor/sandbox';
import {
  approvalSettingsOf,
  createOutboundHttp,
  createToolDomain,
  readSecretSettings,
  registerApprovalMetrics,
  registerCallMetrics,
  type SourceKinds,
  TOOL_HOLDINGS,
} from '@code-executor/tools';
import { createWorkspaceWrapperStores } from '@code-executor/wrappers';
import { Registry } from 'prom-client';
import packageJson from '../../../package.json' with { type: 'json' };
import type { StandaloneConfig } from './config.ts';

/**
 * Programs that still run when the gateway is closed may finish within it; those that somebody waits for had the gateway's
 * ten seconds before. With the two that an upstream may take to let go of a call, it ends before the process is made to.
 */
const PROGRAMS_GRACE_MS = 3_000;

/**
 * The gateway, the worker and the tool side in one process. Answers what was opened, in order; the caller closes it. When a
 * part cannot be opened, those opened before are closed and the error is thrown.
 */
export function startStandalone(config: StandaloneConfig, log: Logger, options: StandaloneOptions = {}): Promise<readonly Closable[]> {
  return openParts(log, (open) => compose(config, log, open, options));
}

export interface StandaloneOptions {
  /** Default: listens as the configuration says. */
  readonly serve?: Serve;
  /** Default: those that come with the product. */
  readonly sourceKinds?: SourceKinds | undefined;
}

export type Gateway = Awaited<ReturnType<typeof buildGateway>>;

/** Lets requests reach the gateway; answers where. */
type Serve = (gateway: Gateway, config: StandaloneConfig) => Promise<string>;

const listen: Serve = (gateway, config) => gateway.listen({ host: config.EXECUTOR_HOST, port: config.EXECUTOR_PORT });

async function compose(
  config: StandaloneConfig,
  log: Logger,
  open: Open,
  { serve = listen, sourceKinds }: StandaloneOptions,
): Promise<void> {
  const startedAt = Date.now();
  const naming = { host: config.EXECUTOR_HOST, allowedHosts: [...config.allowedHosts], publicUrl: config.EXECUTOR_PUBLIC_URL ?? null };
  checkAccess(config, naming);
  const dataDir = config.EXECUTOR_DATA_DIR;
  const snapshotsDir = await makeSnapshotsDir(dataDir);
  const limits = sandboxLimitsOf(config);
  const tracing = await startTracing(config, { service: 'standalone', version: packageJson.version, log, open });
  const registry = new Registry();

  const db = open('database', await openDatabase({ directory: join(dataDir, 'database'), log }), (part) => part.close());
  await db.migrate('executions', executionMigrations);
  await db.migrate('mcp', mcpMigrations);
  await db.migrate('oauth', oauthMigrations);
  await db.migrate('workspaces', workspaceMigrations);
  const keys = await createKeys({ db, log });
  const wrapperStore = open('wrappers', createWorkspaceWrapperStores({ dir: snapshotsDir }), (part) => part.close());
  const workspaces = await createWorkspaces({
    db,
    log,
    keys,
    holdings: [...EXECUTION_HOLDINGS, ...TOOL_HOLDINGS],
    executions: () => executions,
    onRemoved(workspaceId) {
      tools
        .reload()
        .then(() => wrapperStore.remove(workspaceId))
        .catch((error: unknown) => log.warn({ err: error, workspaceId }, 'The wrappers of a removed workspace stay on the disk'));
    },
  });
  const countCall = registerCallMetrics([registry]);
  const countApproval = registerApprovalMetrics([registry], () => tools.countPendingApprovals());
  const publicUrl = config.EXECUTOR_PUBLIC_URL ?? `http://${config.EXECUTOR_HOST}:${config.EXECUTOR_PORT}`;
  const outbound = createOutboundHttp({ allow: config.EXECUTOR_OUTBOUND_ALLOW, strict: config.EXECUTOR_OUTBOUND_STRICT, log });
  open('outbound', outbound, (part) => part.close());
  const tools = await createToolDomain({
    db,
    log,
    findPrincipal: keys.find,
    auditRetentionDays: config.EXECUTOR_AUDIT_RETENTION_DAYS,
    dataDir,
    serversFile: config.serversFile,
    wrapperStore,
    outbound,
    secrets: readSecretSettings(config),
    shippedSkills: config.EXECUTOR_SHIPPED_SKILLS,
    sourceKinds,
    tracing,
    workspaces: { exists: workspaces.exists, areTrusted: config.EXECUTOR_WORKSPACES_TRUSTED },
    adminTools: config.EXECUTOR_ADMIN_TOOLS ? { publicUrl } : undefined,
    approvals: {
      ...approvalSettingsOf(config, publicUrl),
      retentionDays: config.EXECUTOR_AUDIT_RETENTION_DAYS,
      endedAmong: createEndedExecutions(db),
      isActive: createActivePrincipals(db),
      onEvent(event) {
        countApproval(event);
        log.info(event, 'Approval');
      },
    },
    onCall(event) {
      countCall(event);
      log.info(event, 'Tool call');
    },
  });
  open('tools', tools, (part) => part.close());
  tools.start();

  const { adapter, pool, run } = await openSandboxes(
    {
      adapter: config.EXECUTOR_SANDBOX,
      dataDir,
      pythonPackagesDir: config.EXECUTOR_PYTHON_PACKAGES_DIR,
      containers: containersOf(config),
      targets: { typescript: config.EXECUTOR_POOL_TYPESCRIPT, python: config.EXECUTOR_POOL_PYTHON },
      limits,
      snapshotDir: () => tools.snapshotDir(DEFAULT_WORKSPACE_ID),
      isNewestOfAnother: (dir) => workspaces.areSeveral() && tools.snapshotDirs().indexOf(dir) > 0,
      log,
    },
    open,
  );
  const retarget = (): void => {
    tools.snapshotDir(DEFAULT_WORKSPACE_ID).then(
      (dir) => pool.retarget(dir),
      (error: unknown) => log.error({ err: error }, 'the pool keeps its old wrappers'),
    );
  };
  tools.onCatalogChange((workspaceId) => {
    if (workspaceId === DEFAULT_WORKSPACE_ID) retarget();
  });
  // The catalog may have changed while the pool was opened and nobody listened.
  retarget();

  const preparer = open('preparer', createPreparer({}), (part) => part.close());
  const typechecker = open('type checker', createTypechecker({ log }), (part) => part.close());
  const executions = createExecutions({
    db,
    log,
    queue: createInProcessQueue({ maximumDepth: config.EXECUTOR_QUEUE_LIMIT, isShared: workspaces.areSeveral }),
    concurrency: config.EXECUTOR_CONCURRENCY,
    pausedMaximum: config.EXECUTOR_PAUSED_SANDBOXES,
    pauseKeepMs: config.EXECUTOR_PAUSE_KEEP_SECONDS * 1_000,
    sealing: tools.sealing,
    decidedAmong: tools.decidedApprovalsAmong,
    tools,
    effectsOf: tools.effectsOf,
    preparer,
    typechecker,
    pool,
    runProgram: run,
    sendAhead,
    tracing,
    artifacts: createArtifactStore({ dir: join(dataDir, 'artifacts'), totalMb: config.EXECUTOR_ARTIFACTS_MB }),
    sessions: sessionLimitsOf(config),
    sandboxLimits: limits,
    retentionDays: config.EXECUTOR_RETENTION_DAYS,
  });
  open('executions', executions, (part) => part.close({ graceMs: PROGRAMS_GRACE_MS }));
  await keys.ensureAdminKey(join(dataDir, 'admin.key'));
  await executions.start();
  workspaces.start();
  open('workspaces', workspaces, (part) => part.close());
  const { access, mcpSessions } = await openFaces({
    db,
    log,
    settings: config,
    naming,
    secret: await readOrMakeSecret(join(dataDir, 'oauth.key')),
    onKeysChanged: () => keys.changed(),
    open,
  });

  const gateway = await buildGateway({
    executions,
    keys,
    tools,
    audit: tools.audit,
    workspaces,
    mcpSessions,
    access,
    config: {
      ...naming,
      inbandApproval: inbandApprovalOf(config),
      rateLimitPerMinute: config.EXECUTOR_RATE_LIMIT === 0 ? null : config.EXECUTOR_RATE_LIMIT,
    },
    log,
    tracing,
    metrics: registry,
    poolStats: () => pool.stats(),
    version: packageJson.version,
    startedAt,
  });
  open('gateway', gateway, (part) => part.close());
  const address = await serve(gateway, config);
  log.info({ address, adapter: adapter.name, dataDir }, `listening on ${address}`);
}
