import { DEFAULT_WORKSPACE_ID, knownErrorCode } from '@code-executor/contracts';
import { Histogram, type Registry } from 'prom-client';
import type { ToolCallEvent } from './watch-calls.ts';

/** From a look-up in memory to the longest that an upstream may take. */
const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Answers what counts one call. A tool may answer with another code each time: those would grow the series without bound. */
export function registerCallMetrics(registers: Registry[]): (event: ToolCallEvent) => void {
  const calls = new Histogram({
    name: 'code_executor_tool_call_duration_seconds',
    help: 'Tool calls from their arrival to their answer, by server (empty: no such tool; those of other workspaces than the default one together) and outcome (ok, our code, or other)',
    labelNames: ['server', 'outcome'] as const,
    buckets: BUCKETS_SECONDS,
    registers,
  });
  return ({ workspaceId, server, outcome, durationMs }) =>
    calls.observe({ server: labelOf(workspaceId, server), outcome: outcome === 'ok' ? 'ok' : knownErrorCode(outcome) }, durationMs / 1_000);
}

/** Tenants name their servers as they like: neither are the names the operator's to read, nor is their number to grow the series. */
const labelOf = (workspaceId: string, server: string | null): string =>
  server === null || workspaceId === DEFAULT_WORKSPACE_ID ? (server ?? '') : '(other workspaces)';
