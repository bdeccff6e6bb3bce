import { Readable } from 'node:stream';
import { AppError } from '@code-executor/platform';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { bareKeyOf, principalOf } from '../../plugins/authenticate.ts';
import { errorResponses } from '../../validation/route-responses.ts';
import { streamEvents } from './event-stream.ts';
import { executionIdOf, executionParams } from './executions.ts';

/** `GET /executions/:id/events`: the live log as server-sent events. */
export function registerEventsRoute(app: GatewayApp, { executions, keys, config, closing }: RouteDeps): void {
  app.get(
    '/executions/:id/events',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'Live log (server-sent events)',
        description:
          'Events `status`, `output`, `tool_call`, `ended`; the stream ends after `ended`. Their ids count from 1: send the last one as `Last-Event-ID` to go on after it. A comment comes every 15 s. An `error` event says why the stream ends before the execution does.',
        params: executionParams,
        response: {
          200: { description: 'The events', content: { 'text/event-stream': { schema: z.string() } } },
          ...errorResponses(['EXECUTION_NOT_FOUND', 'INVALID_EVENT_ID', 'EVENTS_GONE']),
        },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const id = executionIdOf(request, request.params.id);
      const afterId = lastEventIdOf(request.headers['last-event-id']);
      const key = bareKeyOf(request);
      const signal = closing.streamSignal(reply);
      const events = await executions.events(principal, id, afterId, signal);
      const stream = streamEvents(events, {
        heartbeatMs: config.heartbeatMs,
        signal,
        // Not the answer of the first request: the key may have been revoked or changed since.
        mayGoOn: async () => (await keys.authenticate(key))?.id === principal.id,
        log: request.log,
      });
      return reply
        .header('content-type', 'text/event-stream; charset=utf-8')
        .header('x-accel-buffering', 'no')
        .send(Readable.from(stream, { objectMode: true, highWaterMark: 1 }) as never);
    },
  );
}

function lastEventIdOf(header: string | string[] | undefined): number {
  if (header === undefined || header === '') return 0;
  if (typeof header === 'string' && /^\d{1,15}$/.test(header)) return Number(header);
  throw new AppError(
    'INVALID_EVENT_ID',
    `Last-Event-ID ${JSON.stringify(String(header).slice(0, 50))} is no event id; those are whole numbers from 1. Leave it out to start at the first.`,
  );
}
