import type { ColumnType } from 'kysely';

export interface HandoffTables {
  handoffs: {
    id: string;
    workspace_id: string;
    integration: string;
    /** Where calls of the integration went when it was made. */
    url: string;
    name: string;
    owner: string;
    /** null: the workspace. */
    owner_id: string | null;
    /** A `HandoffAuth` as JSON: how the secret is used, and not the secret. */
    auth: string;
    asked_by: string;
    approved_by: string;
    created_at: ColumnType<Date, Date, never>;
    expires_at: ColumnType<Date, Date, never>;
    used_at: ColumnType<Date | null, null | undefined, Date | null>;
  };
}
