import { Histogram, type Registry } from 'prom-client';
import type { ExecutionEnded } from './end-execution.ts';

/** From a warm answer (2 ms) to the longest execution (300 s). */
const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Answers what counts one end, in the process that ran it. */
export function registerRunMetrics(registers: Registry[]): (event: ExecutionEnded) => void {
  const executionTime = new Histogram({
    name: 'code_executor_execution_duration_seconds',
    help: 'Time inside the sandbox',
    labelNames: ['language', 'status'] as const,
    buckets: BUCKETS_SECONDS,
    registers,
  });
  const queueWait = new Histogram({
    name: 'code_executor_queue_wait_seconds',
    help: 'From accepted to claimed',
    buckets: BUCKETS_SECONDS,
    registers,
  });
  return ({ language, status, executionMs, queueMs }) => {
    executionTime.observe({ language, status }, executionMs / 1_000);
    queueWait.observe(queueMs / 1_000);
  };
}
