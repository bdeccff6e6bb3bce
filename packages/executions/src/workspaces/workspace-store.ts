import { DEFAULT_WORKSPACE_ID } from '@code-executor/contracts';
import type { Database } from '@code-executor/platform';
import { type ColumnType, type Kysely, type Selectable, sql } from 'kysely';
import { createKeyStore, type NewKey, type StoredKey } from '../keys/key-store.ts';
import type { ApiKeysTable } from '../store/tables.ts';
import type { HoldingTable, WorkspaceHoldings, WorkspaceRecord } from './port.ts';

interface WorkspaceTables {
  workspaces: {
    id: string;
    name: string;
    created_by: string | null;
    created_at: ColumnType<Date, Date, never>;
    /** From then on nobody sees it. */
    removed_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
    /** From then on nothing of it is left to be deleted. */
    cleaned_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  };
  api_keys: ApiKeysTable;
}

/** A request that was let in just before a workspace was removed may write so long afterwards. */
const LATE_MS = 10 * 60_000;

export function createWorkspaceStore(db: Pick<Database, 'query'>, holdings: readonly HoldingTable[]) {
  const query = db.query<WorkspaceTables>();
  const present = () => query.selectFrom('workspaces').selectAll().where('removed_at', 'is', null);

  return {
    async exists(id: string): Promise<boolean> {
      return (await present().where('id', '=', id).executeTakeFirst()) !== undefined;
    },
    async find(id: string): Promise<WorkspaceRecord | null> {
      const row = await present().where('id', '=', id).executeTakeFirst();
      return row === undefined ? null : recordOf(row);
    },
    async list(): Promise<WorkspaceRecord[]> {
      return (await present().orderBy('created_at').orderBy('id').execute()).map(recordOf);
    },
    async count(): Promise<number> {
      const { count } = await query
        .selectFrom('workspaces')
        .where('removed_at', 'is', null)
        .select(({ fn }) => fn.countAll().as('count'))
        .executeTakeFirstOrThrow();
      return Number(count);
    },

    /** Both or neither: a workspace without a key is nobody's. null: the name is taken. */
    async insert(
      workspace: { readonly id: string; readonly name: string; readonly createdBy: string; readonly createdAt: Date },
      key: NewKey,
    ): Promise<{ readonly workspace: WorkspaceRecord; readonly key: StoredKey } | null> {
      return await query.transaction().execute(async (transaction) => {
        const row = await transaction
          .insertInto('workspaces')
          .values({ id: workspace.id, name: workspace.name, created_by: workspace.createdBy, created_at: workspace.createdAt })
          .onConflict((conflict) => conflict.doNothing())
          .returningAll()
          .executeTakeFirst();
        if (row === undefined) return null;
        return { workspace: recordOf(row), key: await keysIn(transaction).insert(key) };
      });
    },

    /** null: it does not expire. */
    async keyExpiry(keyId: string): Promise<Date | null> {
      const row = await query.selectFrom('api_keys').select('expires_at').where('id', '=', keyId).executeTakeFirst();
      return row?.expires_at ?? null;
    },

    async insertKey(key: NewKey): Promise<StoredKey> {
      return await keysIn(query).insert(key);
    },

    /** 'taken': another has this name. null: it is not there. */
    async rename(id: string, name: string): Promise<WorkspaceRecord | 'taken' | null> {
      return await query.transaction().execute(async (transaction) => {
        const other = await transaction
          .selectFrom('workspaces')
          .select('id')
          .where(({ eb, fn }) => eb(fn('lower', ['name']), '=', name.toLowerCase()))
          .where('id', '<>', id)
          .where('removed_at', 'is', null)
          .executeTakeFirst();
        if (other !== undefined) return 'taken';
        const row = await transaction
          .updateTable('workspaces')
          .set({ name })
          .where('id', '=', id)
          .where('removed_at', 'is', null)
          .returningAll()
          .executeTakeFirst();
        return row === undefined ? null : recordOf(row);
      });
    },

    holdingsOf: (id: string) => holdingsIn(query, id),

    /** The row and every key, at once. What it still holds: nothing was written. null: it is not there. */
    async close(id: string, at: Date, { everything }: { readonly everything: boolean }): Promise<WorkspaceHoldings | 'closed' | null> {
      return await query.transaction().execute(async (transaction) => {
        const row = await transaction
          .selectFrom('workspaces')
          .select('id')
          .where('id', '=', id)
          .where('removed_at', 'is', null)
          .forUpdate()
          .executeTakeFirst();
        if (row === undefined) return null;
        const holds = everything ? {} : await holdingsIn(transaction, id);
        if (Object.values(holds).some((count) => count > 0)) return holds;
        await transaction.updateTable('workspaces').set({ removed_at: at }).where('id', '=', id).execute();
        // They stay as revoked ones: whatever still runs for them finds out by them that it may call nothing any more.
        await transaction
          .updateTable('api_keys')
          .set({ revoked_at: at })
          .where('workspace_id', '=', id)
          .where('revoked_at', 'is', null)
          .execute();
        return 'closed';
      });
    },

    /** Removed, and perhaps not yet deleted. */
    async removed(): Promise<{ readonly id: string; readonly removedAt: Date }[]> {
      const rows = await query
        .selectFrom('workspaces')
        .select(['id', 'removed_at'])
        .where('removed_at', 'is not', null)
        .where('cleaned_at', 'is', null)
        .execute();
      return rows.flatMap(({ id, removed_at: removedAt }) => (removedAt === null ? [] : [{ id, removedAt }]));
    },

    async unfinishedExecutions(id: string): Promise<string[]> {
      const { rows } = await sql<{ id: string }>`select id from executions where workspace_id = ${id} and ended_at is null`.execute(query);
      return rows.map((row) => row.id);
    },

    /** Every row but the record's, which nobody may delete, and executions that have not ended. */
    async clean({ id, removedAt }: { readonly id: string; readonly removedAt: Date }, now: Date): Promise<void> {
      const isLast = await query.transaction().execute(async (transaction) => {
        for (const { table } of holdings) {
          const ended = table === 'executions' ? sql`and ended_at is not null` : sql``;
          await sql`delete from ${sql.table(table)} where workspace_id = ${id} ${ended}`.execute(transaction);
        }
        const { rows } = await sql`select 1 from executions where workspace_id = ${id} limit 1`.execute(transaction);
        return rows.length === 0 && now.getTime() - removedAt.getTime() > LATE_MS;
      });
      if (isLast) await query.updateTable('workspaces').set({ cleaned_at: now }).where('id', '=', id).execute();
    },
  };

  async function holdingsIn(of: Kysely<WorkspaceTables>, id: string): Promise<WorkspaceHoldings> {
    const counts: Record<string, number> = {};
    for (const { table, counted, countedWhere = 'true' } of holdings) {
      if (counted === undefined) continue;
      const { rows } = await sql<{ count: string | number }>`
        select count(*) as count from ${sql.table(table)} where workspace_id = ${id} and ${sql.raw(countedWhere)}`.execute(of);
      counts[counted] = Number(rows[0]?.count ?? 0);
    }
    return counts;
  }
}

const keysIn = (of: Kysely<WorkspaceTables>) => createKeyStore({ query: <T>() => of as unknown as Kysely<T> });

const recordOf = ({ id, name, created_at }: Selectable<WorkspaceTables['workspaces']>): WorkspaceRecord => ({
  id,
  name,
  createdAt: created_at.toISOString(),
  home: id === DEFAULT_WORKSPACE_ID,
});
