import type { Effects, ExecutionError, ExecutionStatus, ToolCallSummary } from '@code-executor/contracts';
import type { Selectable } from 'kysely';
import type { ExecutionRecord, ExecutionSummary } from '../port.ts';
import type { ResultParts } from './result-parts.ts';
import type { ExecutionsTable } from './tables.ts';
import { fromTextColumn } from './text-column.ts';

/** What an ExecutionSummary is made of. */
export const SUMMARY_COLUMNS = [
  'id',
  'workspace_id',
  'principal_id',
  'status',
  'language',
  'created_at',
  'ended_at',
  'error_json',
  'execution_ms',
  'truncated',
  'dropped_bytes',
  'effects',
  'tool_calls_json',
  'queue_ms',
  'total_ms',
  'warm',
  'output_bytes',
  'output_tokens',
] as const;

/** Everything an ExecutionRecord is made of; the program itself stays in the database. */
export const RECORD_COLUMNS = [...SUMMARY_COLUMNS, 'output', 'result_json', 'result_parts', 'token'] as const;

export type SummaryRow = Pick<Selectable<ExecutionsTable>, (typeof SUMMARY_COLUMNS)[number]>;
export type RecordRow = Pick<Selectable<ExecutionsTable>, (typeof RECORD_COLUMNS)[number]>;

export async function toExecutionRecord(row: RecordRow, parts: ResultParts): Promise<ExecutionRecord> {
  const stored = row.result_json === null ? null : fromTextColumn(row.result_json);
  return {
    ...toExecutionSummary(row),
    output: fromTextColumn(row.output),
    resultJson: row.result_parts === 0 ? stored : await parts.read(row.id, row.token, row.result_parts),
  };
}

export function toExecutionSummary(row: SummaryRow): ExecutionSummary {
  return {
    executionId: row.id,
    status: row.status as ExecutionStatus,
    error: row.error_json === null ? null : (JSON.parse(fromTextColumn(row.error_json)) as ExecutionError),
    executionTime: row.execution_ms,
    truncated: row.truncated,
    droppedBytes: Number(row.dropped_bytes),
    effects: row.effects as Effects,
    toolCalls: JSON.parse(fromTextColumn(row.tool_calls_json)) as ToolCallSummary[],
    metrics: {
      queueMs: row.queue_ms,
      totalMs: row.total_ms,
      warm: row.warm,
      outputBytes: Number(row.output_bytes),
      outputTokens: row.output_tokens,
    },
    approval: null,
    language: row.language,
    createdAt: row.created_at.toISOString(),
    endedAt: row.ended_at === null ? null : row.ended_at.toISOString(),
  };
}
