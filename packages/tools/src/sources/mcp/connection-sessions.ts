import type { Connections } from '../../connections/port.ts';
import { type Authorization, authorizationOf } from './authorization.ts';
import type { ServerLog } from './mcp-server.ts';
import { type McpSession, messageWithCause, openMcpSession, type ServerHost } from './mcp-session.ts';
import type { McpServerEntry } from './server-entry.ts';

/** Sessions of one remote MCP server beside the supervised one: one for each connection that is not the workspace's default. */
export interface ConnectionSessions {
  /** Opened where needed. @throws whatever went wrong, without secrets; the signal's reason. */
  session(key: SessionKey, signal: AbortSignal): Promise<{ readonly session: McpSession; readonly authorization: Authorization }>;
  /** It is known to be gone, or its credential has changed. */
  drop(connectionId: string): void;
  close(): Promise<void>;
}

export interface SessionKey {
  readonly connectionId: string;
  readonly connection: string | null;
  readonly principal: { readonly id: string; readonly workspaceId: string };
}

interface Open {
  readonly opened: Promise<McpSession>;
  readonly authorization: Authorization;
  usedAt: number;
}

const OPEN_TIMEOUT_MS = 30_000;
/** Nobody has used it for so long: it is opened again when somebody does. */
const IDLE_MS = 10 * 60_000;
const LOOK_EVERY_MS = 60_000;
/** One more ends the one that was used least recently. */
const MOST_SESSIONS = 32;

export function createConnectionSessions(
  entry: McpServerEntry,
  { host, connections, log }: { readonly host: ServerHost; readonly connections: Connections; readonly log: ServerLog },
): ConnectionSessions {
  const open = new Map<string, Open>();
  let timer: NodeJS.Timeout | null = null;

  function begin(key: SessionKey): Open {
    const authorization = authorizationOf(connections, { integration: entry.slug, connection: key.connection, principal: key.principal });
    const opened = openMcpSession(
      entry,
      host,
      {
        onListChanged: () => undefined,
        onClosed: () => drop(key.connectionId),
        onLine: (stream, line) => log.info({ server: entry.slug, connection: key.connectionId, stream }, line),
      },
      AbortSignal.timeout(OPEN_TIMEOUT_MS),
      authorization,
    );
    const fresh = { opened, authorization, usedAt: Date.now() };
    opened.catch(() => {
      if (open.get(key.connectionId) === fresh) open.delete(key.connectionId);
    });
    return fresh;
  }

  function drop(connectionId: string): void {
    const found = open.get(connectionId);
    open.delete(connectionId);
    if (found !== undefined) void end(found);
  }

  async function end({ opened }: Open): Promise<void> {
    try {
      await (await opened).close();
    } catch (error) {
      log.info({ server: entry.slug, reason: messageWithCause(error) }, 'A session of a connection did not close cleanly');
    }
  }

  function look(): void {
    for (const [id, { usedAt }] of open) if (Date.now() - usedAt > IDLE_MS) drop(id);
    if (open.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  }

  return {
    async session(key, signal) {
      signal.throwIfAborted();
      let found = open.get(key.connectionId);
      if (found === undefined) {
        const [leastUsed] = [...open].sort(([, left], [, right]) => left.usedAt - right.usedAt);
        if (open.size >= MOST_SESSIONS && leastUsed !== undefined) drop(leastUsed[0]);
        found = begin(key);
        open.set(key.connectionId, found);
        timer ??= setInterval(look, LOOK_EVERY_MS).unref();
      }
      found.usedAt = Date.now();
      const { promise, reject } = Promise.withResolvers<never>();
      const abort = (): void => reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      try {
        return { session: await Promise.race([found.opened, promise]), authorization: found.authorization };
      } finally {
        signal.removeEventListener('abort', abort);
      }
    },
    drop,
    async close() {
      if (timer !== null) clearInterval(timer);
      const all = [...open.values()];
      open.clear();
      await Promise.all(all.map(end));
    },
  };
}
