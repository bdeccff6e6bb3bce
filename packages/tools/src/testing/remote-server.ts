import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';

/** A remote MCP server on loopback that wants `Authorization: Bearer <token>`, or a token that it judges good. */
export interface RemoteServer {
  readonly url: string;
  close(): Promise<void>;
}

export async function startRemoteServer(
  kind: 'streamable' | 'sse',
  token: string | ((given: string) => boolean),
  port = 0,
  /** Told to whoever has no good token (RFC 9728). */
  authorizationServer: string | null = null,
): Promise<RemoteServer> {
  const handle = kind === 'sse' ? sseHandler() : streamableHandler();
  const isGood = (given: string): boolean => (typeof token === 'string' ? given === token : token(given));
  const http = createServer((request, response) => {
    const origin = `http://${request.headers.host}`;
    const metadata = `${origin}/.well-known/oauth-protected-resource/mcp`;
    if (authorizationServer !== null && request.url === new URL(metadata).pathname)
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ resource: `${origin}/mcp`, authorization_servers: [authorizationServer] }));
    else if (!isGood((request.headers.authorization ?? '').replace(/^Bearer /, '')))
      response
        .writeHead(401, authorizationServer === null ? {} : { 'www-authenticate': `Bearer resource_metadata="${metadata}"` })
        .end(`not with ${request.headers.authorization}`);
    else handle(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  http.listen(port, '127.0.0.1');
  await once(http, 'listening');
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`, close: () => closeServer(http) };
}

function tools(): McpServer {
  const server = new McpServer({ name: 'remote', version: '1' });
  server.registerTool('greet', { description: 'Greets', annotations: { readOnlyHint: true } }, () => ({
    content: [{ type: 'text', text: 'hello' }],
  }));
  return server;
}

function streamableHandler(): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  return async (request, response) => {
    const id = request.headers['mcp-session-id'];
    const known = typeof id === 'string' ? sessions.get(id) : undefined;
    if (id !== undefined && known === undefined) return void response.writeHead(404).end('no such session');
    const transport =
      known ??
      new StreamableHTTPServerTransport({
        sessionIdGenerator: () => crypto.randomUUID(),
        onsessioninitialized: (session) => void sessions.set(session, transport),
      });
    if (known === undefined) await tools().connect(transport as Transport);
    await transport.handleRequest(request, response);
  };
}

function sseHandler(): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const sessions = new Map<string, SSEServerTransport>();
  return async (request, response) => {
    if (request.method === 'GET') {
      const transport = new SSEServerTransport('/messages', response);
      sessions.set(transport.sessionId, transport);
      return tools().connect(transport);
    }
    const session = sessions.get(new URL(request.url ?? '', 'http://host').searchParams.get('sessionId') ?? '');
    if (session === undefined) return void response.writeHead(404).end();
    await session.handlePostMessage(request, response);
  };
}

async function closeServer(http: Server): Promise<void> {
  http.closeAllConnections();
  http.close();
  await once(http, 'close');
}
