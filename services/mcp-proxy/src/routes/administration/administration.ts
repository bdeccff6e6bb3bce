import { AppError } from '@code-executor/platform';
import { z } from 'zod';
import { readBody } from '../../plugins/json-body.ts';
import type { ProxyApp, RouteDeps } from '../../proxy-app.ts';
import { ADMINISTRATION_METHODS, principalSchema } from './methods.ts';

/** The gateway takes bodies of 8 MB; written as JSON again they may be somewhat longer. */
const ADMINISTRATION_LIMIT_BYTES = 16 * 1024 * 1024;

const administrationBody = z.strictObject({
  method: z.string().max(64),
  principal: principalSchema.nullable(),
  arguments: z.array(z.unknown()).max(8),
});

/**
 * Catalog, integrations and policies for the gateway, which has authenticated the principal: nobody else may say who asks.
 */
export function registerAdministrationRoutes(app: ProxyApp, { tools, closing }: RouteDeps): void {
  app.post('/internal/administration', { config: { caller: 'gateway' }, bodyLimit: ADMINISTRATION_LIMIT_BYTES }, async (request, reply) => {
    const body = readBody(administrationBody, request.body);
    const method = ADMINISTRATION_METHODS.get(body.method);
    if (method === undefined) throw new AppError('INVALID_REQUEST', `method: there is no ${JSON.stringify(body.method)}`);
    const result = await answer(() => method.call(tools, body.principal, body.arguments, closing.answerSignal(reply)));
    return reply.type('application/json; charset=utf-8').send(JSON.stringify({ result }));
  });
}

async function answer(call: () => unknown): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const problems = error.issues.slice(0, 10).map(({ path, message }) => `arguments.${path.map(String).join('.')}: ${message}`);
    throw new AppError('INVALID_REQUEST', problems.join('; ').slice(0, 2_000));
  }
}
