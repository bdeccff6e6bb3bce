import type { ColumnType } from 'kysely';

type Timestamp = ColumnType<Date, string | Date, string | Date>;
type NullableTimestamp = ColumnType<Date | null, string | Date | null | undefined, string | Date | null>;

/** Rows of connections. Secrets are in `sealed…` alone. */
export interface ConnectionTables {
  connections: {
    id: string;
    workspace_id: string;
    integration: string;
    /** A principal's id; empty: the workspace itself. */
    owner_id: string;
    name: string;
    is_default: boolean;
    /** `StoredAuth` as JSON: how the values are used and where they lie. */
    settings: string;
    /** The values that lie here, by name, as sealed JSON; null: none does. */
    sealed_values: string | null;
    status: string;
    reason: string | null;
    /** Counts changes of settings or values. */
    version: number;
    created_by: string;
    created_at: Timestamp;
    updated_at: Timestamp;
  };
  /** What an authorization server gave to a connection: the registered client, and tokens. */
  connection_grants: {
    connection_id: string;
    workspace_id: string;
    /** `OauthClient` as sealed JSON. */
    sealed_client: string | null;
    /** `OauthTokens` as sealed JSON. */
    sealed_tokens: string | null;
    /** Of the access token; null: unknown. */
    expires_at: NullableTimestamp;
    /** Counts sets of tokens, so that of two renewals one is recognised as too late. */
    generation: number;
    /** Who renews at the moment, and until when nobody else may try. */
    lease_holder: string | null;
    lease_until: NullableTimestamp;
  };
  /** Consent pages that were opened and have not come back. */
  authorization_attempts: {
    /** SHA-256 of the state, in hexadecimal. */
    state_hash: string;
    workspace_id: string;
    connection_id: string;
    principal_id: string;
    /** `PendingAuthorization` as sealed JSON: with the PKCE verifier. */
    sealed_attempt: string;
    expires_at: Timestamp;
  };
}
