import type { WorkerExecutions } from '@code-executor/executions';
import type { SandboxPool } from '@code-executor/sandbox';
import { registerPoolMetrics } from '@code-executor/sandbox';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** From a warm answer (2 ms) to the longest execution (300 s). */
const DURATION_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

interface MetricSources {
  readonly executions: Pick<WorkerExecutions, 'onExecutionEnded' | 'stats'>;
  readonly pool: Pick<SandboxPool, 'stats'>;
}

/** Ends are counted as they happen, the rest is read when it is asked for. */
export function collectMetrics(sources: MetricSources): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  countEnds([registry], sources);
  readExecutions([registry], sources);
  registerPoolMetrics([registry], () => sources.pool.stats());
  return registry;
}

function countEnds(registers: Registry[], { executions }: MetricSources): void {
  const outcomes = new Counter({
    name: 'code_executor_worker_executions_total',
    help: 'Executions that ended here, by how; code is that of their error, or empty',
    labelNames: ['language', 'status', 'code'] as const,
    registers,
  });
  const executionTime = new Histogram({
    name: 'code_executor_execution_duration_seconds',
    help: 'Time inside the sandbox',
    labelNames: ['language', 'status'] as const,
    buckets: DURATION_BUCKETS_SECONDS,
    registers,
  });
  const queueWait = new Histogram({
    name: 'code_executor_queue_wait_seconds',
    help: 'From accepted to claimed',
    buckets: DURATION_BUCKETS_SECONDS,
    registers,
  });
  executions.onExecutionEnded(({ language, status, errorCode, executionMs, queueMs }) => {
    outcomes.inc({ language, status, code: errorCode ?? '' });
    executionTime.observe({ language, status }, executionMs / 1000);
    queueWait.observe(queueMs / 1000);
  });
}

function readExecutions(registers: Registry[], { executions }: MetricSources): void {
  new Gauge({
    name: 'code_executor_worker_running',
    help: 'Executions that this worker holds',
    registers,
    collect() {
      this.set(executions.stats().running);
    },
  });
  const readCounter = (name: string, help: string, read: () => number): void => {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  };
  readCounter('code_executor_leases_lost_total', 'Claims that lapsed while their program ran', () => executions.stats().leasesLost);
  readCounter('code_executor_event_batches_total', 'Batches of live events sent', () => executions.stats().eventBatches);
  readCounter('code_executor_events_total', 'Live events sent', () => executions.stats().events);
  readCounter('code_executor_event_failures_total', 'Tries to send live events that failed', () => executions.stats().eventFailures);
  new Gauge({
    name: 'code_executor_lease_renewal_age_seconds',
    help: 'Time since the leases were last renewed; above four, leases have run out; above twenty, programs are stopped',
    registers,
    collect() {
      this.set((executions.stats().renewedMsAgo ?? Number.POSITIVE_INFINITY) / 1000);
    },
  });
}
