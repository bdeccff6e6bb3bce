import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Places where a person enters a secret that an agent asked for. None of them ever holds one. */
export const handoffsMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql
      .raw(
        `create table handoffs (
           id text primary key,
           workspace_id text not null,
           integration text not null,
           url text not null,
           name text not null,
           owner text not null,
           owner_id text,
           auth text not null,
           asked_by text not null,
           approved_by text not null,
           created_at timestamptz not null,
           expires_at timestamptz not null,
           used_at timestamptz
         )`,
      )
      .execute(db);
  },
};
