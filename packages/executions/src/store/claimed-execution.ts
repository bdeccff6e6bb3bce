import type { Selectable } from 'kysely';
import type { AcceptedExecution, ClaimedExecution } from '../execution.ts';
import type { ExecutionsTable } from './tables.ts';
import { fromTextColumn } from './text-column.ts';

/** Everything a worker needs to run it. */
export const CLAIMED_COLUMNS = [
  'id',
  'workspace_id',
  'principal_id',
  'request_id',
  'language',
  'code',
  'args_json',
  'files_json',
  'timeout_ms',
  'typecheck',
  'created_at',
  'token',
  'session_id',
  'traceparent',
  'sealed_replay',
] as const;

export type ClaimedRow = Pick<Selectable<ExecutionsTable>, (typeof CLAIMED_COLUMNS)[number]>;

export function toClaimedExecution(row: ClaimedRow): ClaimedExecution {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    principalId: row.principal_id,
    requestId: row.request_id,
    language: row.language,
    code: fromTextColumn(row.code),
    args: JSON.parse(fromTextColumn(row.args_json)) as AcceptedExecution['args'],
    files: row.files_json === null ? {} : (JSON.parse(fromTextColumn(row.files_json)) as AcceptedExecution['files']),
    timeoutMs: row.timeout_ms,
    typecheck: row.typecheck,
    createdAt: row.created_at,
    token: row.token,
    ...(row.session_id === null ? {} : { sessionId: row.session_id }),
    traceparent: row.traceparent,
    ...(row.sealed_replay === null ? {} : { replay: row.sealed_replay }),
  };
}
