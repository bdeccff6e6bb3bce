import { registerRunMetrics } from '@code-executor/executions';
import { EVENT_LOOP_PRECISION_MS } from '@code-executor/platform';
import { registerPoolMetrics } from '@code-executor/sandbox';
import { registerToolGauges } from '@code-executor/tools';
import type { FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client';
import type { RouteDeps } from '../gateway-app.ts';
import { summaryOf } from '../tools-summary.ts';
import { answeredStatus } from './request-log.ts';

/** From a warm answer (2 ms) to the longest execution (300 s). */
const DURATION_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

type MetricSources = Pick<RouteDeps, 'executions' | 'tools' | 'poolStats'> & { readonly sandboxesElsewhere?: boolean | undefined };

/** HTTP durations and outcomes are counted as they happen, the rest is read when it is asked for. */
export function registerMetrics(app: FastifyInstance, registry: Registry, sources: MetricSources): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_PRECISION_MS });
  const registers = [registry];
  const durations = new Histogram({
    name: 'code_executor_http_request_duration_seconds',
    help: 'Time from the headers of a request to the end of its answer',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: DURATION_BUCKETS_SECONDS,
    registers,
  });
  const outcomes = new Counter({
    name: 'code_executor_executions_total',
    help: 'Executions that ended, by how; code is that of their error, or empty',
    labelNames: ['language', 'status', 'code'] as const,
    registers,
  });
  const accepted = new Counter({
    name: 'code_executor_executions_accepted_total',
    help: 'Requests of POST /execute that were accepted; replayed: by an Idempotency-Key that was known',
    labelNames: ['replayed'] as const,
    registers,
  });
  const refused = new Counter({
    name: 'code_executor_executions_refused_total',
    help: 'Requests of POST /execute that were not accepted, by the code of the error',
    labelNames: ['code'] as const,
    registers,
  });
  registerGauges(registers, sources);
  // In the fleet workers tell of what they ran themselves.
  const runsHere = sources.sandboxesElsewhere !== true;
  if (runsHere) registerPoolMetrics(registers, sources.poolStats);
  const countRun = runsHere ? registerRunMetrics(registers) : () => undefined;

  app.addHook('onRequest', (request, reply, done) => {
    reply.raw.once('close', () => {
      // The pattern, never the path: paths are chosen by clients and would grow the series without bound.
      const route = request.is404 ? 'unknown' : (request.routeOptions.url ?? 'unknown');
      durations.observe({ method: request.method, route, status: answeredStatus(reply) }, reply.elapsedTime / 1000);
      if (route !== '/execute' || request.method !== 'POST') return;
      if (request.executionId !== null) accepted.inc({ replayed: String(reply.getHeader('idempotency-replayed') ?? 'false') });
      else if (request.errorCode !== null) refused.inc({ code: request.errorCode });
    });
    done();
  });
  const unsubscribe = sources.executions.onExecutionEnded((event) => {
    outcomes.inc({ language: event.language, status: event.status, code: event.errorCode ?? '' });
    countRun(event);
  });
  app.addHook('onClose', (_app, done) => {
    unsubscribe();
    done();
  });
}

function registerGauges(registers: Registry[], { executions, tools }: MetricSources): void {
  new Gauge({
    name: 'code_executor_executions',
    help: 'Executions that wait (queued) and run (running)',
    labelNames: ['state'] as const,
    registers,
    collect() {
      const { queued, running } = executions.depth();
      this.set({ state: 'queued' }, queued);
      this.set({ state: 'running' }, running);
    },
  });
  registerToolGauges(registers, () => summaryOf(tools));
}
