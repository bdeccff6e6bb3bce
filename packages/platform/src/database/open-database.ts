import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { Logger } from '../logger.ts';
import { migrate } from './migrate.ts';
import { openPglite } from './open-pglite.ts';
import { migratePostgres, openPostgres } from './open-postgres.ts';

/** The one database of a process: PostgreSQL, or PGlite with the same SQL and migrations. */
export interface Database {
  readonly kind: 'pglite' | 'postgres';
  /** The query builder, typed by the tables of whoever asks. */
  query<Tables>(): Kysely<Tables>;
  /** Runs what is missing of one package's migrations; `name` keeps the packages' lists apart. */
  migrate(name: string, migrations: Readonly<Record<string, Migration>>): Promise<void>;
  close(): Promise<void>;
}

/** Opens PostgreSQL at `url`, or else PGlite in `directory`. Throws AppError INTERNAL with the reason. */
export async function openDatabase(options: {
  readonly url?: string | undefined;
  readonly directory: string;
  readonly log: Logger;
  /** PostgreSQL only: connections that this process holds at most; 10 by default. */
  readonly connections?: number | undefined;
}): Promise<Database> {
  const { url, directory, log } = options;
  const kysely = url ? openPostgres(url, log, options.connections) : await openPglite(directory);
  return {
    kind: url ? 'postgres' : 'pglite',
    query: <Tables>() => kysely as unknown as Kysely<Tables>,
    migrate: (name, migrations) => (url ? migratePostgres(url, log, name, migrations) : migrate(kysely, name, migrations)),
    close: () => kysely.destroy(),
  };
}
