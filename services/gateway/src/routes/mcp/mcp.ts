import { createMcpHandler } from '@modelcontextprotocol/server';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { bareKeyOf, principalOf } from '../../plugins/authenticate.ts';
import { createSessionedAnswers } from './answer-sessioned.ts';
import { answerStateless, isStateless } from './answer-stateless.ts';
import type { McpCaller } from './call-context.ts';
import { createCancellations } from './cancellations.ts';
import { buildMcpServer } from './mcp-server.ts';
import { answerProtocolError } from './protocol-answers.ts';

/** Streams of the 2026 version that wait for changes; there are few to tell of. */
const SUBSCRIPTIONS_LIMIT = 256;

/**
 * `/mcp`: the tools of this service over streamable HTTP, in the protocol's versions 2026-07-28 (each request by itself) and
 * 2025-11-25 and before (a session, or none). What a session is lies in the database, what a stream tells in the events of
 * its execution: any replica answers any request, and goes on with any stream.
 */
export function registerMcpRoutes(app: GatewayApp, deps: RouteDeps): void {
  const handler = createMcpHandler(({ authInfo }) => buildMcpServer(deps, authInfo?.extra?.caller as McpCaller, null, app.log), {
    legacy: 'reject',
    maxSubscriptions: SUBSCRIPTIONS_LIMIT,
    keepAliveMs: deps.config.heartbeatMs,
    onerror: (error) => app.log.debug({ err: error }, 'MCP'),
  });
  app.addHook('preClose', async () => {
    await handler.close();
  });
  const cancellations = deps.mcpSessions === undefined ? null : createCancellations(deps.mcpSessions, app.log);
  const sessioned = createSessionedAnswers(deps, cancellations);
  const options = { config: { access: 'agent' as const }, schema: { hide: true } as object, errorHandler: answerProtocolError };

  app.post('/mcp', options, async (request, reply) => {
    const caller = callerOf(request, reply, deps);
    if (isStateless(request)) return await answerStateless(handler, request, reply, caller);
    return await sessioned.post(request, reply, caller);
  });
  app.get('/mcp', options, async (request, reply) => await sessioned.get(request, reply, callerOf(request, reply, deps)));
  app.delete('/mcp', options, async (request, reply) => await sessioned.delete(request, reply, callerOf(request, reply, deps)));
}

function callerOf(request: FastifyRequest, reply: FastifyReply, { keys, closing }: RouteDeps): McpCaller {
  const principal = principalOf(request);
  const key = bareKeyOf(request);
  const { mode, server } = request.query as { readonly mode?: unknown; readonly server?: unknown };
  return {
    principal,
    httpRequestId: request.id,
    traceparent: request.span?.traceparent ?? null,
    session: null,
    mode: mode === 'passthrough' ? 'passthrough' : 'code',
    server: typeof server === 'string' && server !== '' ? server.slice(0, 128) : null,
    over: closing.answerSignal(reply),
    mayGoOn: async () => (await keys.authenticate(key))?.id === principal.id,
  };
}
