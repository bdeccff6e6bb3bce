import { classifyInboundRequest, type McpHttpHandler } from '@modelcontextprotocol/server';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { McpCaller } from './call-context.ts';

/** Whether a request is of the 2026 version, by the library's own judgement. */
export function isStateless(request: FastifyRequest): boolean {
  const outcome = classifyInboundRequest({
    httpMethod: request.method,
    ...header('protocolVersionHeader', request.headers['mcp-protocol-version']),
    ...header('mcpMethodHeader', request.headers['mcp-method']),
    ...header('mcpNameHeader', request.headers['mcp-name']),
    body: request.body,
  });
  return outcome.kind !== 'legacy';
}

/** The library answers; what it needs of the caller goes through what it passes on for authentication. */
export async function answerStateless(
  handler: McpHttpHandler,
  request: FastifyRequest,
  reply: FastifyReply,
  caller: McpCaller,
): Promise<FastifyReply> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) if (typeof value === 'string') headers.set(name, value);
  // Its text is not read again; only that there is one counts.
  const web = new Request(`http://${request.headers.host ?? 'localhost'}${request.url}`, {
    method: 'POST',
    headers,
    body: '{}',
    signal: caller.over,
  });
  const response = await handler.fetch(web, {
    parsedBody: request.body,
    authInfo: { token: '', clientId: caller.principal.id, scopes: [], extra: { caller } },
  });
  return reply.send(response);
}

const header = (name: string, value: string | string[] | undefined): Record<string, string> =>
  typeof value === 'string' ? { [name]: value } : {};
