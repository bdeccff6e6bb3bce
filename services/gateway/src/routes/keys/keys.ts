import { idPattern, ROLES, scopesSchema } from '@code-executor/contracts';
import type { KeyRecord } from '@code-executor/executions';
import { AppError } from '@code-executor/platform';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { listOf } from '../../validation/fields.ts';
import { errorResponses, WITH_BODY } from '../../validation/route-responses.ts';

const keySchema = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
  revokedAt: z.string().nullable(),
  scopes: z.array(z.string()).nullable().describe('what narrows the role; null: nothing does'),
});

/** Who may ask. */
export function registerKeyRoutes(app: GatewayApp, { keys }: RouteDeps): void {
  app.get(
    '/keys',
    {
      config: { access: 'admin' },
      schema: { summary: 'Every key, without its secret', response: { 200: listOf(keySchema), ...errorResponses([]) } },
    },
    async (request) => {
      const items = (await keys.list(principalOf(request))).map(shown);
      return { items, total: items.length, nextCursor: null };
    },
  );

  app.post(
    '/keys',
    {
      config: { access: 'admin', audit: { type: 'key.create', details: ({ body }) => body } },
      schema: {
        summary: 'Make a key',
        description: '`key` is the secret; it is answered this once and never again.',
        body: z
          .strictObject({
            name: z
              .string()
              .min(1)
              .max(100)
              .regex(/^[^\p{Cc}\p{Cf}]*$/u)
              .describe('without control characters'),
            role: z.enum(ROLES),
            expiresAt: z.iso.datetime({ offset: true }).optional(),
            scopes: scopesSchema.optional(),
          })
          .refine((body) => body.expiresAt === undefined || Date.parse(body.expiresAt) > Date.now(), {
            path: ['expiresAt'],
            message: 'must be in the future',
          }),
        response: { 201: keySchema.extend({ key: z.string() }), ...errorResponses(WITH_BODY) },
      },
    },
    async (request, reply) => {
      const record = await keys.create(principalOf(request), request.body);
      return reply
        .code(201)
        .header('location', `/keys/${record.id}`)
        .send({ ...shown(record), key: record.key });
    },
  );

  app.delete(
    '/keys/:id',
    {
      config: { access: 'admin', audit: { type: 'key.revoke' } },
      schema: {
        summary: 'Revoke a key',
        description: 'At once for new requests and for answers that are still waited for, at the next heartbeat for open event streams.',
        params: z.strictObject({ id: z.string() }),
        response: { 200: keySchema, ...errorResponses(['KEY_NOT_FOUND', 'LAST_ADMIN_KEY']) },
      },
    },
    async (request) => {
      const { id } = request.params;
      if (!idPattern('key').test(id))
        throw new AppError('KEY_NOT_FOUND', `There is no key ${JSON.stringify(id.slice(0, 60))}; GET /keys lists them.`);
      return shown(await keys.revoke(principalOf(request), id));
    },
  );
}

const shown = (record: KeyRecord) => ({ ...record, scopes: record.scopes === null ? null : [...record.scopes] });
