/**
 * Brings PostgreSQL to the tables of this version and ends. The services do so themselves when they start; this is for who wants a
 * long migration done before, where no probe cuts it off (the migration Job in k8s/).
 */
import { executionMigrations, workspaceMigrations } from '@code-executor/executions';
import { createLogger, openDatabase, readConfig } from '@code-executor/platform';
import { toolMigrations } from '@code-executor/tools';
import { z } from 'zod';

const { DATABASE_URL } = readConfig(z.object({ DATABASE_URL: z.string() }), process.env);
const log = createLogger({ level: 'info', service: 'migration' });
const db = await openDatabase({ url: DATABASE_URL, directory: '', log, connections: 1 });
try {
  await db.migrate('executions', executionMigrations);
  await db.migrate('tools', toolMigrations);
  await db.migrate('workspaces', workspaceMigrations);
  log.info('the database has the tables of this version');
} finally {
  await db.close();
}
