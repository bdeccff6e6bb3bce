import { Readable } from 'node:stream';
import { EXECUTION_STATUSES } from '@code-executor/contracts';
import type { ExecutionRecord } from '@code-executor/executions';
import { AppError } from '@code-executor/platform';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { bareKeyOf, principalOf } from '../../plugins/authenticate.ts';
import { errorResponses } from '../../validation/route-responses.ts';
import { serializeExecutionWithHistory } from './serialize-execution.ts';

const time = z.iso.datetime({ offset: true });

/** `GET /executions/export`: the history as JSON Lines, one record in memory at a time. */
export function registerExportRoute(app: GatewayApp, { executions, keys, closing }: RouteDeps): void {
  app.get(
    '/executions/export',
    {
      config: { access: 'operator' },
      schema: {
        summary: 'The history as JSON Lines',
        description:
          'One execution a line, oldest first, each as `GET /executions/:id` answers it; the program itself is not in it, and of one that runs there is no output yet. The connection is cut where the export cannot go on: an answer that ends by itself is whole.',
        querystring: z
          .strictObject({
            from: time.optional().describe('created at this time or later'),
            to: time.optional().describe('created before; now by default'),
            status: z.enum(EXECUTION_STATUSES).optional(),
          })
          .refine(({ from, to }) => from === undefined || to === undefined || Date.parse(from) < Date.parse(to), {
            path: ['to'],
            message: 'must be later than from',
          }),
        response: {
          200: { description: 'One execution a line', content: { 'application/x-ndjson': { schema: z.string() } } },
          ...errorResponses([]),
        },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const { from, to, status } = request.query;
      const filter = { from: dateOf(from), to: dateOf(to), status };
      const key = bareKeyOf(request);
      const records = executions.export(principal, filter, closing.streamSignal(reply))[Symbol.asyncIterator]();
      // A database that is away is an answer of its own, and not a stream that breaks off.
      const first = await records.next();
      const mayGoOn = async (): Promise<boolean> => (await keys.authenticate(key))?.id === principal.id;
      return reply
        .header('content-type', 'application/x-ndjson; charset=utf-8')
        .header('x-accel-buffering', 'no')
        .send(Readable.from(lines(first, records, mayGoOn, request), { objectMode: true, highWaterMark: 1 }) as never);
    },
  );
}

/** A key that is revoked meanwhile ends it as a fault does: without the end of the answer. */
async function* lines(
  first: IteratorResult<ExecutionRecord>,
  records: AsyncIterator<ExecutionRecord>,
  mayGoOn: () => Promise<boolean>,
  request: FastifyRequest,
): AsyncGenerator<string> {
  try {
    for (let next = first; next.done !== true; next = await records.next()) {
      if (!(await mayGoOn())) throw new AppError('UNAUTHENTICATED', 'The key was revoked or expired during its export.');
      yield `${serializeExecutionWithHistory(next.value)}\n`;
    }
  } catch (error) {
    request.log.warn({ err: error }, 'an export was broken off');
    throw error;
  } finally {
    await records.return?.();
  }
}

const dateOf = (text: string | undefined): Date | undefined => (text === undefined ? undefined : new Date(text));
