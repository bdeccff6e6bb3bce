import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { describe, expect, test, vi } from 'vitest';
import { dockerAnswers, startPostgres } from '../../../../test/support/containers.ts';
import { createLogger } from '../logger.ts';
import { openDatabase } from './open-database.ts';

const reachable = await dockerAnswers();
const log = createLogger({ level: 'silent', service: 'test' });

describe.skipIf(!reachable)(`PostgreSQL${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  test('four processes that start at once migrate once, all packages', async () => {
    const postgres = await startPostgres();
    const directory = mkdtempSync(join(tmpdir(), 'migrate-'));
    try {
      const program = join(directory, 'start.ts');
      const from = (name: string): string => JSON.stringify(new URL(`../../../${name}`, import.meta.url).href);
      writeFileSync(
        program,
        `import { createLogger, openDatabase } from ${from('platform/src/index.ts')};
         import { executionMigrations } from ${from('executions/src/index.ts')};
         import { toolMigrations } from ${from('tools/src/migrations.ts')};
         const db = await openDatabase({ url: ${JSON.stringify(postgres.url)}, directory: '', log: createLogger({ level: 'silent', service: 'test' }) });
         await db.migrate('executions', executionMigrations);
         await db.migrate('tools', toolMigrations);
         await db.close();`,
      );
      const processes = Array.from({ length: 4 }, () => fork(program, { stdio: 'inherit' }));
      const codes = await Promise.all(processes.map(async (child) => (await once(child, 'exit'))[0] as number));
      expect(codes).toEqual([0, 0, 0, 0]);
      const db = await openDatabase({ url: postgres.url, directory: '', log });
      try {
        const { rows } = await sql<{ name: string }>`
          select name from executions_migrations union all select name from tools_migrations order by name`.execute(db.query());
        expect(rows.map(({ name }) => name)).toEqual(expect.arrayContaining(['001_executions', '002_api_keys', '003_fleet', '001_tools']));
        expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
        await expect(
          db.migrate('broken', { '001_wrong': { up: async (k) => void (await sql`create tabel x`.execute(k)) } }),
        ).rejects.toThrow('Migration 001_wrong failed');
      } finally {
        await db.close();
      }
    } finally {
      await postgres.stop();
      rmSync(directory, { recursive: true });
    }
  });

  test('a statement is parsed once a connection, and answers on through a migration that adds a column', async () => {
    const postgres = await startPostgres();
    const db = await openDatabase({ url: postgres.url, directory: '', log, connections: 1 });
    try {
      await sql`create table note (id integer primary key, text text not null)`.execute(db.query());
      await sql`insert into note values (1, 'a')`.execute(db.query());
      type Tables = { note: { id: number; text: string } };
      const all = () => db.query<Tables>().selectFrom('note').selectAll().where('id', '=', 1).execute();
      const text = () => db.query<Tables>().selectFrom('note').select('text').where('id', '=', 1).execute();
      for (let round = 0; round < 8; round += 1) expect([await all(), await text()]).toEqual([[{ id: 1, text: 'a' }], [{ text: 'a' }]]);
      const prepared = await sql<{ statement: string }>`select statement from pg_prepared_statements`.execute(db.query());
      expect(prepared.rows.map(({ statement }) => statement)).toEqual(['select "text" from "note" where "id" = $1']);

      await sql`alter table note add column more text`.execute(db.query());
      expect([await all(), await text()]).toEqual([[{ id: 1, text: 'a', more: null }], [{ text: 'a' }]]);
    } finally {
      await db.close();
      await postgres.stop();
    }
  });

  test('a database that was killed is used again by the same process once it is back', async () => {
    const postgres = await startPostgres();
    const db = await openDatabase({ url: postgres.url, directory: '', log });
    const one = async (): Promise<number | undefined> => (await sql<{ one: number }>`select 1 as one`.execute(db.query())).rows[0]?.one;
    try {
      expect(await one()).toBe(1);
      await postgres.kill();
      const since = performance.now();
      await expect(one()).rejects.toThrow();
      expect(performance.now() - since).toBeLessThan(6_000);
      await postgres.restart();
      await vi.waitFor(async () => expect(await one()).toBe(1), { timeout: 5_000 });
    } finally {
      await db.close();
      await postgres.stop();
    }
  });
});
