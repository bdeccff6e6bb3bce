import type { FastifyInstance, FastifyReply } from 'fastify';
import { AppError } from '../errors.ts';

/** Connections that stay open after their answer are looked for this often. */
const SWEEP_MS = 50;

/** What of a Fastify instance is needed, whatever types its routes. */
type ClosableApp = Pick<FastifyInstance, 'addHook' | 'server'>;

/** How close() reaches what is being answered. */
export interface Closing {
  readonly begun: boolean;
  /** For an answer that is waited for: aborts when the client hangs up, or when the grace is over (SHUTTING_DOWN). */
  answerSignal(reply: FastifyReply): AbortSignal;
  /** For an answer without an end of its own: aborts as soon as close() is called, and when it is over, however that came. */
  streamSignal(reply: FastifyReply): AbortSignal;
}

/**
 * close() stops accepting at once, ends event streams, lets answers that are waited for come within the grace, then ends
 * them with SHUTTING_DOWN, and cuts what is still connected when their last words have had their time.
 */
export function registerClosing(
  app: ClosableApp,
  { graceMs, lastWordsMs }: { readonly graceMs: number; readonly lastWordsMs: number },
): Closing {
  const answers = new Set<AbortController>();
  const streams = new Set<AbortController>();
  let begun = false;

  app.addHook('onRequest', (_request, _reply, done) => {
    done(begun ? shuttingDown() : undefined);
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (begun) reply.header('connection', 'close');
    done(null, payload);
  });
  app.addHook('preClose', (done) => {
    begun = true;
    abortAll(streams);
    const timers = [
      setTimeout(() => abortAll(answers), graceMs),
      setTimeout(() => app.server.closeAllConnections(), graceMs + lastWordsMs),
      // Who got its headers before close() was not told to close the connection, and keeps it alive.
      setInterval(() => app.server.closeIdleConnections(), SWEEP_MS),
    ];
    // They do not hold up the end of the process: the open connections they are for do.
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
    answerSignal: (reply) => tracked(answers, reply, false),
    streamSignal: (reply) => tracked(streams, reply, true),
  };
}

function tracked(controllers: Set<AbortController>, reply: FastifyReply, whenComplete: boolean): AbortSignal {
  const controller = new AbortController();
  controllers.add(controller);
  reply.raw.once('close', () => {
    controllers.delete(controller);
    if (whenComplete || !reply.raw.writableFinished) controller.abort(new AppError('CALL_ABORTED', 'The client hung up.'));
  });
  return controller.signal;
}

function abortAll(controllers: ReadonlySet<AbortController>): void {
  for (const controller of controllers) controller.abort(shuttingDown());
}

const shuttingDown = (): AppError => new AppError('SHUTTING_DOWN', 'The service is stopping; ask again in a few seconds.');
