import { AppError } from '@code-executor/platform';
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance } from 'fastify';

/** Per principal; public routes per address, probes not at all. Runs after the key was judged. */
export async function registerRateLimit(app: FastifyInstance, perMinute: number): Promise<void> {
  await app.register(rateLimit, {
    max: perMinute,
    timeWindow: 60_000,
    keyGenerator: (request) => request.principal?.id ?? request.ip,
    allowList: (request) => request.routeOptions.config.probe === true,
    errorResponseBuilder: (_request, { ttl }) =>
      new AppError('RATE_LIMITED', `More than ${perMinute} requests in a minute; come back in ${Math.ceil(ttl / 1000)} s.`, {
        details: { limit: perMinute, retryAfterSeconds: Math.ceil(ttl / 1000) },
      }),
  });
}
