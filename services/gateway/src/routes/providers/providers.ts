import { providerRecordSchema } from '@code-executor/contracts';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { listOf } from '../../validation/fields.ts';
import { errorResponses, WITH_BODY } from '../../validation/route-responses.ts';

/** Where secret values may lie. */
export function registerProviderRoutes(app: GatewayApp, { tools }: RouteDeps): void {
  app.get(
    '/providers',
    {
      config: { access: 'operator' },
      schema: {
        summary: 'Where values of connections may lie, and whether each is configured',
        response: { 200: listOf(providerRecordSchema), ...errorResponses(['TOOLS_UNAVAILABLE']) },
      },
    },
    async (request) => {
      const items = [...(await tools.listProviders(principalOf(request)))];
      return { items, total: items.length, nextCursor: null };
    },
  );

  app.post(
    '/providers/sealed/rotate',
    {
      config: { access: 'admin', audit: { type: 'seal.rotate' } },
      schema: {
        summary: 'Seal every secret anew under the newest key',
        description:
          'With `newKey` a key is added to the key file first, where the service may write it; without, the file has one already. May be repeated, and cut off, at any time.',
        body: z.strictObject({ newKey: z.boolean().optional() }).optional(),
        response: {
          200: z.object({ keyId: z.string(), keys: z.int(), resealed: z.int(), total: z.int() }),
          ...errorResponses([...WITH_BODY, 'TOOLS_UNAVAILABLE']),
        },
      },
    },
    async (request) => tools.resealSecrets(principalOf(request), request.body?.newKey === true),
  );
}
