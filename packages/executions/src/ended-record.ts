import { traceIdOf } from '@code-executor/platform';
import type { ExecutionEnded } from './end-execution.ts';
import type { ExecutionRecord } from './port.ts';
import type { EndedExecution, FinishedRow } from './store/finish-statement.ts';

type Ended = Omit<FinishedRow, 'token'>;

/** The record of an end that was written just now, without reading it again. */
export function endedRecord({ outcome, endedAt, queueMs, totalMs, outputTokens }: EndedExecution, execution: Ended): ExecutionRecord {
  return {
    executionId: execution.id,
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
    language: execution.language,
    createdAt: execution.createdAt.toISOString(),
    endedAt: endedAt.toISOString(),
  };
}

/** What the log and the metrics say of it. */
export function endedEvent({ outcome, queueMs, totalMs, outputTokens }: EndedExecution, execution: Ended): ExecutionEnded {
  return {
    executionId: execution.id,
    requestId: execution.requestId,
    traceId: traceIdOf(execution.traceparent),
    workspaceId: execution.workspaceId,
    principalId: execution.principalId,
    language: execution.language,
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
