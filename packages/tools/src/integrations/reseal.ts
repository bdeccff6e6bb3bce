import { messageOf } from '@code-executor/platform';
import { type Kysely, sql } from 'kysely';
import type { ResealedSecrets } from '../connections/port.ts';
import type { ServerLog } from '../sources/mcp/mcp-server.ts';
import type { RotatingSeal } from './seal.ts';
import { SEALED_COLUMNS, type SealedColumn, type SealedRow } from './sealed-columns.ts';

export interface ResealDependencies {
  readonly db: Kysely<unknown>;
  readonly seal: RotatingSeal;
  readonly log: ServerLog;
}

/** Rows that change while they are sealed anew are looked at again, so often. */
const PASSES = 3;

/**
 * Seals every text anew that is not under the newest key, a row at a time and only where the row is still the same: it may
 * be cut off anywhere, run again, and run while the service works. A text that no key opens is left as it is, and told.
 */
export async function resealAll({ db, seal, log }: ResealDependencies): Promise<ResealedSecrets> {
  let resealed = 0;
  let total = 0;
  for (const column of SEALED_COLUMNS) {
    if (!(await isThere(column.table, db))) continue;
    for (let pass = 1; pass <= PASSES; pass += 1) {
      const old = (await readRows(db, column)).filter(({ sealed }) => !seal.isCurrent(sealed ?? ''));
      if (old.length === 0) break;
      for (const row of old) if (await resealRow(row, column, { db, seal, log })) resealed += 1;
    }
    total += (await readRows(db, column)).filter(({ sealed }) => seal.isCurrent(sealed ?? '')).length;
  }
  return { keyId: seal.keys.newestId(), keys: seal.keys.count(), resealed, total };
}

/** Tables of other packages are there where those have migrated. */
async function isThere(table: string, db: Kysely<unknown>): Promise<boolean> {
  const { rows } = await sql<{ found: string | null }>`select to_regclass(${table})::text as found`.execute(db);
  return rows[0]?.found != null;
}

async function readRows(db: Kysely<unknown>, { table, primaryKey, reads, column }: SealedColumn): Promise<readonly SealedRow[]> {
  const columns = sql.join([...primaryKey, ...reads].map((name) => sql.ref(name)));
  const { rows } = await sql<SealedRow>`
    select ${columns}, ${sql.ref(column)} as sealed from ${sql.table(table)} where ${sql.ref(column)} is not null`.execute(db);
  return rows;
}

async function resealRow(row: SealedRow, column: SealedColumn, { db, seal, log }: ResealDependencies): Promise<boolean> {
  const place = column.place(row);
  let fresh: string;
  try {
    fresh = seal.seal(seal.open(row.sealed ?? '', place), place);
  } catch (error) {
    log.warn(
      { table: column.table, column: column.column, reason: messageOf(error) },
      'A sealed text opens with no key and stays as it is',
    );
    return false;
  }
  const isThisRow = sql.join(
    column.primaryKey.map((name) => sql`${sql.ref(name)} = ${row[name]}`),
    sql` and `,
  );
  const { rows } = await sql`
    update ${sql.table(column.table)} set ${sql.ref(column.column)} = ${fresh}
    where ${isThisRow} and ${sql.ref(column.column)} = ${row.sealed} returning 1`.execute(db);
  return rows.length > 0;
}
