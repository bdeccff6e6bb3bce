import type { ExecutionEnded } from '../end-execution.ts';
import type { ExecutionRecord } from '../port.ts';
import type { EndedExecution, FinishedRow } from '../store/finish-statement.ts';

/** The record of an end that was written just now, without reading it again. */
export function endedRecord({ outcome, endedAt, queueMs, totalMs, outputTokens }: EndedExecution, row: FinishedRow): ExecutionRecord {
  return {
    executionId: row.id,
    status: outcome.status,
    output: outcome.output,
    resultJson: outcome.resultJson,
    error: outcome.error,
    executionTime: outcome.executionTimeMs,
    truncated: outcome.truncated,
    droppedBytes: outcome.droppedBytes,
    effects: outcome.effects,
    toolCalls: [...outcome.toolCalls],
    metrics: { queueMs, totalMs, warm: outcome.warm ?? false, outputBytes: outcome.outputBytes, outputTokens },
    approval: null,
    language: row.language,
    createdAt: row.created_at.toISOString(),
    endedAt: endedAt.toISOString(),
  };
}

/** What the log and the metrics say of it. */
export function endedEvent({ outcome, queueMs, totalMs, outputTokens }: EndedExecution, row: FinishedRow): ExecutionEnded {
  return {
    executionId: row.id,
    requestId: row.request_id,
    workspaceId: row.workspace_id,
    principalId: row.principal_id,
    language: row.language,
    status: outcome.status,
    errorCode: outcome.error?.code ?? null,
    effects: outcome.effects,
    queueMs,
    executionMs: outcome.executionTimeMs,
    totalMs,
    warm: outcome.warm,
    outputBytes: outcome.outputBytes,
    outputTokens,
    resultBytes: outcome.resultJson === null ? 0 : Buffer.byteLength(outcome.resultJson),
    toolCalls: outcome.toolCalls.length,
  };
}
