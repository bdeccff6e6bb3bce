import type { ExecutionEnded } from '../end-execution.ts';
import type { ExecutionRecord } from '../port.ts';

/** What log and metrics say of an end that was written by nobody who ran it. */
export function endedEvent(
  record: ExecutionRecord,
  origin: { readonly requestId: string; readonly workspaceId: string; readonly principalId: string },
): ExecutionEnded {
  return {
    executionId: record.executionId,
    ...origin,
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
