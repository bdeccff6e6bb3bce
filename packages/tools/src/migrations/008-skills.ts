import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** A row for each version of a skill that is kept. Rows never change but for `removed`, by which a shipped one stays away. */
export const skillsMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql
      .raw(
        `create table skills (
           workspace_id text not null,
           name text not null,
           version integer not null,
           language text not null,
           description text not null,
           code text not null,
           source text not null,
           parameters text not null,
           origin text not null check (origin in ('api', 'shipped')),
           removed boolean not null default false,
           created_by text,
           created_at timestamptz not null,
           primary key (workspace_id, name, version)
         )`,
      )
      .execute(db);
  },
};
