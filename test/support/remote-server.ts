import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { z } from 'zod';

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Where a call said that its trace was. */
export interface SeenCall {
  readonly header: unknown;
  readonly meta: unknown;
}

/** An MCP server on a loopback port that answers only who sends `Authorization: Bearer <token>`. */
export async function startRemoteServer(
  kind: 'streamable' | 'sse',
  token: string,
  onCall: (call: SeenCall) => void = () => undefined,
): Promise<{ url: string; close(): Promise<void> }> {
  const handle = kind === 'sse' ? sseHandler(onCall) : streamableHandler(onCall);
  const http = createServer((request, response) => {
    if (request.headers.authorization !== `Bearer ${token}`) response.writeHead(401).end();
    else handle(request, response).catch(() => response.destroy());
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    close: async () => {
      http.closeAllConnections();
      http.close();
      await once(http, 'close');
    },
  };
}

function greeter(onCall: (call: SeenCall) => void): McpServer {
  const server = new McpServer({ name: 'remote', version: '1' });
  const tool = { description: 'Greets somebody', inputSchema: { name: z.string() }, annotations: { readOnlyHint: true } };
  server.registerTool('greet', tool, ({ name }, { requestInfo, _meta }) => {
    onCall({ header: requestInfo?.headers.traceparent, meta: _meta?.traceparent });
    return { content: [{ type: 'text', text: `hello ${name}` }] };
  });
  return server;
}

/** Keeps no sessions, as servers behind a load balancer do: each request is a server of its own. */
function streamableHandler(onCall: (call: SeenCall) => void): Handler {
  return async (request, response) => {
    if (request.method !== 'POST') return void response.writeHead(405).end();
    const transport = new StreamableHTTPServerTransport({});
    await greeter(onCall).connect(transport as Transport);
    await transport.handleRequest(request, response);
  };
}

function sseHandler(onCall: (call: SeenCall) => void): Handler {
  const sessions = new Map<string, SSEServerTransport>();
  return async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://host');
    if (request.method === 'GET' && pathname === '/mcp') {
      const transport = new SSEServerTransport('/messages', response);
      sessions.set(transport.sessionId, transport);
      return greeter(onCall).connect(transport);
    }
    const session = sessions.get(searchParams.get('sessionId') ?? '');
    if (session === undefined) return void response.writeHead(404).end();
    await session.handlePostMessage(request, response);
  };
}
