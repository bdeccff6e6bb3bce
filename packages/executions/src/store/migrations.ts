import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { fleetSessionsMigration } from '../fleet-sessions/migration.ts';
import { keyScopesMigration } from '../keys/migration.ts';
import { pausesMigration } from './pauses-migration.ts';

/** Times are timestamptz; JSON is kept as text, so that it comes back byte for byte and may carry U+0000 as an escape. */
export const executionMigrations: Record<string, Migration> = {
  '001_executions': {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        create table executions (
          id text primary key,
          workspace_id text not null,
          principal_id text not null,
          request_id text not null,
          status text not null,
          token integer not null,
          worker_id text,
          language text not null,
          code text not null,
          args_json text not null,
          files_json text,
          timeout_ms integer not null,
          typecheck boolean not null,
          created_at timestamptz not null,
          started_at timestamptz,
          ended_at timestamptz,
          output text not null default '',
          result_json text,
          result_parts integer not null default 0,
          error_json text,
          execution_ms double precision not null default 0,
          truncated boolean not null default false,
          dropped_bytes bigint not null default 0,
          effects text not null default 'not_started',
          tool_calls_json text not null default '[]',
          queue_ms double precision not null default 0,
          total_ms double precision not null default 0,
          warm boolean not null default false,
          output_bytes bigint not null default 0,
          output_tokens integer not null default 0,
          events_json text
        )`.execute(db);
      // Compressing a 10 MB result would hold up the embedded database, and every request with it.
      for (const column of ['code', 'files_json', 'output', 'result_json', 'events_json']) {
        await sql`alter table executions alter column ${sql.ref(column)} set storage external`.execute(db);
      }
      await sql`
        create table execution_result_parts (
          execution_id text not null references executions (id) on delete cascade,
          token integer not null,
          part integer not null,
          text text not null,
          primary key (execution_id, token, part)
        )`.execute(db);
      await sql`alter table execution_result_parts alter column text set storage external`.execute(db);
      await sql`create index executions_by_workspace on executions (workspace_id, id)`.execute(db);
      await sql`create index executions_by_principal on executions (workspace_id, principal_id, id)`.execute(db);
      await sql`create index executions_unfinished on executions (id) where ended_at is null`.execute(db);
      await sql`
        create table idempotency_keys (
          workspace_id text not null,
          principal_id text not null,
          route text not null,
          key text not null,
          digest text not null,
          execution_id text not null,
          created_at timestamptz not null,
          primary key (workspace_id, principal_id, route, key)
        )`.execute(db);
      await sql`create index idempotency_keys_by_age on idempotency_keys (created_at)`.execute(db);
    },
    async down(db: Kysely<unknown>): Promise<void> {
      await sql`drop table idempotency_keys`.execute(db);
      await sql`drop table execution_result_parts`.execute(db);
      await sql`drop table executions`.execute(db);
    },
  },
  '002_api_keys': {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        create table api_keys (
          id text primary key,
          workspace_id text not null,
          digest text not null unique,
          name text not null,
          role text not null,
          created_by text,
          created_at timestamptz not null,
          expires_at timestamptz,
          revoked_at timestamptz
        )`.execute(db);
    },
    async down(db: Kysely<unknown>): Promise<void> {
      await sql`drop table api_keys`.execute(db);
    },
  },
  '003_fleet': {
    async up(db: Kysely<unknown>): Promise<void> {
      for (const column of ['dispatched_at', 'lease_until', 'cancel_requested_at']) {
        await sql`alter table executions add column ${sql.ref(column)} timestamptz`.execute(db);
      }
      // Neither holds the lease: renewing it every second then writes no index.
      await sql`
        create index executions_in_flight on executions (workspace_id)
        where dispatched_at is not null and ended_at is null`.execute(db);
      await sql`
        create index executions_waiting on executions (workspace_id, id)
        where dispatched_at is null and ended_at is null`.execute(db);
      // A function, because only inside one does a count see what was committed while the lock was waited for.
      await sql`
        create function executions_room(of_workspace text, share integer) returns integer language plpgsql volatile as $$
        begin
          perform pg_advisory_xact_lock(hashtextextended('executions of ' || of_workspace, 0));
          return share - (
            select count(*) from executions
            where workspace_id = of_workspace and dispatched_at is not null and ended_at is null
          );
        end $$`.execute(db);
    },
    async down(db: Kysely<unknown>): Promise<void> {
      await sql`drop function executions_room(text, integer)`.execute(db);
      for (const column of ['dispatched_at', 'lease_until', 'cancel_requested_at']) {
        await sql`alter table executions drop column ${sql.ref(column)}`.execute(db);
      }
    },
  },
  '004_traces': {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`alter table executions add column traceparent text`.execute(db);
    },
    async down(db: Kysely<unknown>): Promise<void> {
      await sql`alter table executions drop column traceparent`.execute(db);
    },
  },
  '005_sessions': {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`alter table executions add column session_id text`.execute(db);
      await sql`
        create table sessions (
          workspace_id text not null,
          principal_id text not null,
          id text not null,
          created_at timestamptz not null,
          primary key (workspace_id, principal_id, id)
        )`.execute(db);
    },
    async down(db: Kysely<unknown>): Promise<void> {
      await sql`drop table sessions`.execute(db);
      await sql`alter table executions drop column session_id`.execute(db);
    },
  },
  '006_key_scopes': keyScopesMigration,
  '007_pauses': pausesMigration,
  '008_fleet_sessions': fleetSessionsMigration,
  '009_let_go': {
    async up(db: Kysely<unknown>): Promise<void> {
      // Looked at four times a second; without it that reads every row there is.
      await sql`
        create index executions_let_go on executions (id)
        where ended_at is null and status = 'paused' and worker_id is null`.execute(db);
    },
    async down(db: Kysely<unknown>): Promise<void> {
      await sql`drop index executions_let_go`.execute(db);
    },
  },
};
