import { ROLES } from '@code-executor/contracts';
import { z } from 'zod';
import type { GatewayApp } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { errorResponses } from '../../validation/route-responses.ts';

const identitySchema = z.object({
  id: z.string(),
  role: z.enum(ROLES),
  name: z.string().nullable().describe('of the key'),
  scopes: z.array(z.string()).nullable().describe('what narrows the role; null: nothing does'),
  workspaceId: z.string(),
});

/** `GET /whoami`: who a key or token is. Open to keys with any scopes, for it says nothing that they do not know. */
export function registerWhoamiRoute(app: GatewayApp): void {
  app.get(
    '/whoami',
    {
      config: { access: 'agent' },
      schema: { summary: 'Who the key is', response: { 200: identitySchema, ...errorResponses([]) } },
    },
    (request) => {
      const { id, role, name, scopes, workspaceId } = principalOf(request);
      return { id, role, name: name ?? null, scopes: scopes === undefined || scopes === null ? null : [...scopes], workspaceId };
    },
  );
}
