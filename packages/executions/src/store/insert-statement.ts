import type { AcceptedExecution } from '../execution.ts';
import { toTextColumn } from './text-column.ts';
import type { TypedColumns } from './values-statement.ts';

export interface NewExecution {
  readonly execution: AcceptedExecution;
  /** Set: it is written as running, with token 1, because a place to run is held for it already. */
  readonly startedBy: string | null;
}

export const INSERT_COLUMNS: TypedColumns = [
  ['id', 'text'],
  ['workspace_id', 'text'],
  ['principal_id', 'text'],
  ['request_id', 'text'],
  ['status', 'text'],
  ['token', 'int4'],
  ['worker_id', 'text'],
  ['language', 'text'],
  ['code', 'text'],
  ['args_json', 'text'],
  ['files_json', 'text'],
  ['timeout_ms', 'int4'],
  ['typecheck', 'bool'],
  ['created_at', 'timestamptz'],
  ['started_at', 'timestamptz'],
  ['session_id', 'text'],
  ['traceparent', 'text'],
];

export function insertParameters({ execution, startedBy }: NewExecution): unknown[] {
  const createdAt = execution.createdAt.toISOString();
  return [
    execution.id,
    execution.workspaceId,
    execution.principalId,
    execution.requestId,
    startedBy === null ? 'queued' : 'running',
    startedBy === null ? 0 : 1,
    startedBy,
    execution.language,
    toTextColumn(execution.code),
    JSON.stringify(execution.args),
    Object.keys(execution.files).length === 0 ? null : JSON.stringify(execution.files),
    execution.timeoutMs,
    execution.typecheck,
    createdAt,
    startedBy === null ? null : createdAt,
    execution.sessionId ?? null,
    execution.traceparent ?? null,
  ];
}
