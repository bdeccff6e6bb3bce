import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What waits for a person takes no part of its workspace's share. */
export const pausesMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`alter table executions add column paused_at timestamptz`.execute(db);
    for (const column of ['waits_for', 'sealed_replay']) await sql`alter table executions add column ${sql.ref(column)} text`.execute(db);
    await sql`alter table executions alter column sealed_replay set storage external`.execute(db);
    await roomOf(db, sql`and status <> 'paused'`);
  },
  async down(db: Kysely<unknown>): Promise<void> {
    await roomOf(db, sql``);
    for (const column of ['paused_at', 'waits_for', 'sealed_replay'])
      await sql`alter table executions drop column ${sql.ref(column)}`.execute(db);
  },
};

async function roomOf(db: Kysely<unknown>, but: ReturnType<typeof sql>): Promise<void> {
  await sql`
    create or replace function executions_room(of_workspace text, share integer) returns integer language plpgsql volatile as $$
    begin
      perform pg_advisory_xact_lock(hashtextextended('executions of ' || of_workspace, 0));
      return share - (
        select count(*) from executions
        where workspace_id = of_workspace and dispatched_at is not null and ended_at is null ${but}
      );
    end $$`.execute(db);
}
