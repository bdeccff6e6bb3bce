import { Readable } from 'node:stream';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { errorResponses } from '../../validation/route-responses.ts';
import { openApiOfTools } from './openapi-of-tools.ts';
import { toolPages } from './tool-pages.ts';

/** `GET /tools/export/openapi`: the catalog as an OpenAPI document, a page of tools in memory at a time. */
export function registerExportRoutes(app: GatewayApp, { tools, version, closing }: RouteDeps): void {
  app.get(
    '/tools/export/openapi',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'The catalog as OpenAPI 3.1',
        description:
          'One operation a visible tool, at POST /tools/invoke/{server}/{tool} with the schemas of the tool. The same catalog gives the same document. The connection is cut where it cannot go on: an answer that ends by itself is whole.',
        querystring: z.strictObject({ server: z.string().min(1).max(128).optional() }),
        response: {
          200: {
            description: 'An OpenAPI 3.1 document',
            content: { 'application/json': { schema: z.looseObject({ openapi: z.string() }) } },
          },
          ...errorResponses(['SERVER_NOT_FOUND', 'TOOLS_UNAVAILABLE']),
        },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const signal = closing.streamSignal(reply);
      const pages = toolPages(tools, principal, request.query.server, signal);
      // A catalog that is away is an answer of its own, and not a stream that breaks off.
      const first = await pages.next();
      const document = openApiOfTools(first, pages, version);
      return reply.type('application/json; charset=utf-8').send(Readable.from(document, { objectMode: true, highWaterMark: 1 }) as never);
    },
  );
}
