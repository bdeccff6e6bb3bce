import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createKeys, executionMigrations } from '@code-executor/executions';
import { createLogger, openDatabase } from '@code-executor/platform';
import { toolMigrations } from '@code-executor/tools';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerAnswers, startPostgres, type TestContainer } from '../support/containers.ts';

const MIGRATE = join(import.meta.dirname, '../../services/mcp-proxy/src/migrate.ts');
/** The state of the first release, which had no fleet. */
const FIRST = { executions: ['001_executions', '002_api_keys'], tools: ['001_tools'] };
const log = createLogger({ level: 'silent', service: 'test' });
const reachable = await dockerAnswers();

describe.skipIf(!reachable)(`an older database${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let postgres: TestContainer;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres?.stop());

  const open = () => openDatabase({ url: postgres.url, directory: '', log });
  const only = <Item>(all: Readonly<Record<string, Item>>, names: readonly string[]) =>
    Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));

  test('a volume of the first release keeps its rows when three processes of this one start on it at once', async () => {
    const older = await open();
    try {
      await older.migrate('executions', only(executionMigrations, FIRST.executions));
      await older.migrate('tools', only(toolMigrations, FIRST.tools));
      await sql`
        insert into executions (id, workspace_id, principal_id, request_id, status, token, language, code, args_json, timeout_ms, typecheck,
          created_at, started_at, ended_at, result_json)
        values ('exe_of_the_past', 'default', 'key_of_the_past', 'req_1', 'succeeded', 1, 'python', '6 * 7', '{}', 30000, false,
          now(), now(), now(), '42')`.execute(older.query());
    } finally {
      await older.close();
    }
    await postgres.restart();
    const migrate = () => promisify(execFile)(process.execPath, [MIGRATE], { env: { DATABASE_URL: postgres.url }, timeout: 60_000 });
    await Promise.all([migrate(), migrate(), migrate()]);

    const upgraded = await open();
    try {
      const { rows } = await sql`select result_json, dispatched_at from executions where id = 'exe_of_the_past'`.execute(upgraded.query());
      expect(rows).toEqual([{ result_json: '42', dispatched_at: null }]);
      await upgraded.migrate('executions', executionMigrations);
      await upgraded.migrate('tools', toolMigrations);
      await createKeys({ db: upgraded, log });
    } finally {
      await upgraded.close();
    }
  }, 120_000);
});
