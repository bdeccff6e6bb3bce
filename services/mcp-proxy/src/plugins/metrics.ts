import { EVENT_LOOP_PRECISION_MS } from '@code-executor/platform';
import { registerCallMetrics, registerToolGauges, type ToolCallEvent, type ToolsSummary } from '@code-executor/tools';
import { Counter, collectDefaultMetrics, Histogram, type Registry } from 'prom-client';
import type { ProxyApp } from '../proxy-app.ts';

export interface ProxyMetrics {
  toolCall(event: ToolCallEvent): void;
  /** A claim was asked for: `claimed`, or `gone` where somebody else has the execution. */
  claim(outcome: 'claimed' | 'gone'): void;
  /** A worker spoke for a claim that is not its own any more. */
  staleRefused(act: 'finish' | 'events' | 'pause' | 'renew' | 'tool_call' | 'discover'): void;
  leasesExpired(count: number): void;
}

const REQUEST_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];
/** Counters of the domain; they are made before the app, whose parts count in them. */
export function createProxyMetrics(registry: Registry): ProxyMetrics {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_PRECISION_MS });
  const registers = [registry];
  const claims = new Counter({
    name: 'code_executor_claims_total',
    help: 'Executions that workers asked for: claimed, or gone because somebody else has them',
    labelNames: ['outcome'] as const,
    registers,
  });
  const stale = new Counter({
    name: 'code_executor_stale_refusals_total',
    help: 'What was refused because the claim behind it had lapsed',
    labelNames: ['act'] as const,
    registers,
  });
  const leases = new Counter({
    name: 'code_executor_leases_expired_total',
    help: 'Executions ended as WORKER_LOST because their worker let the lease run out',
    registers,
  });
  return {
    toolCall: registerCallMetrics(registers),
    claim: (outcome) => claims.inc({ outcome }),
    staleRefused: (act) => stale.inc({ act }),
    leasesExpired: (count) => leases.inc(count),
  };
}

/** What the app itself is asked and how long it takes, and the state of the servers behind it. */
export function registerRequestMetrics(app: ProxyApp, registry: Registry, summary: () => ToolsSummary): void {
  const registers = [registry];
  const durations = new Histogram({
    name: 'code_executor_internal_request_duration_seconds',
    help: 'Internal requests from their headers to the end of their answer',
    labelNames: ['route', 'status'] as const,
    buckets: REQUEST_BUCKETS_SECONDS,
    registers,
  });
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.is404 ? 'unknown' : (request.routeOptions.url ?? 'unknown');
    durations.observe({ route, status: String(reply.statusCode) }, reply.elapsedTime / 1_000);
    done();
  });
  registerToolGauges(registers, summary);
}
