import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Connections, what authorization servers gave them, and consent pages under way. */
export const connectionsMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `create table connections (
     id text primary key,
     workspace_id text not null,
     integration text not null,
     owner_id text not null,
     name text not null,
     is_default boolean not null,
     settings text not null,
     sealed_values text,
     status text not null check (status in ('active', 'needs_authorization', 'needs_reauthorization')),
     reason text,
     version integer not null default 1,
     created_by text not null,
     created_at timestamptz not null default now(),
     updated_at timestamptz not null default now(),
     unique (workspace_id, integration, owner_id, name)
   )`,
  `create unique index connections_one_default on connections (workspace_id, integration, owner_id) where is_default`,
  `create table connection_grants (
     connection_id text primary key references connections (id) on delete cascade,
     workspace_id text not null,
     sealed_client text,
     sealed_tokens text,
     expires_at timestamptz,
     generation integer not null default 0,
     lease_holder text,
     lease_until timestamptz
   )`,
  `create table authorization_attempts (
     state_hash text primary key,
     workspace_id text not null,
     connection_id text not null references connections (id) on delete cascade,
     principal_id text not null,
     sealed_attempt text not null,
     expires_at timestamptz not null
   )`,
  `create index authorization_attempts_connection on authorization_attempts (connection_id)`,
];
