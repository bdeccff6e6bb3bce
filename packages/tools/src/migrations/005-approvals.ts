import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What waits for a person, and what became of it. Its webhook is kept beside it, so that none is lost to a restart. */
export const approvalsMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `create table approvals (
     id text primary key,
     workspace_id text not null,
     execution_id text not null,
     call_number integer not null,
     principal_id text not null,
     server text not null,
     tool text not null,
     connection text,
     sealed_arguments text not null,
     argument_digest text not null,
     definition_digest text not null,
     policy_reason text not null,
     status text not null check (status in ('pending', 'approved', 'denied', 'expired', 'cancelled', 'consumed')),
     created_at timestamptz not null,
     expires_at timestamptz not null,
     decided_at timestamptz,
     decided_by text,
     scope text,
     reason text,
     self_approved boolean not null default false,
     consumed_at timestamptz,
     webhook_attempts integer not null default 0,
     webhook_due_at timestamptz,
     unique (execution_id, call_number)
   )`,
  'create index approvals_by_workspace on approvals (workspace_id, id)',
  `create index approvals_open on approvals (execution_id) where status in ('pending', 'approved')`,
  'create index approvals_webhooks on approvals (webhook_due_at) where webhook_due_at is not null',
];
