import type { Tracing } from '@code-executor/platform';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { answeredStatus } from './request-log.ts';

/** A span for each request but probes, joined to the caller's trace where that sends a traceparent; in it what the request line logs, less the path. */
export function registerTracing(app: FastifyInstance, tracing: Tracing | null): void {
  app.decorateRequest('span', null);
  if (tracing === null) return;
  app.addHook('onRequest', (request, reply, done) => {
    const route = request.is404 ? 'unknown' : (request.routeOptions.url ?? 'unknown');
    if (request.routeOptions.config.probe !== true) {
      const { traceparent } = request.headers;
      request.span = tracing.start(`${request.method} ${route}`, {
        kind: 'server',
        parent: typeof traceparent === 'string' ? traceparent : null,
        attributes: { 'http.request.method': request.method, 'http.route': route, 'code_executor.request.id': request.id },
      });
      reply.raw.once('close', () => endSpan(request, reply));
    }
    done();
  });
}

function endSpan(request: FastifyRequest, reply: FastifyReply): void {
  const status = answeredStatus(reply);
  request.span?.set({
    'http.response.status_code': status,
    'code_executor.execution.id': request.executionId,
    'code_executor.principal.id': request.principal?.id,
  });
  request.span?.end({ error: request.errorCode ?? (status >= 500 ? String(status) : null) });
}
