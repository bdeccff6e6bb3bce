import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Rules with conditions, principals and limits: those of one pattern may differ in these, and each is a rule of its own. */
export const policiesMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  'alter table policies drop constraint policies_workspace_id_pattern_key',
  'alter table policies drop constraint policies_action_check',
  `alter table policies add constraint policies_action_check check (action in ('allow', 'require_approval', 'block', 'limit'))`,
  'alter table policies add column when_json text',
  'alter table policies add column principal_json text',
  'alter table policies add column limits_json text',
  'alter table policies add column note text',
  'alter table policies add column created_by text',
  'alter table policies add column updated_at timestamptz',
  // What makes two rules the same rule: pattern, conditions, principals, and whether it only limits.
  'alter table policies add column rule_key text',
  'update policies set rule_key = pattern, updated_at = created_at',
  'alter table policies alter column rule_key set not null',
  'alter table policies alter column updated_at set not null',
  'create unique index policies_by_rule on policies (workspace_id, rule_key)',
  `create table policy_counters (
     workspace_id text not null,
     policy_id text not null,
     principal_id text not null,
     period text not null,
     calls integer not null,
     expires_at timestamptz not null,
     primary key (workspace_id, policy_id, principal_id, period)
   )`,
  'create index policy_counters_by_age on policy_counters (expires_at)',
];
