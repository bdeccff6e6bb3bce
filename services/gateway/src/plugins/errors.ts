import type { Socket } from 'node:net';
import { ERROR_CODES, type ErrorCode } from '@code-executor/contracts';
import { AppError, isAppError, isDatabaseAway } from '@code-executor/platform';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ErrorAnswer } from '../validation/route-responses.ts';

/** Seconds a client should stay away, by code; `details.retryAfterSeconds` of the error wins. */
const RETRY_AFTER_SECONDS: Partial<Record<ErrorCode, number>> = {
  QUEUE_FULL: 1,
  RATE_LIMITED: 60,
  SHUTTING_DOWN: 5,
  SANDBOX_UNAVAILABLE: 5,
  QUEUE_UNAVAILABLE: 2,
  LEDGER_UNAVAILABLE: 2,
  TOOLS_UNAVAILABLE: 2,
};

/** Bytes of a refused body that are still read, so that its sender, who is busy writing, comes to read the answer. */
const REFUSED_BODY_LIMIT = 64 * 1024 * 1024;

/** The only place that turns errors into HTTP. What is none of ours is INTERNAL and shows nothing but the request id. */
export function registerErrors(app: FastifyInstance): void {
  app.setErrorHandler(async (error, request, reply) => {
    if (fastifyCodeOf(error) === 'FST_ERR_CTP_BODY_TOO_LARGE') await readRefusedBody(request, reply);
    return answerError(error, request, reply);
  });
}

export function answerError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = asAppError(thrown, request);
  if (error.code === 'INTERNAL') {
    request.log.error({ err: thrown }, 'request failed by a fault of ours');
  }
  request.errorCode = error.code;
  const retryAfter = retryAfterOf(error);
  if (retryAfter !== null) reply.header('retry-after', String(retryAfter));
  if (error.code === 'SHUTTING_DOWN') reply.header('connection', 'close');
  return reply
    .code(statusOf(error.code))
    .header('content-type', 'application/json; charset=utf-8')
    .header('x-request-id', request.id)
    .send(JSON.stringify(errorAnswer(error, request.id)));
}

/**
 * A connection that is closed while its client still writes ends in a broken pipe there, and the answer is lost. Node
 * discards what is left of a body by itself as long as the connection stays open; where the client wants it closed after
 * the answer, the answer waits for the body's end. The server's request timeout bounds both.
 */
async function readRefusedBody(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { raw } = request;
  if (Number(request.headers['content-length']) > REFUSED_BODY_LIMIT) return;
  reply.removeHeader('connection');
  let left = REFUSED_BODY_LIMIT;
  raw.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) raw.destroy();
  });
  if (reply.raw.shouldKeepAlive || raw.readableEnded || raw.destroyed) return;
  await new Promise<void>((resolve) => {
    raw.once('end', resolve).once('close', resolve);
    raw.resume();
  });
}

function errorAnswer(error: AppError, requestId: string): ErrorAnswer {
  const { code, message, details } = error;
  if (code === 'INTERNAL') {
    return { error: { code, message: `Something went wrong on our side. The log has it under ${requestId}.`, requestId } };
  }
  return { error: { code, message, ...(details === undefined ? {} : { details }), requestId } };
}

/** Answers what is not even a request (node's parser refused it), on the bare socket. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, code, message] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ['408 Request Timeout', 'INVALID_REQUEST', 'The request did not arrive in time; send it in one go.']
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', 'INVALID_REQUEST', 'The headers are larger than 16 KB.']
        : ['400 Bad Request', 'INVALID_REQUEST', 'This is no valid HTTP/1.1 request.'];
  const body = JSON.stringify({ error: { code, message, requestId: null } });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function asAppError(thrown: unknown, request: FastifyRequest): AppError {
  if (isAppError(thrown)) return thrown;
  if (isDatabaseAway(thrown)) {
    request.log.warn({ err: thrown }, 'the database does not answer');
    return new AppError('LEDGER_UNAVAILABLE', 'The database does not answer at the moment.', { cause: thrown });
  }
  switch (fastifyCodeOf(thrown)) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new AppError('BODY_TOO_LARGE', `The body is larger than ${request.routeOptions.bodyLimit ?? 0} bytes.`);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new AppError('UNSUPPORTED_MEDIA_TYPE', mediaTypeMessage(request));
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new AppError('INVALID_REQUEST', 'The body does not have the length that Content-Length says.');
    case 'FST_ERR_BAD_URL':
      return new AppError('INVALID_REQUEST', 'The path is not valid: a % must be followed by two hexadecimal digits of UTF-8.');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new AppError('INVALID_REQUEST', 'A part of the path is longer than 256 characters.');
    default:
      return new AppError('INTERNAL', 'internal', { cause: thrown });
  }
}

function fastifyCodeOf(thrown: unknown): string | null {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return null;
  return typeof thrown.code === 'string' ? thrown.code : null;
}

function mediaTypeMessage(request: FastifyRequest): string {
  const sent = request.headers['content-type'];
  const found = sent === undefined ? 'no Content-Type' : JSON.stringify(sent.slice(0, 100));
  return `The body must be sent as \`Content-Type: application/json\` (UTF-8), not with ${found}.`;
}

/** Codes that are data elsewhere have no status; one of them thrown at a route is a fault of the upstream. */
const statusOf = (code: ErrorCode): number => ERROR_CODES[code].status ?? 502;

function retryAfterOf(error: AppError): number | null {
  const { details } = error;
  if (typeof details === 'object' && details !== null && 'retryAfterSeconds' in details) {
    const seconds = details.retryAfterSeconds;
    if (typeof seconds === 'number' && Number.isFinite(seconds)) return Math.max(1, Math.ceil(seconds));
  }
  return RETRY_AFTER_SECONDS[error.code] ?? null;
}
