import type { ToolDefinition } from '@code-executor/contracts';
import type { Kysely } from 'kysely';
import type { ToolTables } from '../tables.ts';
import type { CatalogTool } from './catalog.ts';

export interface CatalogRow {
  readonly entry: CatalogTool;
  readonly position: number;
  readonly present: boolean;
}

/** The catalog's rows, so that lazy servers and restarts show their tools, and a change is noticed over a restart. */
export interface CatalogStore {
  load(): Promise<Map<string, ReadonlyMap<string, CatalogRow>>>;
  save(server: string, rows: readonly CatalogRow[]): Promise<void>;
  forget(server: string): Promise<void>;
}

/** Eight parameters a row; PostgreSQL takes 65,535 a statement. */
const ROWS_PER_STATEMENT = 500;

/** `onWritten`: something has committed. */
export function createCatalogStore(db: Kysely<ToolTables>, workspaceId: string, onWritten: () => void): CatalogStore {
  return {
    async load() {
      const servers = new Map<string, Map<string, CatalogRow>>();
      const rows = await db.selectFrom('catalog_tools').selectAll().where('workspace_id', '=', workspaceId).execute();
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
        for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
          await transaction
            .insertInto('catalog_tools')
            .values(
              rows.slice(start, start + ROWS_PER_STATEMENT).map(({ entry, position, present }) => ({
                workspace_id: workspaceId,
                server,
                name: storableText(entry.tool.name),
                definition: JSON.stringify(entry.tool),
                digest: entry.digest,
                position,
                present,
                drifted_at: entry.driftedAt,
                recorded_at: new Date(),
              })),
            )
            .onConflict((conflict) =>
              conflict.columns(['workspace_id', 'server', 'name']).doUpdateSet((row) => ({
                definition: row.ref('excluded.definition'),
                digest: row.ref('excluded.digest'),
                position: row.ref('excluded.position'),
                present: row.ref('excluded.present'),
                drifted_at: row.ref('excluded.drifted_at'),
              })),
            )
            .execute();
        }
      });
      onWritten();
    },
    async forget(server) {
      await db.deleteFrom('catalog_tools').where('workspace_id', '=', workspaceId).where('server', '=', server).execute();
      onWritten();
    },
  };
}

/** PostgreSQL's text takes neither NUL nor lone surrogates, which JSON escapes. The true name is in the definition. */
export function storableText(name: string): string {
  return name.includes('\0') || !name.isWellFormed() ? JSON.stringify(name).replaceAll('\0', '\\u0000') : name;
}
