import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ToolDefinition } from '@code-executor/contracts';
import { type Kysely, sql } from 'kysely';
import type { ToolTables } from '../tables.ts';
import type { CatalogTool } from './catalog.ts';

export interface CatalogRow {
  readonly entry: CatalogTool;
  readonly position: number;
  readonly present: boolean;
}

export interface WrittenRow extends CatalogRow {
  /** Undefined: as it is written already, if at all. */
  readonly binding?: string | undefined;
}

/** The catalog's rows, so that lazy servers and restarts show their tools, and a change is noticed over a restart. */
export interface CatalogStore {
  load(): Promise<Map<string, ReadonlyMap<string, CatalogRow>>>;
  save(server: string, rows: readonly WrittenRow[]): Promise<void>;
  /** What a call of this tool needs, of this very definition. Null: it is not there, or of another one. */
  binding(server: string, name: string, digest: string): Promise<string | null>;
  forget(server: string): Promise<void>;
}

/** Ten parameters a row; PostgreSQL takes 65,535 a statement. */
const ROWS_PER_STATEMENT = 500;
/** PGlite holds the event loop for the length of a statement: some 10 ms for this much. */
const CHARACTERS_PER_STATEMENT = 48 * 1024;
const LOADED_COLUMNS = ['server', 'name', 'definition', 'digest', 'position', 'present', 'drifted_at'] as const;

/** `onWritten`: something has committed. */
export function createCatalogStore(db: Kysely<ToolTables>, workspaceId: string, onWritten: () => void): CatalogStore {
  return {
    async load() {
      const servers = new Map<string, Map<string, CatalogRow>>();
      const rows = await db.selectFrom('catalog_tools').select(LOADED_COLUMNS).where('workspace_id', '=', workspaceId).execute();
      for (const row of rows) {
        const tool = JSON.parse(row.definition) as ToolDefinition;
        const tools = servers.get(row.server) ?? new Map<string, CatalogRow>();
        servers.set(row.server, tools);
        tools.set(tool.name, {
          entry: { tool, digest: row.digest, driftedAt: row.drifted_at },
          position: row.position,
          present: row.present,
        });
      }
      return servers;
    },
    async save(server, rows) {
      if (rows.length === 0) return;
      await db.transaction().execute(async (transaction) => {
        for (const lot of lotsOf(rows)) {
          await transaction
            .insertInto('catalog_tools')
            .values(
              lot.map(({ row: { entry, position, present, binding }, definition }) => ({
                workspace_id: workspaceId,
                server,
                name: storableText(entry.tool.name),
                definition,
                digest: entry.digest,
                position,
                present,
                drifted_at: entry.driftedAt,
                recorded_at: new Date(),
                binding: binding ?? null,
              })),
            )
            .onConflict((conflict) =>
              conflict.columns(['workspace_id', 'server', 'name']).doUpdateSet((row) => ({
                definition: row.ref('excluded.definition'),
                digest: row.ref('excluded.digest'),
                position: row.ref('excluded.position'),
                present: row.ref('excluded.present'),
                drifted_at: row.ref('excluded.drifted_at'),
                binding: sql<string | null>`coalesce(excluded.binding, catalog_tools.binding)`,
              })),
            )
            .execute();
          await nextTurn();
        }
      });
      onWritten();
    },
    async binding(server, name, digest) {
      const row = await db
        .selectFrom('catalog_tools')
        .select('binding')
        .where('workspace_id', '=', workspaceId)
        .where('server', '=', server)
        .where('name', '=', storableText(name))
        .where('digest', '=', digest)
        .executeTakeFirst();
      return row?.binding ?? null;
    },
    async forget(server) {
      await db.deleteFrom('catalog_tools').where('workspace_id', '=', workspaceId).where('server', '=', server).execute();
      onWritten();
    },
  };
}

/** What goes into one statement. */
function* lotsOf(rows: readonly WrittenRow[]): Generator<{ readonly row: WrittenRow; readonly definition: string }[]> {
  let lot: { row: WrittenRow; definition: string }[] = [];
  let characters = 0;
  for (const row of rows) {
    const definition = JSON.stringify(row.entry.tool);
    lot.push({ row, definition });
    characters += definition.length + (row.binding?.length ?? 0);
    if (lot.length < ROWS_PER_STATEMENT && characters < CHARACTERS_PER_STATEMENT) continue;
    yield lot;
    lot = [];
    characters = 0;
  }
  if (lot.length > 0) yield lot;
}

/** PostgreSQL's text takes neither NUL nor lone surrogates, which JSON escapes. The true name is in the definition. */
export function storableText(name: string): string {
  return name.includes('\0') || !name.isWellFormed() ? JSON.stringify(name).replaceAll('\0', '\\u0000') : name;
}
