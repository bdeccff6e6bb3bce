import { registerRunMetrics, type WorkerExecutions } from '@code-executor/executions';
import { EVENT_LOOP_PRECISION_MS } from '@code-executor/platform';
import type { SandboxPool } from '@code-executor/sandbox';
import { registerPoolMetrics } from '@code-executor/sandbox';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';

interface MetricSources {
  readonly executions: Pick<WorkerExecutions, 'onExecutionEnded' | 'stats'>;
  readonly pool: Pick<SandboxPool, 'stats'>;
}

/** Ends are counted as they happen, the rest is read when it is asked for. */
export function collectMetrics(sources: MetricSources): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_PRECISION_MS });
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
  const countRun = registerRunMetrics(registers);
  executions.onExecutionEnded((event) => {
    outcomes.inc({ language: event.language, status: event.status, code: event.errorCode ?? '' });
    countRun(event);
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
  new Gauge({
    name: 'code_executor_worker_paused_sandboxes',
    help: 'Sandboxes that are kept frozen while people decide on a call',
    registers,
    collect() {
      this.set(executions.stats().paused);
    },
  });
  new Gauge({
    name: 'code_executor_worker_sessions',
    help: 'Sessions that this worker keeps',
    registers,
    collect() {
      this.set(executions.stats().sessions.kept);
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
  readCounter('code_executor_sessions_lost_total', 'Sessions that ended here without a DELETE', () => executions.stats().sessions.lost);
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
