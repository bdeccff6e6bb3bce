import { isAppError } from '@code-executor/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { answerError } from '../../plugins/errors.ts';

export const SESSION_NOT_FOUND = -32_001;
export const INVALID_REQUEST = -32_600;
const PARSE_ERROR = -32_700;
const SERVER_ERROR = -32_000;

/** An error in the protocol's own form, for what is refused before there is a request to answer. */
export function refuse(reply: FastifyReply, status: number, code: number, message: string, id: unknown = null): FastifyReply {
  reply.request.errorCode = status === 404 ? 'NOT_FOUND' : 'INVALID_REQUEST';
  const text = JSON.stringify({
    jsonrpc: '2.0',
    id: typeof id === 'string' || typeof id === 'number' ? id : null,
    error: { code, message },
  });
  return reply.code(status).header('content-type', 'application/json; charset=utf-8').send(text);
}

/** Errors of the HTTP layer as JSON-RPC, but those of the key: clients read their status and headers alone. */
export function answerProtocolError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const isBody = isAppError(error, 'MALFORMED_JSON') || (isAppError(error, 'INVALID_REQUEST') && request.method === 'POST');
  if (isBody) return refuse(reply, 400, isAppError(error, 'MALFORMED_JSON') ? PARSE_ERROR : INVALID_REQUEST, error.message);
  if (isAppError(error, 'UNSUPPORTED_MEDIA_TYPE')) return refuse(reply, 415, SERVER_ERROR, error.message);
  return answerError(error, request, reply);
}
