import type { ColumnType } from 'kysely';

/** Read as a Date, written as a Date or ISO text. */
type Time = ColumnType<Date, Date | string, Date | string>;
type OptionalTime = ColumnType<Date | null, Date | string | null, Date | string | null>;
/** bigint comes back as text from pg and as a number from PGlite. */
type Count = ColumnType<number | string, number, number>;

export interface ExecutionsTable {
  id: string;
  workspace_id: string;
  principal_id: string;
  request_id: string;
  status: string;
  /** Counts claims. Who holds an older one may not write any more. */
  token: number;
  worker_id: string | null;
  language: string;
  code: string;
  args_json: string;
  files_json: string | null;
  timeout_ms: number;
  typecheck: boolean;
  created_at: Time;
  started_at: OptionalTime;
  ended_at: OptionalTime;
  output: string;
  result_json: string | null;
  /** Above 0: the result lies in so many rows of execution_result_parts. */
  result_parts: number;
  error_json: string | null;
  execution_ms: number;
  truncated: boolean;
  dropped_bytes: Count;
  effects: string;
  tool_calls_json: string;
  queue_ms: number;
  total_ms: number;
  warm: boolean;
  output_bytes: Count;
  output_tokens: number;
  /** See events/stored-events.ts; null: lost with the process that ran it. */
  events_json: string | null;
  /** In the fleet: when its id was given to the queue; null: it waits for its workspace's share. */
  dispatched_at: OptionalTime;
  /** In the fleet: whoever runs it has lost it when this passes without a renewal. By the database's clock. */
  lease_until: OptionalTime;
  cancel_requested_at: OptionalTime;
  /** W3C Trace Context of the request that asked for it; null where nothing is traced. */
  traceparent: string | null;
  /** Since when it waits for a person's decision; null: it does not. */
  paused_at: OptionalTime;
  /** Ids of the approvals that it waits for, with commas between them; null: it waits for none. */
  waits_for: string | null;
  /** What it can be replayed from (replay/checkpoint.ts), sealed; null: it cannot. */
  sealed_replay: string | null;
  /** What its client calls the session that it runs in. */
  session_id: string | null;
}

/** Sessions that have a sandbox, or had one in a process that is gone. */
export interface SessionsTable {
  workspace_id: string;
  principal_id: string;
  id: string;
  created_at: Time;
}

export interface ExecutionResultPartsTable {
  execution_id: string;
  token: number;
  part: number;
  text: string;
}

export interface IdempotencyKeysTable {
  workspace_id: string;
  principal_id: string;
  route: string;
  key: string;
  digest: string;
  execution_id: string;
  created_at: Time;
}

export interface ApiKeysTable {
  id: string;
  workspace_id: string;
  /** SHA-256 of the bare key, hexadecimal. */
  digest: string;
  name: string;
  role: string;
  created_by: string | null;
  created_at: Time;
  expires_at: OptionalTime;
  revoked_at: OptionalTime;
  /** A JSON array; null: nothing narrows the role. */
  scopes_json: ColumnType<string | null, string | null | undefined, never>;
}

export interface ExecutionTables {
  executions: ExecutionsTable;
  execution_result_parts: ExecutionResultPartsTable;
  idempotency_keys: IdempotencyKeysTable;
  api_keys: ApiKeysTable;
  sessions: SessionsTable;
}
