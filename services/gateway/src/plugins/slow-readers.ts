import { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/**
 * Cuts off who asks and then does not read: its answer would stay in memory for as long as it likes. Node counts any
 * progress of the socket, so a slow reader is left alone; and it sets the timeout back by itself when the answer is out.
 */
export function registerSlowReaders(app: FastifyInstance, stalledReaderTimeoutMs: number): void {
  app.addHook('onSend', (_request, reply, payload, done) => {
    // Not a socket where a request was injected.
    if (reply.raw.socket instanceof Socket) reply.raw.socket.setTimeout(stalledReaderTimeoutMs);
    done(null, payload);
  });
}
