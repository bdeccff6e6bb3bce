import { OAuthRefusal } from '@code-executor/executions';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { answerError } from '../../plugins/errors.ts';

/** What OAuth clients are told in their own form; everything else as everywhere. */
export function answerRefusal(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (!(error instanceof OAuthRefusal)) return answerError(error, request, reply);
  request.errorCode = error.code === 'temporarily_unavailable' ? 'RATE_LIMITED' : 'INVALID_REQUEST';
  const status = error.code === 'invalid_client' ? 401 : error.code === 'temporarily_unavailable' ? 503 : 400;
  return reply
    .code(status)
    .headers({ 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', pragma: 'no-cache' })
    .send(JSON.stringify({ error: error.code, error_description: error.message }));
}
