import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Sessions of the fleet with the worker that has each, what passes between clients and them, and what executions left behind. */
export const fleetSessionsMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      create table fleet_sessions (
        workspace_id text not null,
        principal_id text not null,
        id text not null,
        incarnation text not null unique,
        language text not null,
        worker_id text,
        lease_until timestamptz,
        holder text,
        holder_until timestamptz,
        counted text,
        executions integer not null default 0,
        created_at timestamptz not null,
        last_used_at timestamptz not null,
        idle_seconds integer not null,
        lost_reason text,
        lost_at timestamptz,
        primary key (workspace_id, principal_id, id)
      )`.execute(db);
    await sql`create index fleet_sessions_alive on fleet_sessions (worker_id) where lost_reason is null`.execute(db);
    await sql`create index fleet_sessions_held on fleet_sessions (holder) where holder is not null`.execute(db);
    // Nobody asks for a transfer again after a crash of the database.
    await sql`
      create unlogged table session_transfers (
        id text primary key,
        incarnation text not null,
        worker_id text not null,
        act text not null,
        path text not null,
        bytes bigint,
        ready boolean not null,
        answer_json text,
        created_at timestamptz not null default clock_timestamp()
      )`.execute(db);
    await sql`
      create unlogged table session_transfer_parts (
        transfer_id text not null references session_transfers (id) on delete cascade,
        part integer not null,
        content bytea not null,
        primary key (transfer_id, part)
      )`.execute(db);
    await sql`
      create table execution_artifacts (
        execution_id text primary key references executions (id) on delete cascade,
        token integer not null,
        index_json text not null,
        bytes bigint not null
      )`.execute(db);
    await sql`
      create table execution_artifact_parts (
        execution_id text not null references executions (id) on delete cascade,
        token integer not null,
        name integer not null,
        part integer not null,
        content bytea not null,
        primary key (execution_id, token, name, part)
      )`.execute(db);
    // Files are mostly compressed already, and are read in the parts that they were written in.
    for (const table of ['session_transfer_parts', 'execution_artifact_parts'])
      await sql`alter table ${sql.table(table)} alter column content set storage external`.execute(db);
  },
  async down(db: Kysely<unknown>): Promise<void> {
    for (const table of [
      'execution_artifact_parts',
      'execution_artifacts',
      'session_transfer_parts',
      'session_transfers',
      'fleet_sessions',
    ])
      await sql`drop table ${sql.table(table)}`.execute(db);
  },
};
