import { DOCUMENT_LIMIT_BYTES, principalSchema } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { readBody, readDocumentBody } from '../../plugins/json-body.ts';
import type { ProxyApp, RouteDeps } from '../../proxy-app.ts';
import { ADMINISTRATION_METHODS } from './methods.ts';

/** The gateway takes bodies of 8 MB; written as JSON again they may be somewhat longer. */
const ADMINISTRATION_LIMIT_BYTES = 16 * 1024 * 1024;
/** Of what stands before a document. */
const HEAD_LIMIT_BYTES = 1024 * 1024;

const administrationBody = z.strictObject({
  method: z.string().max(64),
  principal: principalSchema.nullable(),
  arguments: z.array(z.unknown()).max(8),
});

/**
 * Catalog, integrations and policies for the gateway, which has authenticated the principal: nobody else may say who asks.
 */
export function registerAdministrationRoutes(app: ProxyApp, { tools, closing }: RouteDeps): void {
  const answerTo = async (given: unknown, document: Uint8Array | undefined, reply: FastifyReply): Promise<FastifyReply> => {
    const body = readBody(administrationBody, given);
    const method = ADMINISTRATION_METHODS.get(body.method);
    if (method === undefined) throw new AppError('INVALID_REQUEST', `method: there is no ${JSON.stringify(body.method)}`);
    const complete = document === undefined ? body.arguments : withDocument(body.arguments, document);
    const result = await answer(() => method.call(tools, body.principal, complete, closing.answerSignal(reply)));
    return reply.type('application/json; charset=utf-8').send(JSON.stringify({ result }));
  };
  const config = { caller: 'gateway' } as const;
  app.post('/internal/administration', { config, bodyLimit: ADMINISTRATION_LIMIT_BYTES }, (request, reply) =>
    answerTo(request.body, undefined, reply),
  );
  app.post('/internal/administration/document', { config, bodyLimit: DOCUMENT_LIMIT_BYTES + HEAD_LIMIT_BYTES }, (request, reply) => {
    const { head, document } = readDocumentBody(request.body);
    return answerTo(head, document, reply);
  });
}

/** A document belongs to the last argument, the one object of the methods that take one. */
function withDocument(given: readonly unknown[], document: Uint8Array): unknown[] {
  const last = given.at(-1);
  if (typeof last !== 'object' || last === null) throw new AppError('INVALID_REQUEST', 'arguments: this method takes no document');
  return [...given.slice(0, -1), { ...last, document }];
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
