import { newId } from '@code-executor/contracts';
import { createGrants, type Database, openDatabase, openRedis } from '@code-executor/platform';
import type { Redis } from 'ioredis';
import { startPostgres, startRedis, type TestContainer } from '../../../../test/support/containers.ts';
import type { ExecutionEnded } from '../end-execution.ts';
import { type AcceptedExecution, type ExecutionOutcome, endWithoutProgram } from '../execution.ts';
import { createLedger, type LocalLedger } from '../ledger/create-ledger.ts';
import type { ClaimedByWorker } from '../ledger/port.ts';
import { createQueueProducer, type QueueProducer } from '../queue/bullmq-producer.ts';
import { createExecutionStore, type ExecutionStore } from '../store/execution-store.ts';
import type { EndedExecution } from '../store/finish-statement.ts';
import { createFleetStore, type FleetStore } from '../store/fleet-store.ts';
import { executionMigrations } from '../store/migrations.ts';
import { testLog } from './open-test-executions.ts';

/** What one mcp-proxy has in its hands, on stores of the test's own. */
export interface TestFleet {
  readonly postgres: TestContainer;
  readonly redisContainer: TestContainer;
  readonly db: Database;
  readonly redis: Redis;
  readonly queue: QueueProducer;
  readonly store: ExecutionStore;
  readonly fleet: FleetStore;
  readonly ledger: LocalLedger;
  /** Events of executions that ended through the ledger. */
  readonly ended: ExecutionEnded[];
  share: number;
  close(): Promise<void>;
}

export async function openTestFleet(): Promise<TestFleet> {
  const [postgres, redisContainer] = await Promise.all([startPostgres(), startRedis()]);
  const db = await openDatabase({ url: postgres.url, directory: '', log: testLog });
  await db.migrate('executions', executionMigrations);
  const redis = openRedis({ url: redisContainer.url, name: 'test', log: testLog });
  const queue = createQueueProducer({ redis: redisContainer.url, log: testLog });
  const ended: ExecutionEnded[] = [];
  const ledger = createLedger({
    db,
    log: testLog,
    redis,
    queue,
    grants: createGrants({ key: 'k'.repeat(64) }),
    catalogVersion: () => 'v1',
    sealing: { seal: (text) => `sealed ${text}`, open: (sealed) => sealed.slice('sealed '.length) },
    share: () => opened.share,
    onEnded: (event) => void ended.push(event),
  });
  const opened: TestFleet = {
    postgres,
    redisContainer,
    db,
    redis,
    queue,
    store: createExecutionStore(db),
    fleet: createFleetStore(db),
    ledger,
    ended,
    share: 2,
    async close() {
      await ledger.close();
      await queue.close();
      redis.disconnect();
      await db.close();
      await Promise.all([postgres.stop(), redisContainer.stop()]);
    },
  };
  return opened;
}

export const acceptedExecution = (fields: Partial<AcceptedExecution> = {}): AcceptedExecution => ({
  id: newId('exe'),
  workspaceId: newId('wsp'),
  principalId: 'key_test',
  requestId: 'req_test',
  language: 'typescript',
  code: 'return 1',
  args: {},
  files: {},
  timeoutMs: 30_000,
  typecheck: false,
  createdAt: new Date(),
  ...fields,
});

export const endOf = ({ execution: { id, token } }: ClaimedByWorker, outcome: Partial<ExecutionOutcome> = {}): EndedExecution => ({
  id,
  token,
  endedAt: new Date(),
  queueMs: 1,
  totalMs: 2,
  outputTokens: 0,
  outcome: { ...endWithoutProgram('succeeded', null, 'none'), ...outcome },
  eventsJson: '[]',
});
