import { ERROR_CODES } from '@code-executor/contracts';
import { AppError, isAppError } from '@code-executor/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ProxyApp } from '../proxy-app.ts';

/** AppErrors travel with code, message and details, and are thrown again as they were at the other end. */
export function registerErrors(app: ProxyApp): void {
  app.decorateRequest('errorCode', null);
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply));
  app.setNotFoundHandler((request, reply) => answerError(new AppError('NOT_FOUND', 'There is no such route.'), request, reply));
}

function answerError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = asAppError(thrown);
  if (error.code === 'INTERNAL') request.log.error({ err: thrown, requestId: request.id }, 'An internal request failed by a fault of ours');
  request.errorCode = error.code;
  // Its sender may still be writing; whatever comes is not read.
  if (error.code === 'BODY_TOO_LARGE' || error.code === 'SHUTTING_DOWN') reply.header('connection', 'close');
  const { code, details } = error;
  const message = code === 'INTERNAL' ? `A fault of the MCP proxy; its log has it under ${request.id}` : error.message;
  return reply
    .code(ERROR_CODES[code].status ?? 502)
    .header('content-type', 'application/json; charset=utf-8')
    .send(
      JSON.stringify({
        error: { code, message, ...(details === undefined || code === 'INTERNAL' ? {} : { details }), requestId: request.id },
      }),
    );
}

function asAppError(thrown: unknown): AppError {
  if (isAppError(thrown)) return thrown;
  const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? thrown.code : null;
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new AppError('BODY_TOO_LARGE', 'The body is larger than this route takes');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new AppError('UNSUPPORTED_MEDIA_TYPE', 'The body must be application/json');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new AppError('INVALID_REQUEST', 'This is no valid request');
    default:
      return new AppError('INTERNAL', 'internal', { cause: thrown });
  }
}
