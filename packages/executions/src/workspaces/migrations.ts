import { DEFAULT_WORKSPACE_ID } from '@code-executor/contracts';
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Run with `db.migrate('workspaces', workspaceMigrations)`. What was there before belongs to the home workspace, which needs no row to work. */
export const workspaceMigrations: Record<string, Migration> = {
  '001_workspaces': {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        create table workspaces (
          id text primary key,
          name text not null,
          created_by text,
          created_at timestamptz not null,
          removed_at timestamptz,
          cleaned_at timestamptz
        )`.execute(db);
      // Of those that are there; the name of one that was removed is free again.
      await sql`create unique index workspaces_by_name on workspaces (lower(name)) where removed_at is null`.execute(db);
      await sql`
        insert into workspaces (id, name, created_by, created_at)
        values (${DEFAULT_WORKSPACE_ID}, 'default', null, now())`.execute(db);
    },
    async down(db: Kysely<unknown>): Promise<void> {
      await sql`drop table workspaces`.execute(db);
    },
  },
};
