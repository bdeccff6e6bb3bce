import { AppError, type ClaimGrant, isAppError } from '@code-executor/platform';
import { grantOf } from '../../plugins/authenticate.ts';
import { readBody } from '../../plugins/json-body.ts';
import type { ProxyApp, RouteDeps } from '../../proxy-app.ts';
import { claimBody, eventsBody, finishBody, pauseBody, releaseBody, renewBody } from './ledger-bodies.ts';

/** A result of 10 MB as JSON within JSON may double, and so may 8 MB of output that was drained for its events. */
const FINISH_LIMIT_BYTES = 48 * 1024 * 1024;
const EVENTS_LIMIT_BYTES = 16 * 1024 * 1024;
/** A checkpoint of 4 MB as JSON within JSON. */
const PAUSE_LIMIT_BYTES = 16 * 1024 * 1024;

/** The rows of executions for workers: what they hold is judged against the rows, never taken from them. */
export function registerExecutionRoutes(app: ProxyApp, { ledger, metrics }: RouteDeps): void {
  app.post('/internal/executions/claim', { config: { caller: 'worker' } }, async (request, reply) => {
    const { executionId, ...worker } = readBody(claimBody, request.body);
    const claimed = await ledger.claim(executionId, worker);
    metrics.claim(claimed === null ? 'gone' : 'claimed');
    // `null` is an answer, which Fastify would send as an empty body.
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(claimed));
  });

  app.post('/internal/executions/renew', { config: { caller: 'worker' } }, async (request) => {
    const { report, held } = readBody(renewBody, request.body);
    const renewal = await ledger.renew(report, held);
    for (const _lost of renewal.lost) metrics.staleRefused('renew');
    return renewal;
  });

  // By the worker's own token: the execution's grant may have run out while people were thinking.
  app.post<{ Params: { id: string } }>(
    '/internal/executions/:id/pause',
    { config: { caller: 'worker' }, bodyLimit: PAUSE_LIMIT_BYTES },
    async (request) => {
      const { token, workerId, pause } = readBody(pauseBody, request.body);
      return await counted('pause', () => ledger.setPaused({ executionId: request.params.id, token }, { workerId }, pause));
    },
  );

  app.post<{ Params: { id: string } }>('/internal/executions/:id/release', { config: { caller: 'worker' } }, async (request, reply) => {
    const { token, workerId } = readBody(releaseBody, request.body);
    await counted('pause', () => ledger.release({ executionId: request.params.id, token }, { workerId }));
    return reply.code(204).send();
  });

  app.post<{ Params: { id: string } }>(
    '/internal/executions/:id/finish',
    { config: { caller: 'grant' }, bodyLimit: FINISH_LIMIT_BYTES },
    async (request) => {
      const { grant, bearer } = grantOf(request);
      assertOwn(grant, request.params.id);
      const { ended, session } = readBody(finishBody, request.body);
      assertOwn(grant, ended.id, ended.token);
      const finished = await counted('finish', () => ledger.finish(ended, bearer, session));
      // Somebody else has ended it, and what this worker says of it was not written.
      if (!finished.written) metrics.staleRefused('finish');
      return finished;
    },
  );

  app.post<{ Params: { id: string } }>(
    '/internal/executions/:id/events',
    { config: { caller: 'grant' }, bodyLimit: EVENTS_LIMIT_BYTES },
    async (request, reply) => {
      const { grant, bearer } = grantOf(request);
      assertOwn(grant, request.params.id);
      const { token, events } = readBody(eventsBody, request.body);
      assertOwn(grant, grant.executionId, token);
      await counted('events', () => ledger.publish({ executionId: grant.executionId, token }, bearer, events));
      return reply.code(204).send();
    },
  );

  async function counted<Answer>(act: 'finish' | 'events' | 'pause', work: () => Promise<Answer>): Promise<Answer> {
    try {
      return await work();
    } catch (error) {
      if (isAppError(error, 'STALE_CLAIM')) metrics.staleRefused(act);
      throw error;
    }
  }
}

/** A grant is for one execution and one claim of it. @throws AppError FORBIDDEN */
function assertOwn(grant: ClaimGrant, executionId: string, token: number = grant.token): void {
  if (executionId !== grant.executionId || token !== grant.token)
    throw new AppError('FORBIDDEN', 'The grant is for another execution, or another claim of it');
}
