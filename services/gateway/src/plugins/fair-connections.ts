import type { Server } from 'node:http';
import { AppError } from '@code-executor/platform';
import type { FastifyInstance } from 'fastify';

/** Of all connections, what the requests of one agent may hold. */
const SHARE_OF_AGENT = 1 / 4;
/** When so many are taken, those that nobody asks anything over make room. */
const CROWDED = 7 / 8;
const RETRY_AFTER_SECONDS = 5;

/**
 * There are only so many connections, and answers may be waited for, and followed, for minutes: no agent holds them all, or nobody
 * could so much as revoke its key. Runs after the key was judged.
 */
export function registerFairConnections(app: FastifyInstance, maxConnections: number): void {
  const most = Math.max(1, Math.floor(maxConnections * SHARE_OF_AGENT));
  const open = new Map<string, number>();
  app.addHook('onRequest', async ({ principal }, reply) => {
    if (principal?.role !== 'agent') return;
    const { id } = principal;
    const before = open.get(id) ?? 0;
    if (before >= most) {
      // Nor shall what is refused hold its connection.
      reply.header('connection', 'close');
      throw new AppError('RATE_LIMITED', `${before} requests of this key are under way, and no more are taken; wait for some of them.`, {
        details: { limit: most, retryAfterSeconds: RETRY_AFTER_SECONDS },
      });
    }
    open.set(id, before + 1);
    reply.raw.once('close', () => {
      const left = (open.get(id) ?? 1) - 1;
      if (left === 0) open.delete(id);
      else open.set(id, left);
    });
  });
  makeRoom(app.server, Math.floor(maxConnections * CROWDED));
}

function makeRoom(server: Server, crowded: number): void {
  let connections = 0;
  server.on('connection', (socket) => {
    connections += 1;
    socket.once('close', () => {
      connections -= 1;
    });
    if (connections > crowded) server.closeIdleConnections();
  });
}
