import { AppError } from '@code-executor/platform';
import type { FastifyReply } from 'fastify';
import type { ProxyApp } from '../proxy-app.ts';

export interface Closing {
  readonly begun: boolean;
  /** Aborts when the one who asks hangs up, or when the grace of the shutdown is over. */
  callSignal(reply: FastifyReply): AbortSignal;
}

/** After the grace, aborted calls may take so long to be recorded and answered. */
const LAST_WORDS_MS = 2_000;
const SWEEP_MS = 50;

/** close() takes nothing new at once, so that services ask another replica; what is under way may end within the grace. */
export function registerClosing(app: ProxyApp, graceMs: number): Closing {
  const calls = new Set<AbortController>();
  let begun = false;

  app.addHook('onRequest', (_request, _reply, done) => {
    done(begun ? new AppError('SHUTTING_DOWN', 'This MCP proxy is stopping; ask another one, or the next') : undefined);
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (begun) reply.header('connection', 'close');
    done(null, payload);
  });
  app.addHook('preClose', (done) => {
    begun = true;
    const timers = [
      setTimeout(() => {
        for (const call of calls) call.abort(new AppError('SHUTTING_DOWN', 'The MCP proxy is stopping'));
      }, graceMs),
      setTimeout(() => app.server.closeAllConnections(), graceMs + LAST_WORDS_MS),
      setInterval(() => app.server.closeIdleConnections(), SWEEP_MS),
    ];
    for (const timer of timers) timer.unref();
    app.server.once('close', () => {
      for (const timer of timers) clearTimeout(timer);
    });
    done();
  });

  return {
    get begun() {
      return begun;
    },
    callSignal(reply) {
      const call = new AbortController();
      calls.add(call);
      reply.raw.once('close', () => {
        calls.delete(call);
        if (!reply.raw.writableFinished) call.abort(HUNG_UP);
      });
      return call.signal;
    },
  };
}

/** Made once: an abort without a reason makes a DOMException with its stack each time. */
const HUNG_UP = new AppError('CALL_ABORTED', 'Whoever asked has hung up');
