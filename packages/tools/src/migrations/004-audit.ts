import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** The record of acts, and what keeps it and the journal of tool calls from being changed. */
export const auditMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const APPEND_ONLY = ['audit_events', 'tool_calls', 'tool_call_outcomes'];

const STATEMENTS = [
  `create table audit_events (
     id text primary key,
     workspace_id text not null,
     position bigint not null,
     at timestamptz not null,
     type text not null,
     principal_id text,
     role text,
     principal_name text,
     target text,
     server text,
     tool text,
     execution_id text,
     request_id text,
     outcome text not null,
     details_json text,
     digest text not null,
     unique (workspace_id, position)
   )`,
  'alter table tool_calls add column policy_id text',
  'alter table tool_calls add column connection text',
  // Only the purge of what is past its retention says so, for the length of its transaction. Inserts are not slowed by it.
  `create function code_executor_append_only() returns trigger language plpgsql as $$
   begin
     if tg_op = 'DELETE' and current_setting('code_executor.purging', true) = 'on' then return old; end if;
     raise exception '% is append-only: % refused', tg_table_name, tg_op using errcode = 'insufficient_privilege';
   end $$`,
  ...APPEND_ONLY.flatMap((table) => [
    `create trigger ${table}_append_only before update or delete on ${table} for each row execute function code_executor_append_only()`,
    `create trigger ${table}_not_emptied before truncate on ${table} for each statement execute function code_executor_append_only()`,
  ]),
];
