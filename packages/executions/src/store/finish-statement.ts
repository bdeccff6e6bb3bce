import type { ExecutionOutcome } from '../execution.ts';
import { toTextColumn } from './text-column.ts';
import type { TypedColumns } from './values-statement.ts';

export interface EndedExecution {
  readonly id: string;
  /** The one it was claimed with; 0: it was never claimed. */
  readonly token: number;
  readonly endedAt: Date;
  readonly queueMs: number;
  readonly totalMs: number;
  readonly outputTokens: number;
  readonly outcome: ExecutionOutcome;
  /** null: the events of its run died with their process. */
  readonly eventsJson: string | null;
}

/** The first two say which row; the rest is set. */
export const FINISH_COLUMNS: TypedColumns = [
  ['id', 'text'],
  ['token', 'int4'],
  ['status', 'text'],
  ['ended_at', 'timestamptz'],
  ['output', 'text'],
  ['result_json', 'text'],
  ['result_parts', 'int4'],
  ['error_json', 'text'],
  ['execution_ms', 'float8'],
  ['truncated', 'bool'],
  ['dropped_bytes', 'int8'],
  ['effects', 'text'],
  ['tool_calls_json', 'text'],
  ['queue_ms', 'float8'],
  ['total_ms', 'float8'],
  ['warm', 'bool'],
  ['output_bytes', 'int8'],
  ['output_tokens', 'int4'],
  ['events_json', 'text'],
];

/** `resultParts` above 0: the result is written already, in so many parts. */
export function finishParameters({ ended, resultParts }: { readonly ended: EndedExecution; readonly resultParts: number }): unknown[] {
  const { outcome } = ended;
  return [
    ended.id,
    ended.token,
    outcome.status,
    ended.endedAt.toISOString(),
    toTextColumn(outcome.output),
    outcome.resultJson === null || resultParts > 0 ? null : toTextColumn(outcome.resultJson),
    resultParts,
    outcome.error === null ? null : JSON.stringify(outcome.error),
    outcome.executionTimeMs,
    outcome.truncated,
    outcome.droppedBytes,
    outcome.effects,
    JSON.stringify(outcome.toolCalls),
    ended.queueMs,
    ended.totalMs,
    outcome.warm ?? false,
    outcome.outputBytes,
    ended.outputTokens,
    ended.eventsJson,
  ];
}
