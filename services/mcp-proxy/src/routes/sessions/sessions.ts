import type { Readable } from 'node:stream';
import { ERROR_CODES } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { readBody } from '../../plugins/json-body.ts';
import type { ProxyApp, RouteDeps } from '../../proxy-app.ts';
import { bytesOf, takeRawBodies } from '../executions/raw-bodies.ts';

const id = z.string().min(1).max(64);
const renewBody = z.strictObject({
  held: z.array(id).max(10_000),
  lost: z.array(z.strictObject({ incarnation: id, reason: z.string().max(300) })).max(10_000),
});
const answerBody = z.strictObject({
  answer: z.discriminatedUnion('ok', [
    z.strictObject({ ok: z.literal(true), value: z.unknown() }),
    z.strictObject({
      ok: z.literal(false),
      code: z.string().refine((code) => Object.hasOwn(ERROR_CODES, code)),
      message: z.string().max(1_000),
    }),
  ]),
});

const FILE_LIMIT_BYTES = 64 * 1024 * 1024;
/** A workspace has some ten thousand files at most. */
const ANSWER_LIMIT_BYTES = 8 * 1024 * 1024;

/** The rows of sessions for workers, and the files between sessions and clients. A worker is who its token says it is. */
export function registerSessionRoutes(app: ProxyApp, { sessions }: Pick<RouteDeps, 'sessions'>): void {
  app.post('/internal/sessions/renew', { config: { caller: 'worker' } }, async (request) => {
    const { held, lost } = readBody(renewBody, request.body);
    return await sessions.renew(workerOf(request), held, lost);
  });

  app.get<{ Params: { id: string } }>(
    '/internal/sessions/transfers/:id/content',
    { config: { caller: 'worker' } },
    async (request, reply) =>
      reply.type('application/octet-stream').send(await sessions.readTransfer(workerOf(request), request.params.id)),
  );

  void app.register(async (scope: ProxyApp) => {
    takeRawBodies(scope);
    scope.put<{ Params: { id: string } }>(
      '/internal/sessions/transfers/:id/content',
      { config: { caller: 'worker' }, bodyLimit: FILE_LIMIT_BYTES },
      async (request, reply) => {
        await sessions.writeTransfer(workerOf(request), request.params.id, request.body as Readable, bytesOf(request));
        return reply.code(204).send();
      },
    );
  });

  app.post<{ Params: { id: string } }>(
    '/internal/sessions/transfers/:id/answer',
    { config: { caller: 'worker' }, bodyLimit: ANSWER_LIMIT_BYTES },
    async (request, reply) => {
      const { answer } = readBody(answerBody, request.body);
      await sessions.answerTransfer(workerOf(request), request.params.id, answer.ok ? { ok: true, value: answer.value } : answer);
      return reply.code(204).send();
    },
  );
}

function workerOf({ service }: FastifyRequest): string {
  if (service !== null) return service.name;
  throw new AppError('INTERNAL', 'A route for workers was reached without one');
}
