import { Kysely, PostgresDialect, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { Pool } from 'pg';
import { AppError, messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { migrate } from './migrate.ts';
import { preparing } from './prepare-statements.ts';

const CONNECTIONS = 10;
const CONNECT_TIMEOUT_MS = 5_000;
/** A server that was frozen or cut off answers nothing, not even an error; whoever waits must hear of it all the same. */
const QUERY_TIMEOUT_MS = 15_000;
/** A process that is stopped in the middle of a transaction must not keep its rows locked. */
const IDLE_TRANSACTION_TIMEOUT_MS = 3_000;
/** Others that start at the same moment migrate first; a large table's index takes its time. */
const MIGRATION_WAIT_MS = 10 * 60_000;

/** A pool that connects when it is asked, so that it opens whether PostgreSQL is up or not. */
export function openPostgres(url: string, log: Logger, connections = CONNECTIONS): Kysely<unknown> {
  return open(url, log, {
    max: connections,
    query_timeout: QUERY_TIMEOUT_MS,
    statement_timeout: QUERY_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_TIMEOUT_MS,
  });
}

/**
 * Many processes start at once, and one of them migrates while the others wait for it: under an advisory lock of a
 * connection of its own, which the bounds of ordinary statements do not hold for and which ends with the process.
 */
export async function migratePostgres(
  url: string,
  log: Logger,
  name: string,
  migrations: Readonly<Record<string, Migration>>,
): Promise<void> {
  const kysely = open(url, log, { max: 1 });
  try {
    await sql`select set_config('lock_timeout', ${String(MIGRATION_WAIT_MS)}, false)`.execute(kysely);
    await sql`select pg_advisory_lock(hashtext('code-executor migrations'))`.execute(kysely);
    await migrate(kysely, name, migrations);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('INTERNAL', `PostgreSQL could not be prepared: ${messageOf(error)}`, { cause: error });
  } finally {
    await kysely.destroy();
  }
}

function open(url: string, log: Logger, options: ConstructorParameters<typeof Pool>[0]): Kysely<unknown> {
  const pool = new Pool({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, keepAlive: true, ...options });
  // An idle connection that PostgreSQL ends must not end this process; the next query opens a new one.
  pool.on('error', (error) => log.warn({ err: error }, `a database connection was lost: ${messageOf(error)}`));
  // The pool listens to idle ones alone; one that ends between two statements of a transaction must not either.
  pool.on('connect', (client) => client.on('error', (error) => log.debug({ err: error }, 'a database connection ended')));
  return new Kysely<unknown>({ dialect: new PostgresDialect({ pool: preparing(pool) }) });
}
