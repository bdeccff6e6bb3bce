import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createLogger } from '../logger.ts';
import { openDatabase } from './open-database.ts';

const log = createLogger({ level: 'silent', service: 'test' });
const migrations = {
  '001': { up: async (db: import('kysely').Kysely<unknown>) => void (await sql`create table note (text text not null)`.execute(db)) },
};
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'database-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const notes = async (db: Awaited<ReturnType<typeof openDatabase>>) =>
  (await sql<{ text: string }>`select text from note order by text`.execute(db.query())).rows.map((row) => row.text);

test('what was written stays, migrations run once, and a second holder of the directory is refused', async () => {
  const first = await openDatabase({ directory, log });
  await first.migrate('notes', migrations);
  await sql`insert into note values ('a')`.execute(first.query());
  await expect(openDatabase({ directory, log })).rejects.toThrow(/Process \d+ uses the database/);
  await first.close();
  const second = await openDatabase({ directory, log });
  await second.migrate('notes', migrations);
  expect(await notes(second)).toEqual(['a']);
  await second.close();
});

test('rows that a process wrote before kill -9 are there for the next one', async () => {
  const program = join(directory, 'writer.ts');
  writeFileSync(
    program,
    `import { createLogger, openDatabase } from ${JSON.stringify(import.meta.resolve('../index.ts'))};
     import { sql } from ${JSON.stringify(import.meta.resolve('kysely'))};
     const db = await openDatabase({ directory: ${JSON.stringify(directory)}, log: createLogger({ level: 'silent', service: 'test' }) });
     await sql\`insert into note values ('b')\`.execute(db.query());
     process.send('written');`,
  );
  const writer = fork(program, { stdio: 'inherit' });
  await once(writer, 'message');
  writer.kill('SIGKILL');
  await once(writer, 'exit');
  const db = await openDatabase({ directory, log });
  expect(await notes(db)).toEqual(['a', 'b']);
  await db.close();
});

test('a holder that was killed and that nobody has reaped yet does not keep the directory', async () => {
  // A shell that is stopped reaps nothing: its killed child stays a zombie.
  const shell = spawn('/bin/sh', ['-c', 'sleep 60 & echo $!; kill -STOP $$; wait'], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [line] = (await once(shell.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    writeFileSync(join(directory, 'holder'), `${pid} ${started}`);
    await expect(openDatabase({ directory, log })).rejects.toThrow(`Process ${pid} uses the database`);
    process.kill(pid, 'SIGKILL');
    await vi.waitUntil(() => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')), { timeout: 10_000 });
    await (await openDatabase({ directory, log })).close();
  } finally {
    shell.kill('SIGKILL');
  }
});

test('a migration that fails is named', async () => {
  const db = await openDatabase({ directory, log });
  const broken = { '001_wrong': { up: async (k: import('kysely').Kysely<unknown>) => void (await sql`create tabel x`.execute(k)) } };
  await expect(db.migrate('broken', broken)).rejects.toThrow('Migration 001_wrong failed');
  await db.close();
});
