import type { ColumnType, Generated } from 'kysely';

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
    /** What its document said, as JSON; null for a kind that has none. */
    source: string | null;
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
    /** What a call of it needs, as JSON of its kind; null for a kind that needs nothing. */
    binding: string | null;
  };
  /** A row for each version that is kept. */
  skills: {
    workspace_id: string;
    name: string;
    version: number;
    language: string;
    description: string;
    /** As JSON, as the two after it. */
    code: string;
    /** What its wrapper runs. */
    source: string;
    parameters: string;
    origin: string;
    /** A shipped one that an operator does not want. */
    removed: Generated<boolean>;
    created_by: string | null;
    created_at: Timestamp;
  };
  policies: {
    id: string;
    workspace_id: string;
    pattern: string;
    action: string;
    /** Canonical JSON, as the two after it; null where there is none. */
    when_json: string | null;
    principal_json: string | null;
    limits_json: string | null;
    note: string | null;
    created_by: string | null;
    created_at: Timestamp;
    updated_at: Timestamp;
    /** Equal for rules that take each other's place. */
    rule_key: string;
  };
  /** Calls that count against the limits of a rule, by principal and period. */
  policy_counters: {
    workspace_id: string;
    policy_id: string;
    principal_id: string;
    /** `minute:N`, `day:N`, or the id of an execution. */
    period: string;
    calls: number;
    expires_at: Timestamp;
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
    /** Of the rule that decided; null: what follows from the source. */
    policy_id: ColumnType<string | null, string | null | undefined, never>;
    connection: ColumnType<string | null, string | null | undefined, never>;
    /** The operator has marked the tool as free of effects. */
    read_only: boolean;
    dispatched_at: Timestamp;
  };
  /** What waits for a person's decision, or waited. One for each call of an execution that needed one. */
  approvals: {
    id: string;
    workspace_id: string;
    execution_id: string;
    call_number: number;
    principal_id: string;
    server: string;
    tool: string;
    /** null: the default one, or none. */
    connection: string | null;
    /** Canonical JSON, sealed with AES-256-GCM. */
    sealed_arguments: string;
    argument_digest: string;
    definition_digest: string;
    /** Why the policy wants a decision. */
    policy_reason: string;
    status: string;
    created_at: Timestamp;
    expires_at: Timestamp;
    decided_at: NullableTimestamp;
    decided_by: string | null;
    scope: string | null;
    reason: string | null;
    self_approved: Generated<boolean>;
    consumed_at: NullableTimestamp;
    webhook_attempts: Generated<number>;
    /** null: nothing is to be sent (any more). */
    webhook_due_at: NullableTimestamp;
  };
  /** Acts of administration, append-only: each row carries the digest of the one before. */
  audit_events: {
    id: string;
    workspace_id: string;
    /** From 1 on, without gaps. */
    position: ColumnType<string | number, number, never>;
    at: ColumnType<Date, Date, never>;
    type: string;
    principal_id: string | null;
    role: string | null;
    principal_name: string | null;
    target: string | null;
    server: string | null;
    tool: string | null;
    execution_id: string | null;
    request_id: string | null;
    outcome: string;
    details_json: string | null;
    digest: string;
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
