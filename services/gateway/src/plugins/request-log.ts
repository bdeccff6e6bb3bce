import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** One wide line per request: no bodies, no query (it may hold what somebody searches for), no Authorization. */
export function registerRequestLog(app: FastifyInstance): void {
  app.decorateRequest('errorCode', null);
  app.decorateRequest('executionId', null);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    reply.header('cache-control', 'no-store');
    // Not onResponse: that one does not come when a client hangs up before its answer.
    reply.raw.once('close', () => logAnswer(request, reply));
    done();
  });
}

function logAnswer(request: FastifyRequest, reply: FastifyReply): void {
  const line = {
    method: request.method,
    path: (request.url.split('?', 1)[0] ?? '').slice(0, 300),
    route: request.is404 ? null : (request.routeOptions.url ?? null),
    status: answeredStatus(reply),
    durationMs: Math.round(reply.elapsedTime * 100) / 100,
    principal: request.principal?.id ?? null,
    role: request.principal?.role ?? null,
    executionId: request.executionId,
    traceId: request.span?.traceId ?? null,
    errorCode: request.errorCode,
    bytesIn: Number(request.headers['content-length'] ?? 0),
    hungUp: !reply.raw.writableFinished,
    ip: request.ip,
    userAgent: request.headers['user-agent']?.slice(0, 200) ?? null,
  };
  if (request.routeOptions.config.probe === true) request.log.debug(line, 'request');
  else request.log.info(line, 'request');
}

/** The status that was sent; 499, as nginx has it, where the client went away before one was. */
export function answeredStatus(reply: FastifyReply): number {
  return reply.raw.headersSent ? reply.statusCode : 499;
}
