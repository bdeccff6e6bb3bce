import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { policiesMigration } from './migrations/003-policies.ts';
import { auditMigration } from './migrations/004-audit.ts';
import { approvalsMigration } from './migrations/005-approvals.ts';
import { connectionsMigration } from './migrations/006-connections.ts';
import { sourcesMigration } from './migrations/007-sources.ts';
import { skillsMigration } from './migrations/008-skills.ts';
import { handoffsMigration } from './migrations/009-handoffs.ts';

/** Tables of the tool domain, in SQL that PostgreSQL and PGlite both take. Run with `db.migrate('tools', toolMigrations)`. */
export const toolMigrations: Record<string, Migration> = {
  '001_tools': {
    async up(db: Kysely<unknown>): Promise<void> {
      for (const statement of FIRST) await sql.raw(statement).execute(db);
    },
  },
  '002_read_only_calls': {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql.raw('alter table tool_calls add column read_only boolean not null default false').execute(db);
    },
  },
  '003_policies': policiesMigration,
  '004_audit': auditMigration,
  '005_approvals': approvalsMigration,
  '006_connections': connectionsMigration,
  '007_sources': sourcesMigration,
  '008_skills': skillsMigration,
  '009_handoffs': handoffsMigration,
};

const FIRST = [
  `create table integrations (
     workspace_id text not null,
     slug text not null,
     kind text not null,
     definition text not null,
     sealed_secrets text,
     created_at timestamptz not null default now(),
     primary key (workspace_id, slug)
   )`,
  `create table catalog_tools (
     workspace_id text not null,
     server text not null,
     name text not null,
     definition text not null,
     digest text not null,
     position integer not null,
     present boolean not null,
     drifted_at timestamptz,
     recorded_at timestamptz not null default now(),
     primary key (workspace_id, server, name)
   )`,
  `create table policies (
     id text primary key,
     workspace_id text not null,
     pattern text not null,
     action text not null check (action in ('allow', 'require_approval', 'block')),
     created_at timestamptz not null default now(),
     unique (workspace_id, pattern)
   )`,
  `create table tool_calls (
     id text primary key,
     workspace_id text not null,
     principal_id text not null,
     execution_id text,
     call_number integer,
     server text not null,
     tool text not null,
     argument_digest text not null,
     idempotency_key text not null,
     decision text not null,
     dispatched_at timestamptz not null,
     unique (execution_id, call_number)
   )`,
  `create table tool_call_outcomes (
     call_id text primary key references tool_calls (id),
     outcome text not null,
     duration_ms double precision not null,
     reply_bytes integer not null,
     finished_at timestamptz not null
   )`,
];
