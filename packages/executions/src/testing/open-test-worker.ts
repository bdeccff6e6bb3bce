import { createLogger } from '@code-executor/platform';
import { DEFAULT_LIMITS, type SandboxSpec } from '@code-executor/sandbox';
import type { ExecutionEnded } from '../end-execution.ts';
import { createWorkerExecutions, type WorkerExecutions } from '../worker/create-worker-executions.ts';
import { createRemoteLedger } from '../worker/remote-ledger.ts';
import { type LedgerServer, openLedgerServer } from './ledger-server.ts';
import { createRecordingTools } from './recording-tools.ts';
import { createShellRuntime, type ShellRuntime } from './shell-runtime.ts';

export interface TestWorker {
  readonly ledger: LedgerServer;
  readonly executions: WorkerExecutions;
  readonly runtime: ShellRuntime;
  readonly tools: ReturnType<typeof createRecordingTools>;
  readonly ended: readonly ExecutionEnded[];
  /** The catalog versions whose wrappers were asked for. */
  readonly versions: readonly string[];
  /** Hands an id to the worker, as its queue does. Resolves when it is handled. */
  deliver(executionId: string): Promise<void>;
  /** Tells the worker of it past the queue. */
  tell(executionId: string): void;
  /** Adds a program and hands it out. */
  run(code: string): Promise<string>;
  close(): Promise<void>;
}

/** A worker whose programs are shell scripts, against a ledger server of its own. Leases are short: 600 ms, renewed every 150, given up after 2.4 s. */
export async function openTestWorker(
  options: { readonly eventIntervalMs?: number; readonly startsAtOnce?: number; readonly boot?: (spec: SandboxSpec) => Promise<void> } = {},
): Promise<TestWorker> {
  const leaseMs = 600;
  const ledger = await openLedgerServer({ leaseMs });
  const remote = createRemoteLedger({ url: ledger.url, authorize: async () => 'role-token' });
  const runtime = createShellRuntime(options);
  const tools = createRecordingTools();
  const versions: string[] = [];
  const ended: ExecutionEnded[] = [];
  let tell = (_executionId: string): void => undefined;
  let handler = async (_executionId: string): Promise<void> => undefined;
  const underWay = new Set<Promise<void>>();
  const drain = async (): Promise<void> => void (await Promise.all(underWay));
  const executions = createWorkerExecutions({
    workerId: 'worker-test',
    ledger: remote,
    openQueue(given) {
      handler = given;
      return { start: () => undefined, drain, close: drain };
    },
    openHandOvers(onHanded) {
      tell = onHanded;
      return { close: () => undefined };
    },
    tools,
    snapshots: {
      first: Promise.resolve(),
      follow: () => undefined,
      async dir(version) {
        versions.push(version);
        return '/nonexistent';
      },
    },
    preparer: runtime.preparer,
    pool: {
      ...runtime.pool,
      stats: () => ({
        warm: { typescript: 0, python: 0, node: 0 },
        target: { typescript: 0, python: 0, node: 0 },
        hits: 0,
        misses: runtime.counts.claimed,
        bootFailures: 0,
        lastBootError: null,
      }),
    },
    runProgram: runtime.runProgram,
    sandboxLimits: DEFAULT_LIMITS,
    slots: 4,
    startsAtOnce: options.startsAtOnce,
    log: createLogger({ level: 'silent', service: 'test' }),
    leaseMs,
    renewEveryMs: 150,
    giveUpAfterMs: leaseMs * 4,
    eventIntervalMs: options.eventIntervalMs,
  });
  executions.onExecutionEnded((event) => ended.push(event));
  executions.start();
  const deliver = async (executionId: string): Promise<void> => {
    const work = handler(executionId);
    underWay.add(work);
    await work.finally(() => underWay.delete(work));
  };
  return {
    ledger,
    executions,
    runtime,
    tools,
    ended,
    versions,
    deliver,
    tell: (executionId) => tell(executionId),
    async run(code) {
      const id = ledger.add(code);
      await deliver(id);
      return id;
    },
    async close() {
      await executions.close({ graceMs: 0 });
      await remote.close();
      await ledger.close();
    },
  };
}
