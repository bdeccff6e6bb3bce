import { Readable } from 'node:stream';
import type { McpSession } from '@code-executor/executions';
import { AppError } from '@code-executor/platform';
import {
  isInitializeRequest,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  type JSONRPCRequest,
  parseJSONRPCMessage,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/server';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RouteDeps } from '../../gateway-app.ts';
import { asReader } from '../../plugins/scopes.ts';
import type { McpCaller } from './call-context.ts';
import type { Cancellations } from './cancellations.ts';
import { clientOf } from './client-of.ts';
import { answerWith } from './execute-tool.ts';
import { createFrameQueue, type FrameQueue } from './frame-queue.ts';
import { decideInband, inbandApprovalOf } from './inband-approval.ts';
import { buildMcpServer } from './mcp-server.ts';
import { INVALID_REQUEST, refuse, SESSION_NOT_FOUND } from './protocol-answers.ts';
import { createSessionedExchange } from './sessioned-exchange.ts';
import { positionOf } from './stream-position.ts';
import { errorResult } from './tool-errors.ts';

/** From this version on an event may have an id and no data. */
const PRIMED_SINCE = '2025-11-25';
const PROTOCOL_DEFAULT = '2025-03-26';

/** The 2025 versions of the protocol: with a session, or without one for clients that keep none. */
export function createSessionedAnswers(deps: RouteDeps, cancellations: Cancellations | null) {
  const { mcpSessions } = deps;

  return {
    async post(request: FastifyRequest, reply: FastifyReply, asking: McpCaller): Promise<FastifyReply> {
      const message = messageOf(request.body);
      if (message === null) return refuse(reply, 400, INVALID_REQUEST, 'The body must be one JSON-RPC 2.0 message.');
      const isFirst = isJSONRPCRequest(message) && isInitializeRequest(message);
      const caller = isFirst ? asking : await withSession(request, asking);
      if (caller === null) return refuse(reply, 404, SESSION_NOT_FOUND, 'There is no such session; begin anew with initialize.');
      const version = request.headers['mcp-protocol-version'] ?? caller.session?.protocolVersion ?? PROTOCOL_DEFAULT;
      if (typeof version !== 'string' || !SUPPORTED_PROTOCOL_VERSIONS.includes(version)) {
        return refuse(reply, 400, INVALID_REQUEST, `This endpoint speaks MCP ${SUPPORTED_PROTOCOL_VERSIONS.join(', ')} here.`);
      }
      if (!isJSONRPCRequest(message)) {
        await note(message, caller);
        return reply.code(202).send();
      }
      return await answerRequest(message, request, reply, caller, version);
    },

    /** Goes on with a stream that broke. A stream of its own is not offered: nothing is told but about requests. */
    async get(request: FastifyRequest, reply: FastifyReply, asking: McpCaller): Promise<FastifyReply> {
      const caller = await withSession(request, asking);
      if (caller === null) return refuse(reply, 404, SESSION_NOT_FOUND, 'There is no such session; begin anew with initialize.');
      const lastEventId = request.headers['last-event-id'];
      if (typeof lastEventId !== 'string') {
        reply.header('allow', 'POST, DELETE');
        return refuse(reply, 405, INVALID_REQUEST, 'There is no stream but those of requests; send Last-Event-ID to go on with one.');
      }
      const position = positionOf(lastEventId);
      if (position === null) return refuse(reply, 400, INVALID_REQUEST, 'Last-Event-ID is no event id of this endpoint.');
      await deps.executions.get(asReader(caller.principal), position.executionId);
      const { requestId, progressToken, logLevel, executionId, afterEvent } = position;
      const frames = framesFor(caller);
      const { exchange, transport } = createSessionedExchange({ id: requestId }, frames, {
        streams: true,
        primes: true,
        onMessageSent: () => undefined,
      });
      const context = { caller, requestId, progressToken, logLevel, ...exchange, elicitation: [], answers: null, requestState: null };
      const cancelled = new AbortController();
      answerWith(deps, { ...context, cancelled: cancelled.signal }, executionId, { afterEvent, waitsOut: null })
        .catch((error: unknown) => errorResult(error, request.log))
        .then((result) =>
          caller.over.aborted ? frames.end() : transport.send({ jsonrpc: '2.0', id: requestId, result } as JSONRPCMessage),
        )
        .catch((error: unknown) => request.log.error({ err: error }, 'a resumed MCP stream failed'));
      return sendStream(reply, frames);
    },

    async delete(request: FastifyRequest, reply: FastifyReply, { principal }: McpCaller): Promise<FastifyReply> {
      const id = request.headers['mcp-session-id'];
      if (typeof id !== 'string') return refuse(reply, 400, INVALID_REQUEST, 'Mcp-Session-Id says which session is to end.');
      const ended = (await mcpSessions?.end(principal, id)) ?? false;
      if (!ended) return refuse(reply, 404, SESSION_NOT_FOUND, 'There is no such session.');
      return reply.code(204).send();
    },
  };

  async function answerRequest(message: JSONRPCRequest, request: FastifyRequest, reply: FastifyReply, caller: McpCaller, version: string) {
    const frames = framesFor(caller);
    const { accept = '' } = request.headers;
    const unwatch = watchCancellation(message, caller, () =>
      answer.deliver({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: message.id } }),
    );
    const answer = createSessionedExchange(message, frames, {
      streams: accept.includes('text/event-stream') || accept.includes('*/*'),
      primes: version >= PRIMED_SINCE,
      onMessageSent: unwatch,
    });
    const server = buildMcpServer(deps, caller, answer.exchange, request.log);
    await server.connect(answer.transport);
    caller.over.addEventListener('abort', answer.close, { once: true });
    answer.deliver(message);
    const begun = await answer.begun;
    if (begun.kind === 'stream') return sendStream(reply, frames);
    if (begun.kind === 'none') return interrupted(reply);
    if (isInitializeRequest(message) && isJSONRPCResultResponse(begun.message))
      await beginSession(message, begun.message.result, reply, caller);
    return reply.header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(begun.message));
  }

  /** Cancelled, which is answered with nothing; or the service stops. */
  function interrupted(reply: FastifyReply): FastifyReply {
    if (deps.closing.begun) throw new AppError('SHUTTING_DOWN', 'The service is stopping; ask again in a few seconds.');
    return reply.code(202).send();
  }

  function watchCancellation(message: JSONRPCRequest, { session }: McpCaller, cancel: () => void): () => void {
    if (session === null || cancellations === null || message.method !== 'tools/call') return () => undefined;
    return cancellations.watch(session.id, message.id, cancel);
  }

  async function beginSession(
    message: JSONRPCRequest,
    result: Readonly<Record<string, unknown>>,
    reply: FastifyReply,
    { principal }: McpCaller,
  ) {
    const params = message.params ?? {};
    const protocolVersion = String(result.protocolVersion);
    const session =
      (await mcpSessions?.begin(principal, { protocolVersion, client: clientOf(params.clientInfo, params.capabilities) })) ?? null;
    if (session !== null) reply.header('mcp-session-id', session.id);
  }

  /** Notifications and answers of clients: of them only cancellations ask for anything, and decisions where a client may make them. */
  async function note(message: JSONRPCMessage, { session, principal }: McpCaller): Promise<void> {
    const decided = inbandApprovalOf(message);
    if (decided !== null) return await decideInband(deps, principal, decided.approvalId, decided.answer);
    if (!('method' in message) || message.method !== 'notifications/cancelled' || session === null) return;
    const requestId = message.params?.requestId;
    if (typeof requestId === 'string' || typeof requestId === 'number') await cancellations?.cancel(session.id, requestId);
  }

  /** null: the request names a session that is not there. */
  async function withSession(request: FastifyRequest, caller: McpCaller): Promise<McpCaller | null> {
    const id = request.headers['mcp-session-id'];
    if (id === undefined) return caller;
    const session: McpSession | null = typeof id === 'string' ? ((await mcpSessions?.find(caller.principal, id)) ?? null) : null;
    return session === null ? null : { ...caller, session };
  }

  function framesFor({ over, mayGoOn }: McpCaller): FrameQueue {
    return createFrameQueue({ heartbeatMs: deps.config.heartbeatMs, signal: over, mayGoOn });
  }
}

function sendStream(reply: FastifyReply, frames: FrameQueue): FastifyReply {
  return reply
    .header('content-type', 'text/event-stream; charset=utf-8')
    .header('x-accel-buffering', 'no')
    .send(Readable.from(frames, { objectMode: true, highWaterMark: 1 }));
}

function messageOf(body: unknown): JSONRPCMessage | null {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return null;
  try {
    return parseJSONRPCMessage(body);
  } catch (error) {
    if (error instanceof Error) return null;
    throw error;
  }
}
