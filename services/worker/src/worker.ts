import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import {
  containersOf,
  createPreparer,
  createQueueConsumer,
  createRemoteLedger,
  createTypechecker,
  createWorkerExecutions,
  createWorkspaceSnapshots,
  followCancellations,
  followHandOvers,
} from '@code-executor/executions';
import { type Closable, createServiceSigner, type Logger, type Open, openParts, startTracing } from '@code-executor/platform';
import { makeSnapshotsDir, openSandboxes, sandboxLimitsOf } from '@code-executor/sandbox';
import { createRemoteTools } from '@code-executor/tools';
import { createWorkspaceWrapperStores } from '@code-executor/wrappers';
import packageJson from '../../../package.json' with { type: 'json' };
import type { WorkerConfig } from './config.ts';
import { collectMetrics } from './metrics.ts';
import { openStatusServer } from './status-server.ts';

/** A tool call waits so long for a proxy that is being restarted; its execution's claim is kept as long. */
const PROXY_PATIENCE_MS = 20_000;

/**
 * Runs the fleet's programs. Answers what was opened, in order; the caller closes it. When a part cannot be opened, those
 * opened before are closed and the error is thrown. A Redis or a proxy that is away is no reason: it is waited for.
 */
export function startWorker(config: WorkerConfig, log: Logger): Promise<readonly Closable[]> {
  return openParts(log, (open) => compose(config, log, open));
}

async function compose(config: WorkerConfig, log: Logger, open: Open): Promise<void> {
  const startedAt = Date.now();
  const dataDir = config.EXECUTOR_DATA_DIR;
  const snapshotsDir = await makeSnapshotsDir(dataDir);
  const limits = sandboxLimitsOf(config);
  const tracing = await startTracing(config, { service: 'worker', version: packageJson.version, log, open });
  // Another one with each start: what an earlier process had claimed is not this one's.
  const workerId = `${hostname()
    .replaceAll(/[^\w.-]/g, '-')
    .slice(0, 80)}-${randomUUID().slice(0, 13)}`;
  const authorize = createServiceSigner({ role: 'worker', name: workerId, key: config.EXECUTOR_WORKER_INTERNAL_KEY });
  const proxy = { url: config.EXECUTOR_PROXY_URL, authorize };

  const { adapter, pool, run } = await openSandboxes(
    {
      adapter: config.EXECUTOR_SANDBOX,
      dataDir,
      pythonPackagesDir: config.EXECUTOR_PYTHON_PACKAGES_DIR,
      containers: containersOf(config),
      targets: { typescript: config.EXECUTOR_POOL_TYPESCRIPT, python: config.EXECUTOR_POOL_PYTHON },
      limits,
      isNewestOfAnother: (dir) => snapshots.isNewestOfAnother(dir),
      log,
    },
    open,
  );

  const tools = open('tools', createRemoteTools({ ...proxy, log, patienceMs: PROXY_PATIENCE_MS }), (part) => part.close());
  const inUse = (): Iterable<string> => snapshots.dirs();
  const wrapperStore = open('wrappers', createWorkspaceWrapperStores({ dir: snapshotsDir, inUse }), (part) => part.close());
  const snapshots = createWorkspaceSnapshots({
    fetchCatalog: tools.fetchCatalog,
    writeSnapshot: wrapperStore.snapshot,
    onNewest: pool.retarget,
    letGo: wrapperStore.letGo,
    log,
  });
  open('snapshots', snapshots, (part) => part.close());

  const preparer = open('preparer', createPreparer({}), (part) => part.close());
  const typechecker = open('type checker', createTypechecker({ log }), (part) => part.close());
  const ledger = open('ledger', createRemoteLedger(proxy), (part) => part.close());
  const slots = config.EXECUTOR_CONCURRENCY;
  const executions = createWorkerExecutions({
    workerId,
    ledger,
    openHandOvers: (onHanded) => followHandOvers({ redis: config.REDIS_URL, workerId, log, onHanded }),
    openQueue: (handler) => createQueueConsumer({ redis: config.REDIS_URL, concurrency: slots, log, handler }),
    tools,
    snapshots,
    preparer,
    typechecker,
    pool,
    runProgram: run,
    sandboxLimits: limits,
    slots,
    sessions: { ledger: ledger.sessions, maximum: config.EXECUTOR_SESSIONS },
    artifacts: ledger.artifacts,
    pausedMaximum: config.EXECUTOR_PAUSED_SANDBOXES,
    pauseKeepMs: config.EXECUTOR_PAUSE_KEEP_SECONDS * 1_000,
    log,
    tracing,
  });
  const cancellations = followCancellations({
    redis: config.REDIS_URL,
    log,
    onCancel: executions.cancel,
    onDecided: executions.decided,
    onSessions: executions.heard,
  });
  open('cancellations', cancellations, async (part) => part.close());

  const status = await openStatusServer({
    host: config.EXECUTOR_HOST,
    port: config.EXECUTOR_PORT,
    about: { workerId, version: packageJson.version, startedAt },
    executions,
    pool,
    queueAnswers: cancellations.connected,
    metrics: collectMetrics({ executions, pool }),
  });
  open('status', status, (part) => part.close());
  // Last, so that it is closed first: while it drains, everything that it needs still stands.
  open('executions', executions, (part) => part.close({ graceMs: config.EXECUTOR_DRAIN_SECONDS * 1_000 }));
  executions.start();
  log.info({ address: status.address, adapter: adapter.name, workerId, slots, dataDir }, `taking executions; health on ${status.address}`);
}
