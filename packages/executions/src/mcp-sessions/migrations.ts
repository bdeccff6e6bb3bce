import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** A list of its own: sessions of the MCP endpoint have nothing to do with executions' rows but their database. */
export const mcpMigrations: Record<string, Migration> = {
  '001_mcp_sessions': {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        create table mcp_sessions (
          id text primary key,
          workspace_id text not null,
          principal_id text not null,
          protocol_version text not null,
          client_json text not null,
          log_level text,
          created_at timestamptz not null,
          used_at timestamptz not null
        )`.execute(db);
      await sql`create index mcp_sessions_by_principal on mcp_sessions (workspace_id, principal_id, used_at)`.execute(db);
      await sql`create index mcp_sessions_by_use on mcp_sessions (used_at)`.execute(db);
      await sql`
        create table mcp_cancellations (
          session_id text not null references mcp_sessions (id) on delete cascade,
          request_id text not null,
          created_at timestamptz not null,
          primary key (session_id, request_id)
        )`.execute(db);
    },
    async down(db: Kysely<unknown>): Promise<void> {
      await sql`drop table mcp_cancellations`.execute(db);
      await sql`drop table mcp_sessions`.execute(db);
    },
  },
};
