import { randomBytes } from 'node:crypto';
import type { Principal } from '@code-executor/contracts';
import { type Database, type Logger, messageOf } from '@code-executor/platform';
import { type Selectable, sql } from 'kysely';
import type { McpClient, McpSession, McpSessions } from './port.ts';

/** What was read is believed for so long: a session that another replica ended, or gave another log level, is seen within it. */
const BELIEF_MS = 2_000;
/** That a session is used is written no more often. */
const TOUCH_MS = 60_000;
const SWEEP_MS = 60_000;
/** Sessions remembered beside the database; what does not fit is read again. */
const REMEMBERED = 4_096;
/** A cancellation that no replica asked for within this came too late. */
const CANCELLATION_MS = 60_000;
const CANCELLATIONS = 100;

export interface McpSessionLimits {
  /** A session that nobody uses for so long ends. */
  readonly idleSeconds: number;
  readonly maximum: number;
  readonly maximumOfPrincipal: number;
}

interface SessionsTable {
  id: string;
  workspace_id: string;
  principal_id: string;
  protocol_version: string;
  client_json: string;
  log_level: string | null;
  created_at: Date;
  used_at: Date;
}

interface Tables {
  mcp_sessions: SessionsTable;
  mcp_cancellations: { session_id: string; request_id: string; created_at: Date };
}

interface Remembered {
  readonly owner: string;
  readonly session: McpSession;
  readonly readAtMs: number;
  touchedAtMs: number;
}

/** The rows need `mcpMigrations` to have run. */
export function createMcpSessions(options: {
  readonly db: Database;
  readonly log: Logger;
  readonly limits: McpSessionLimits;
  readonly now?: () => number;
}): McpSessions & { close(): void } {
  const { db, log, limits, now = Date.now } = options;
  const isShared = db.kind === 'postgres';
  const query = db.query<Tables>();
  const remembered = new Map<string, Remembered>();
  const oldestUse = () => new Date(now() - limits.idleSeconds * 1000);
  const sweep = setInterval(() => {
    query
      .deleteFrom('mcp_sessions')
      .where('used_at', '<', oldestUse())
      .execute()
      .catch((error: unknown) => log.warn({ reason: messageOf(error) }, 'Idle MCP sessions could not be ended'));
  }, SWEEP_MS);
  sweep.unref();

  return {
    async begin(principal, { protocolVersion, client }) {
      const { count } = await query
        .selectFrom('mcp_sessions')
        .select(({ fn }) => fn.countAll<number | string>().as('count'))
        .executeTakeFirstOrThrow();
      await makeRoom(principal);
      if (Number(count) >= limits.maximum) return null;
      const at = new Date(now());
      const row: SessionsTable = {
        id: `mcp_${randomBytes(24).toString('base64url')}`,
        workspace_id: principal.workspaceId,
        principal_id: principal.id,
        protocol_version: protocolVersion,
        client_json: JSON.stringify(client),
        log_level: null,
        created_at: at,
        used_at: at,
      };
      await query.insertInto('mcp_sessions').values(row).execute();
      return remember(row).session;
    },

    async find(principal, id) {
      if (!/^mcp_[\w-]{32}$/.test(id)) return null;
      const known = remembered.get(id);
      if (known !== undefined && known.owner === ownerOf(principal) && now() - known.readAtMs < BELIEF_MS) return known.session;
      const row = await query
        .selectFrom('mcp_sessions')
        .selectAll()
        .where('id', '=', id)
        .where('workspace_id', '=', principal.workspaceId)
        .where('principal_id', '=', principal.id)
        .where('used_at', '>=', oldestUse())
        .executeTakeFirst();
      if (row === undefined) {
        remembered.delete(id);
        return null;
      }
      const found = remember(row);
      if (now() - found.touchedAtMs > TOUCH_MS) {
        found.touchedAtMs = now();
        await query
          .updateTable('mcp_sessions')
          .set({ used_at: new Date(now()) })
          .where('id', '=', id)
          .execute();
      }
      return found.session;
    },

    async setLogLevel(principal, id, level) {
      remembered.delete(id);
      await query
        .updateTable('mcp_sessions')
        .set({ log_level: level })
        .where('id', '=', id)
        .where('principal_id', '=', principal.id)
        .execute();
      remembered.delete(id);
    },

    async end(principal, id) {
      remembered.delete(id);
      const { numDeletedRows } = await query
        .deleteFrom('mcp_sessions')
        .where('id', '=', id)
        .where('workspace_id', '=', principal.workspaceId)
        .where('principal_id', '=', principal.id)
        .executeTakeFirst();
      remembered.delete(id);
      return numDeletedRows > 0n;
    },

    async cancelRequest({ sessionId, requestId }) {
      // Where there is one process, a request that it does not answer is answered by nobody.
      if (!isShared) return;
      const at = new Date(now());
      await query
        .deleteFrom('mcp_cancellations')
        .where('session_id', '=', sessionId)
        .where('created_at', '<', new Date(now() - CANCELLATION_MS))
        .execute();
      await sql`
        insert into mcp_cancellations (session_id, request_id, created_at)
        select ${sessionId}, ${requestId}, ${at}
        where (select count(*) from mcp_cancellations where session_id = ${sessionId}) < ${CANCELLATIONS}
        on conflict do nothing`.execute(query);
    },

    async cancelled(requests) {
      if (!isShared || requests.length === 0) return [];
      const sessions = [...new Set(requests.map(({ sessionId }) => sessionId))];
      const rows = await query.selectFrom('mcp_cancellations').selectAll().where('session_id', 'in', sessions).execute();
      const told = requests.filter((request) =>
        rows.some((row) => row.session_id === request.sessionId && row.request_id === request.requestId),
      );
      for (const { sessionId, requestId } of told) {
        await query.deleteFrom('mcp_cancellations').where('session_id', '=', sessionId).where('request_id', '=', requestId).execute();
      }
      return told;
    },

    close: () => clearInterval(sweep),
  };

  /** Ends what this principal used longest ago, where it has as many sessions as it may. */
  async function makeRoom({ workspaceId, id }: Principal): Promise<void> {
    await sql`
      delete from mcp_sessions where id in (
        select id from mcp_sessions where workspace_id = ${workspaceId} and principal_id = ${id}
        order by used_at desc, id offset ${limits.maximumOfPrincipal - 1})`.execute(query);
  }

  function remember(row: Selectable<SessionsTable>): Remembered {
    const session: McpSession = {
      id: row.id,
      protocolVersion: row.protocol_version,
      client: JSON.parse(row.client_json) as McpClient,
      logLevel: row.log_level,
    };
    const owner = ownerOf({ workspaceId: row.workspace_id, id: row.principal_id });
    const entry = { owner, session, readAtMs: now(), touchedAtMs: row.used_at.getTime() };
    if (remembered.size >= REMEMBERED) remembered.clear();
    remembered.set(row.id, entry);
    return entry;
  }
}

const ownerOf = ({ workspaceId, id }: Pick<Principal, 'workspaceId' | 'id'>): string => `${workspaceId} ${id}`;
