import type { ColumnType } from 'kysely';

type Timestamp = ColumnType<Date, string | Date, string | Date>;
type NullableTimestamp = ColumnType<Date | null, string | Date | null | undefined, string | Date | null>;

/** Rows of the tool domain. JSON is kept as text, so that a foreign schema comes back byte for byte. */
export interface ToolTables {
  integrations: {
    workspace_id: string;
    slug: string;
    kind: string;
    /** The definition without its secrets, as JSON. */
    definition: string;
    /** `{env, headers}` sealed with AES-256-GCM; null where there are none. */
    sealed_secrets: string | null;
    created_at: Timestamp;
  };
  catalog_tools: {
    workspace_id: string;
    server: string;
    name: string;
    definition: string;
    digest: string;
    /** Place in the server's own list. */
    position: number;
    /** False: the server no longer lists it. The row stays, so that a tool which returns in another shape is noticed. */
    present: boolean;
    /** When the definition last came to differ from what the operator has accepted; null: it does not. */
    drifted_at: NullableTimestamp;
    recorded_at: Timestamp;
  };
  policies: {
    id: string;
    workspace_id: string;
    pattern: string;
    action: string;
    created_at: Timestamp;
  };
  /** One row per dispatched or refused call, written before dispatch. Never updated. */
  tool_calls: {
    id: string;
    workspace_id: string;
    principal_id: string;
    execution_id: string | null;
    call_number: number | null;
    server: string;
    tool: string;
    argument_digest: string;
    idempotency_key: string;
    decision: string;
    /** The operator has marked the tool as free of effects. */
    read_only: boolean;
    dispatched_at: Timestamp;
  };
  /** How a call of `tool_calls` ended. Written once; a call without a row here has an unknown end. */
  tool_call_outcomes: {
    call_id: string;
    outcome: string;
    duration_ms: number;
    reply_bytes: number;
    finished_at: Timestamp;
  };
}
