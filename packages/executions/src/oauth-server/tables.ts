import type { ColumnType } from 'kysely';

type Time = ColumnType<Date, Date, Date>;
type OptionalTime = ColumnType<Date | null, Date | null, Date | null>;

export interface OAuthTables {
  oauth_signing_keys: { id: string; public_json: string; sealed_private: string; created_at: Time };
  oauth_clients: { id: string; name: string; uri: string | null; redirect_uris_json: string; created_at: Time; used_at: Time };
  oauth_grants: {
    id: string;
    workspace_id: string;
    client_id: string;
    /** The row of api_keys that stands for this client: its principal. */
    key_id: string;
    consenting_key_id: string;
    scope: string;
    resource: string;
    created_at: Time;
    expires_at: Time;
    revoked_at: OptionalTime;
  };
  oauth_codes: {
    digest: string;
    grant_id: string;
    client_id: string;
    redirect_uri: string;
    challenge: string;
    expires_at: Time;
    used_at: OptionalTime;
  };
  oauth_refresh_tokens: { digest: string; grant_id: string; created_at: Time; used_at: OptionalTime };
  oauth_devices: {
    digest: string;
    user_code: string;
    client_id: string;
    client_name: string;
    scope: string;
    resource: string;
    grant_id: string | null;
    denied: boolean;
    polled_at: OptionalTime;
    expires_at: Time;
  };
}
