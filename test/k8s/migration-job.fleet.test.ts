import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createLogger, openDatabase } from '@code-executor/platform';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerAnswers, startPostgres, type TestContainer } from '../support/containers.ts';
import { onlyContainer, ROOT, render } from './manifests.ts';

const run = promisify(execFile);
const answers = await dockerAnswers();

describe.skipIf(!answers)(`what the migration Job runs${answers ? '' : ' (no Docker engine answers)'}`, () => {
  let postgres: TestContainer;
  let directory = '';

  beforeAll(async () => {
    postgres = await startPostgres();
    directory = await mkdtemp(join(tmpdir(), 'migration-'));
  });
  afterAll(async () => {
    await postgres?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  test('gives an empty database every table, and changes nothing when it runs again, even twice at once', async () => {
    const { args = [], env = [] } = onlyContainer(await render('k8s/overlays/home'), 'migrate');
    const file = join(directory, 'database-url');
    await writeFile(file, `${postgres.url}\n`);
    const variables = Object.fromEntries(env.map(({ name }) => [name, file]));
    const migrate = () => run(process.execPath, args.slice(1), { cwd: ROOT, env: variables, timeout: 60_000 });

    await migrate();
    const tables = await tableNames();
    expect(tables).toEqual(expect.arrayContaining(['executions', 'integrations', 'api_keys']));
    await Promise.all([migrate(), migrate()]);
    expect(await tableNames()).toEqual(tables);
  });

  test('ends with an error where the database is not to be had', async () => {
    const { args = [] } = onlyContainer(await render('k8s/overlays/home'), 'migrate');
    const env = { DATABASE_URL: 'postgres://nobody:wrong@127.0.0.1:1/none' };
    await expect(run(process.execPath, args.slice(1), { cwd: ROOT, env, timeout: 60_000 })).rejects.toMatchObject({ code: 1 });
  });

  async function tableNames(): Promise<readonly string[]> {
    const db = await openDatabase({ url: postgres.url, directory, log: createLogger({ level: 'silent', service: 'test' }) });
    try {
      const { rows } = await sql<{ name: string }>`
        select table_name as name from information_schema.tables where table_schema = 'public' order by 1`.execute(db.query());
      return rows.map(({ name }) => name);
    } finally {
      await db.close();
    }
  }
});
