import { traceIdOf } from '@code-executor/platform';
import type { ExecutionEnded } from '../end-execution.ts';
import type { ExecutionRecord } from '../port.ts';
import type { Origin } from './fleet-rows.ts';

/** What log and metrics say of an end that was written by nobody who ran it. */
export function endedEvent(record: ExecutionRecord, { traceparent, ...origin }: Origin): ExecutionEnded {
  return {
    executionId: record.executionId,
    ...origin,
    traceId: traceIdOf(traceparent),
    language: record.language,
    status: record.status,
    errorCode: record.error?.code ?? null,
    effects: record.effects,
    queueMs: record.metrics.queueMs,
    executionMs: record.executionTime,
    totalMs: record.metrics.totalMs,
    warm: null,
    outputBytes: record.metrics.outputBytes,
    outputTokens: record.metrics.outputTokens,
    resultBytes: record.resultJson === null ? 0 : Buffer.byteLength(record.resultJson),
    toolCalls: record.toolCalls.length,
  };
}
