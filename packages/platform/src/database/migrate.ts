import type { Kysely } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { AppError, messageOf } from '../errors.ts';

/** Runs what is missing of one package's migrations. @throws AppError INTERNAL that names the one that failed. */
export async function migrate(kysely: Kysely<unknown>, name: string, migrations: Readonly<Record<string, Migration>>): Promise<void> {
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
