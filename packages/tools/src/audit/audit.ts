import type { Database, Logger } from '@code-executor/platform';
import type { FindPrincipal } from '../calls/may-call.ts';
import type { ToolTables } from '../tables.ts';
import { type AuditRow, chainDigest } from './audit-chain.ts';
import { cursorOf, readAudit, readCursor } from './audit-reader.ts';
import { createAuditWriter } from './audit-writer.ts';
import type { Audit, AuditCheck } from './port.ts';

export interface AuditOptions {
  readonly db: Pick<Database, 'query'>;
  readonly log: Pick<Logger, 'warn' | 'error'>;
  /** For the role and name of who made a tool call, whose row has the id alone. */
  readonly findPrincipal?: FindPrincipal | undefined;
  readonly now?: (() => number) | undefined;
}

const ROWS_AT_ONCE = 500;

/** The record over one database; its tables are those of `toolMigrations`. */
export function createAudit({ db, log, findPrincipal = () => null, now = Date.now }: AuditOptions): Audit & { close(): Promise<void> } {
  const tables = db.query<ToolTables>();
  const writer = createAuditWriter(tables, log, now);

  return {
    record: writer.append,
    close: writer.idle,

    async list(workspaceId, filter, { limit, cursor }) {
      const found = await readAudit(tables, workspaceId, filter, { limit: limit + 1, beyond: readCursor(cursor) }, findPrincipal);
      const items = found.slice(0, limit);
      const last = items.at(-1);
      return { items, nextCursor: found.length > limit && last !== undefined ? cursorOf(last) : null };
    },

    async *export(workspaceId, filter, signal) {
      const bounded = { ...filter, until: filter.until ?? new Date(now() + 1) };
      for (let beyond: string | undefined; ; ) {
        signal.throwIfAborted();
        const window = { limit: ROWS_AT_ONCE, beyond, oldestFirst: true };
        const found = await readAudit(tables, workspaceId, bounded, window, findPrincipal);
        for (const record of found) {
          signal.throwIfAborted();
          yield record;
        }
        const last = found.at(-1);
        if (found.length < ROWS_AT_ONCE || last === undefined) return;
        beyond = cursorOf(last);
      }
    },

    verify: (workspaceId, signal) => verify(workspaceId, signal),
  };

  function rowsAfter(workspaceId: string, position: number): Promise<AuditRow[]> {
    return tables
      .selectFrom('audit_events')
      .selectAll()
      .where('workspace_id', '=', workspaceId)
      .where('position', '>', position)
      .orderBy('position')
      .limit(ROWS_AT_ONCE)
      .execute();
  }

  async function isOldest(workspaceId: string, position: number): Promise<boolean> {
    const older = tables.selectFrom('audit_events').select('id').where('workspace_id', '=', workspaceId).where('position', '<', position);
    return (await older.limit(1).executeTakeFirst()) === undefined;
  }

  /** From the oldest that is left; what was there before it has been purged. */
  async function verify(workspaceId: string, signal: AbortSignal): Promise<AuditCheck> {
    let before: { readonly position: number; readonly digest: string } | null = null;
    for (let checked = 0; ; ) {
      signal.throwIfAborted();
      const rows = await rowsAfter(workspaceId, before?.position ?? 0);
      // A purge may have come by meanwhile: then the oldest that is left is where it begins.
      const first = Number(rows[0]?.position ?? 0);
      if (before !== null && first > before.position + 1 && (await isOldest(workspaceId, first))) before = null;
      for (const { digest, position: text, ...row } of rows) {
        const position = Number(text);
        const follows: boolean = before === null ? true : position === before.position + 1;
        const isOwn: boolean = before === null && position > 1 ? true : digest === chainDigest(before?.digest ?? '', { ...row, position });
        if (!follows || !isOwn) return { whole: false, checked, brokenAt: row.id };
        before = { position, digest };
        checked += 1;
      }
      if (rows.length < ROWS_AT_ONCE) return { whole: true, checked, brokenAt: null };
    }
  }
}
