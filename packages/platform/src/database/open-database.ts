import { Kysely, PostgresDialect } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { Pool } from 'pg';
import { AppError, messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { openPglite } from './open-pglite.ts';

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
}): Promise<Database> {
  const kind = options.url ? 'postgres' : 'pglite';
  const kysely = options.url ? openPostgres(options.url, options.log) : await openPglite(options.directory);
  return {
    kind,
    query: <Tables>() => kysely as unknown as Kysely<Tables>,
    migrate: (name, migrations) => migrate(kysely, name, migrations),
    close: () => kysely.destroy(),
  };
}

function openPostgres(url: string, log: Logger): Kysely<unknown> {
  const pool = new Pool({ connectionString: url, max: 10, connectionTimeoutMillis: 10_000 });
  // An idle connection that PostgreSQL ends must not end this process; the next query opens a new one.
  pool.on('error', (error) => log.warn({ err: error }, `a database connection was lost: ${messageOf(error)}`));
  return new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
}

async function migrate(kysely: Kysely<unknown>, name: string, migrations: Readonly<Record<string, Migration>>): Promise<void> {
  const migrator = new Migrator({
    db: kysely,
    provider: { getMigrations: async () => ({ ...migrations }) },
    migrationTableName: `${name}_migrations`,
    migrationLockTableName: `${name}_migrations_lock`,
  });
  const { error, results } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const failed = results?.find((result) => result.status === 'Error');
  throw new AppError('INTERNAL', `Migration ${failed?.migrationName ?? name} failed: ${messageOf(error)}`, { cause: error });
}
