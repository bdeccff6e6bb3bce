import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Kysely, sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createLogger } from '../logger.ts';
import { type Database, openDatabase } from './open-database.ts';

interface Tables {
  thing: {
    id: string;
    count: number | null;
    ratio: number | null;
    good: boolean | null;
    at: Date | null;
    tags: string[] | null;
    doc: unknown;
  };
}

let directory: string;
let database: Database;
let db: Kysely<Tables>;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'prepared-'));
  database = await openDatabase({ directory, log: createLogger({ level: 'silent', service: 'test' }) });
  db = database.query<Tables>();
});
afterAll(async () => {
  await database.close();
  rmSync(directory, { recursive: true });
});
beforeEach(async () => {
  await sql`drop table if exists thing`.execute(db);
  await sql`create table thing (id text primary key, count int4, ratio float8, good bool, at timestamptz, tags text[], doc jsonb)`.execute(
    db,
  );
});

const bare = { count: null, ratio: null, good: null, at: null, tags: null, doc: null };

test('values of every type come back as they were given, however often a statement is repeated', async () => {
  const at = new Date('2026-11-21T18:00:00.123Z');
  for (let turn = 0; turn < 12; turn += 1) {
    const row = {
      id: `t${turn}`,
      count: 3 - turn,
      ratio: turn / 3,
      good: turn % 2 === 0,
      at,
      tags: ['a', 'b "c"', ''],
      doc: { x: [1, null] },
    };
    const written = await db.insertInto('thing').values(row).returning(['id', 'count', 'ratio', 'good', 'at', 'tags', 'doc']).execute();
    expect(written).toEqual([row]);
  }
  const changed = await db.updateTable('thing').set({ count: null }).where('count', '<', -5).executeTakeFirst();
  expect(changed.numUpdatedRows).toBe(3n);
});

test('a refused row is refused with its code, and the statement serves the next one', async () => {
  const insert = (id: string) =>
    db
      .insertInto('thing')
      .values({ id, ...bare })
      .execute();
  await insert('one');
  await expect(insert('one')).rejects.toMatchObject({ code: '23505' });
  await insert('two');
  await expect(sql`select ${1} + from`.execute(db)).rejects.toMatchObject({ code: '42601' });
  await expect(sql`select ${1} + from`.execute(db)).rejects.toMatchObject({ code: '42601' });
  expect(await db.selectFrom('thing').select('id').where('id', '<>', '').orderBy('id').execute()).toEqual([{ id: 'one' }, { id: 'two' }]);
});

test('a statement beside a transaction waits for its end, and is no part of it', async () => {
  const insert = (id: string, on: Kysely<Tables>) =>
    on
      .insertInto('thing')
      .values({ id, ...bare })
      .execute();
  await insert('before', db);
  let beside: Promise<unknown> = Promise.resolve();
  const undone = db.transaction().execute(async (transaction) => {
    await insert('inside', transaction);
    beside = sql`select ${1}`.execute(db);
    throw new Error('undone');
  });
  await expect(undone).rejects.toThrow('undone');
  await beside;
  await insert('after', db);
  expect(await db.selectFrom('thing').select('id').where('id', '<>', '').orderBy('id').execute()).toEqual([
    { id: 'after' },
    { id: 'before' },
  ]);
});

test('a table that gets another column answers with what it has then', async () => {
  const all = () => db.selectFrom('thing').selectAll().where('id', '=', 'x').execute();
  await db
    .insertInto('thing')
    .values({ id: 'x', ...bare })
    .execute();
  expect(await all()).toEqual([{ id: 'x', ...bare }]);
  await sql`alter table thing add column more text default 'm'`.execute(db);
  expect(await all()).toEqual([{ id: 'x', ...bare, more: 'm' }]);
  await db
    .insertInto('thing')
    .values({ id: 'y', ...bare })
    .execute();
});
