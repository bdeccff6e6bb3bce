import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What a document said is kept beside its integration, what a call of each of its tools needs beside the tool's definition. */
export const sourcesMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql.raw('alter table integrations add column source text').execute(db);
    await sql.raw('alter table catalog_tools add column binding text').execute(db);
  },
};
