import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Secrets are kept as SHA-256 alone, private keys sealed. What runs out says when. */
export const oauthMigrations: Record<string, Migration> = {
  '001_oauth_server': {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        create table oauth_signing_keys (
          id text primary key,
          public_json text not null,
          sealed_private text not null,
          created_at timestamptz not null
        )`.execute(db);
      await sql`
        create table oauth_clients (
          id text primary key,
          name text not null,
          uri text,
          redirect_uris_json text not null,
          created_at timestamptz not null,
          used_at timestamptz not null
        )`.execute(db);
      await sql`create index oauth_clients_by_use on oauth_clients (used_at)`.execute(db);
      await sql`
        create table oauth_grants (
          id text primary key,
          workspace_id text not null,
          client_id text not null,
          key_id text not null,
          consenting_key_id text not null,
          scope text not null,
          resource text not null,
          created_at timestamptz not null,
          expires_at timestamptz not null,
          revoked_at timestamptz
        )`.execute(db);
      await sql`create index oauth_grants_by_client on oauth_grants (client_id)`.execute(db);
      await sql`create index oauth_grants_by_expiry on oauth_grants (expires_at)`.execute(db);
      await sql`
        create table oauth_codes (
          digest text primary key,
          grant_id text not null references oauth_grants (id) on delete cascade,
          client_id text not null,
          redirect_uri text not null,
          challenge text not null,
          expires_at timestamptz not null,
          used_at timestamptz
        )`.execute(db);
      await sql`
        create table oauth_refresh_tokens (
          digest text primary key,
          grant_id text not null references oauth_grants (id) on delete cascade,
          created_at timestamptz not null,
          used_at timestamptz
        )`.execute(db);
      await sql`create index oauth_refresh_tokens_by_grant on oauth_refresh_tokens (grant_id)`.execute(db);
      await sql`
        create table oauth_devices (
          digest text primary key,
          user_code text not null unique,
          client_id text not null,
          client_name text not null,
          scope text not null,
          resource text not null,
          grant_id text references oauth_grants (id) on delete cascade,
          denied boolean not null default false,
          polled_at timestamptz,
          expires_at timestamptz not null
        )`.execute(db);
    },
    async down(db: Kysely<unknown>): Promise<void> {
      for (const table of ['devices', 'refresh_tokens', 'codes', 'grants', 'clients', 'signing_keys']) {
        await sql`drop table ${sql.ref(`oauth_${table}`)}`.execute(db);
      }
    },
  },
};
