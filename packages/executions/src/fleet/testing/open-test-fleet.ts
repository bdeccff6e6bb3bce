import { DEFAULT_WORKSPACE_ID, type ExecuteRequest, newId, type Principal } from '@code-executor/contracts';
import { closeRedis, createGrants, createLogger, type Database, openDatabase, openRedis } from '@code-executor/platform';
import { vi } from 'vitest';
import { startPostgres, startRedis, type TestContainer } from '../../../../../test/support/containers.ts';
import type { ExecutionEnded } from '../../end-execution.ts';
import { createLedger, type LocalLedger } from '../../ledger/create-ledger.ts';
import { createQueueProducer, type QueueProducer } from '../../queue/bullmq-producer.ts';
import { type Reconciler, startReconciler } from '../../reconcile/start-reconciler.ts';
import { executionMigrations } from '../../store/migrations.ts';
import { createFleetExecutions, type FleetExecutions, type FleetExecutionsOptions } from '../create-fleet-executions.ts';
import { type ScriptedWorker, startScriptedWorker } from './scripted-worker.ts';

const log = createLogger({ level: 'silent', service: 'test' });

export const somebody = (name: string, role: Principal['role'] = 'agent', workspaceId = DEFAULT_WORKSPACE_ID): Principal => ({
  id: `key_${name}`,
  workspaceId,
  role,
});

export interface TestFleet {
  readonly db: Database;
  readonly redis: TestContainer;
  readonly postgres: TestContainer;
  readonly queue: QueueProducer;
  readonly ledger: LocalLedger;
  /** Ends that mcp-proxy's part wrote. */
  readonly ended: ExecutionEnded[];
  gateway(options?: Partial<FleetExecutionsOptions>): Promise<FleetExecutions>;
  worker(options?: { readonly slots?: number; readonly handOvers?: 'taken' | 'ignored' }): Promise<ScriptedWorker>;
  /** Closes gateways and workers that were opened since; stores and ledger stay. */
  reset(): Promise<void>;
  /** Settings of Redis. */
  configure(name: string, value: string): Promise<void>;
  healthy(): Promise<void>;
  stop(): Promise<void>;
}

const ENDS_KEY = 'e'.repeat(43);

/** PostgreSQL and Redis in containers, and in this process what mcp-proxy does for executions. */
export async function openTestFleet(): Promise<TestFleet> {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  const db = await openDatabase({ url: postgres.url, directory: '', log });
  await db.migrate('executions', executionMigrations);
  const queue = createQueueProducer({ redis: redis.url, log });
  const connection = openRedis({ url: redis.url, name: 'test-proxy', log });
  const ended: ExecutionEnded[] = [];
  let slots = 8;
  const shared = {
    db,
    log,
    redis: connection,
    queue,
    share: () => Math.max(1, Math.floor(slots / 2)),
    onEnded: (event: ExecutionEnded) => void ended.push(event),
    endsKey: ENDS_KEY,
  };
  const ledger = createLedger({ ...shared, grants: createGrants({ key: 'k'.repeat(64) }), catalogVersion: () => 'v1' });
  const reconciler: Reconciler = startReconciler({ ...shared, effectsOf: async () => 'none' });
  const opened: (() => Promise<void>)[] = [];
  const healthy = () =>
    vi.waitFor(() => (queue.healthy() ? undefined : Promise.reject(new Error(queue.reason() ?? ''))), { timeout: 10_000 });
  await healthy();

  return {
    db,
    redis,
    postgres,
    queue,
    ledger,
    ended,
    async gateway(options = {}) {
      const ownQueue = createQueueProducer({ redis: redis.url, log });
      const executions = createFleetExecutions({
        db,
        redis: redis.url,
        queue: ownQueue,
        log,
        queueLimit: 1_000,
        endsKey: ENDS_KEY,
        ...options,
      });
      opened.push(async () => {
        await executions.close();
        await ownQueue.close();
      });
      await vi.waitFor(() => (ownQueue.healthy() ? undefined : Promise.reject(new Error('not yet'))), { timeout: 10_000 });
      return executions;
    },
    async worker(options = {}) {
      slots = options.slots ?? 8;
      const worker = await startScriptedWorker({ redis: redis.url, ledger, slots, handOvers: options.handOvers, log });
      opened.push(worker.close);
      return worker;
    },
    async reset() {
      for (const close of opened.splice(0).reverse()) await close();
    },
    configure: async (name, value) =>
      void (await redis.exec(['redis-cli', '--no-auth-warning', '-a', new URL(redis.url).password, 'CONFIG', 'SET', name, value])),
    healthy,
    async stop() {
      for (const close of opened.splice(0).reverse()) await close();
      await reconciler.stop();
      await ledger.close();
      await queue.close();
      closeRedis(connection);
      await db.close();
      await Promise.all([postgres.stop(), redis.stop()]);
    },
  };
}

/** A program for the scripted worker: what it prints, and how long it sleeps in between. */
export const program = (...steps: (string | number)[]): ExecuteRequest => ({
  language: 'typescript',
  code: 'scripted',
  args: { steps },
});

export const asRequest = () => ({ requestId: newId('req') });
