import { ROLES } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { listOf } from '../../validation/fields.ts';
import { errorResponses } from '../../validation/route-responses.ts';
import type { Access } from './access.ts';

const grantSchema = z.object({
  id: z.string(),
  clientId: z.string(),
  clientName: z.string(),
  principalId: z.string().describe('as what it runs programs and calls tools'),
  consentingKeyId: z.string(),
  role: z.enum(ROLES),
  createdAt: z.string(),
  expiresAt: z.string(),
  revokedAt: z.string().nullable(),
});

/** Which applications were let in, and putting them out. */
export function registerGrantRoutes(app: GatewayApp, _deps: RouteDeps, { oauth }: Access): void {
  app.get(
    '/oauth/grants',
    {
      config: { access: 'operator' },
      schema: { summary: 'Applications that were let in', response: { 200: listOf(grantSchema), ...errorResponses([]) } },
    },
    async (request) => {
      const items = await oauth.listGrants(principalOf(request));
      return { items, total: items.length, nextCursor: null };
    },
  );

  app.delete(
    '/oauth/grants/:id',
    {
      config: { access: 'operator', audit: { type: 'oauth.revoke' } },
      schema: {
        summary: 'Put an application out',
        description: 'Its tokens end within two seconds.',
        params: z.strictObject({ id: z.string() }),
        response: { 200: grantSchema, ...errorResponses(['NOT_FOUND']) },
      },
    },
    async (request) => {
      const revoked = await oauth.revokeGrant(principalOf(request), request.params.id);
      if (revoked !== null) return revoked;
      throw new AppError('NOT_FOUND', `There is no grant ${JSON.stringify(request.params.id.slice(0, 60))}; GET /oauth/grants lists them.`);
    },
  );
}
