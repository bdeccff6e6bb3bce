import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What narrows a key, as JSON; null: nothing does. */
export const keyScopesMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`alter table api_keys add column scopes_json text`.execute(db);
  },
  async down(db: Kysely<unknown>): Promise<void> {
    await sql`alter table api_keys drop column scopes_json`.execute(db);
  },
};
