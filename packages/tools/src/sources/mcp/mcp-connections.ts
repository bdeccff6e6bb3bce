import { AppError } from '@code-executor/platform';
import type { ConnectedIntegration, Connections, ResolvedConnection } from '../../connections/port.ts';
import { probeMcp } from '../../integrations/probe-mcp.ts';
import type { CallOccasion } from '../source.ts';
import { type Authorization, credentialedHttp } from './authorization.ts';
import { createConnectionSessions } from './connection-sessions.ts';
import type { McpServer, ServerLog } from './mcp-server.ts';
import { guardOf, type McpSession, type ServerHost } from './mcp-session.ts';
import type { Scrub } from './secrets.ts';

/** The session that a call goes over, and what else is to be hidden in what comes back. */
export interface CallSession {
  readonly session: McpSession;
  readonly scrub: Scrub;
  /** The connection is known to be gone. */
  lost(reason: string): void;
}

/** How the calls of one MCP server find their session. */
export interface McpConnections {
  readonly connected: ConnectedIntegration | null;
  /** @throws AppError CONNECTION_NOT_FOUND, CONNECTION_BROKEN, CONNECTION_UNAVAILABLE, UPSTREAM_UNAVAILABLE; the signal's reason. */
  sessionFor(occasion: CallOccasion, signal: AbortSignal): Promise<CallSession>;
  changed(): void;
  close(): Promise<void>;
}

const asIs: Scrub = (text) => text;

/** Of a server over stdio, which has credentials of its own: every call goes over its one session. */
export function stdioConnections(server: McpServer): McpConnections {
  const { slug } = server.entry;
  return {
    connected: null,
    async sessionFor({ connection, entry }, signal) {
      if (connection !== null)
        throw new AppError(
          'CONNECTION_NOT_FOUND',
          `${slug} runs as a process with credentials of its own: write ${slug}.${entry.tool.name}`,
        );
      return { session: await server.session(signal), scrub: asIs, lost: server.reconnect };
    },
    changed: () => undefined,
    close: async () => undefined,
  };
}

/** Of a remote server: the workspace's default connection goes over the supervised session, any other over one of its own. */
export function remoteConnections(
  server: McpServer,
  supervised: Authorization,
  deps: { readonly host: ServerHost; readonly connections: Connections; readonly log: ServerLog; readonly workspaceId: string },
): McpConnections {
  const { entry } = server;
  const { connections } = deps;
  const sessions = createConnectionSessions(entry, deps);
  /** Of the supervised session. */
  const supervisedNow = (): ResolvedConnection | null =>
    connections.resolve({ integration: entry.slug, connection: null, principal: { id: '', workspaceId: deps.workspaceId } });
  let present = supervisedNow();

  return {
    connected: connectedMcp(server, deps.host),
    async sessionFor({ workspaceId, principalId, connection }, signal) {
      const request = { integration: entry.slug, connection, principal: { id: principalId, workspaceId } };
      // What is wrong with the credential is said before anything is recorded.
      await connections.credentialFor(request, signal);
      const resolved = connections.resolve(request);
      if (resolved === null || resolved.id === supervisedNow()?.id)
        return { session: await server.session(signal), scrub: supervised.scrub, lost: server.reconnect };
      const { session, authorization } = await openedFor({ ...request, connectionId: resolved.id }, signal);
      return { session, scrub: authorization.scrub, lost: () => sessions.drop(resolved.id) };
    },
    changed() {
      void sessions.close();
      const now = supervisedNow();
      const isAnother = now?.id !== present?.id || now?.version !== present?.version;
      present = now;
      if (server.state().state === 'broken') server.start();
      // What is logged in upstream as somebody else has to log in anew.
      else if (isAnother) server.reconnect('its connection was changed');
    },
    close: () => sessions.close(),
  };

  async function openedFor(key: Parameters<typeof sessions.session>[0], signal: AbortSignal) {
    try {
      return await sessions.session(key, signal);
    } catch (error) {
      signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : 'it could not be reached';
      throw new AppError('UPSTREAM_UNAVAILABLE', `${entry.slug} could not be reached with this connection: ${reason}`, {
        details: { server: entry.slug },
      });
    }
  }
}

function connectedMcp({ entry }: McpServer, { outbound }: ServerHost): ConnectedIntegration | null {
  const { slug, transport } = entry;
  if (transport.kind !== 'http') return null;
  return {
    slug,
    schemes: [],
    url: transport.url,
    http: guardOf(entry, outbound),
    async probe(credential, http, signal) {
      const greeting = await probeMcp(transport.url, credentialedHttp(http, credential), signal);
      return greeting === null ? 'it does not answer as an MCP server' : null;
    },
  };
}
