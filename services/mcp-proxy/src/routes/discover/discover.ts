import { DISCOVERY_OPERATIONS } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { z } from 'zod';
import { grantOf } from '../../plugins/authenticate.ts';
import { readBody } from '../../plugins/json-body.ts';
import type { ProxyApp, RouteDeps } from '../../proxy-app.ts';

const discoverBody = z.strictObject({ operation: z.enum(DISCOVERY_OPERATIONS), params: z.unknown() });

/** What a running program asks about the catalog. */
export function registerDiscoverRoutes(app: ProxyApp, { tools, isHeld, metrics }: RouteDeps): void {
  app.post('/internal/discover', { config: { caller: 'grant' } }, async (request, reply) => {
    const { grant, bearer } = grantOf(request);
    const { operation, params } = readBody(discoverBody, request.body);
    if (!(await isHeld(grant))) {
      metrics.staleRefused('discover');
      throw new AppError('STALE_CLAIM', `The claim on ${grant.executionId} is held by somebody else, or it has ended.`);
    }
    const answer = await tools.discover({ ...grant, bearer }, operation, params);
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(answer));
  });
}
