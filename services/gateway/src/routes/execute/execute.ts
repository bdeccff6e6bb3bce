import { executeRequestSchema, executionSchema, type Principal, RUNTIMES } from '@code-executor/contracts';
import type { ExecutionRecord } from '@code-executor/executions';
import { AppError, isAppError } from '@code-executor/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { bareKeyOf, principalOf } from '../../plugins/authenticate.ts';
import { errorResponses, WITH_BODY } from '../../validation/route-responses.ts';
import { sendRaw, serializeExecution } from '../executions/serialize-execution.ts';
import { checkExecuteRequest } from './check-execute-request.ts';

const acceptedSchema = z
  .object({ executionId: z.string(), status: z.string() })
  .describe('`wait` was false: the execution is queued; Location names it.');

/** What a language may be is judged apart, for it has a code of its own; here it is only shown. */
const requestSchema = executeRequestSchema.extend({ language: executeRequestSchema.shape.language.meta({ enum: [...RUNTIMES] }) });

/** `POST /execute`: the main job. */
export function registerExecuteRoutes(app: GatewayApp, deps: RouteDeps): void {
  const { executions, config } = deps;
  app.post(
    '/execute',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'Run a program',
        description:
          'Answers with how it ended; a program that fails is data (HTTP 200, `error`). `Idempotency-Key`: the same key and body give the same execution. Hanging up does not stop it. A NUL is refused in `code` and `files`, and allowed in `args`.',
        body: requestSchema,
        response: {
          200: executionSchema.describe('The execution has ended, or is paused for an approval.'),
          202: acceptedSchema,
          ...errorResponses([
            ...WITH_BODY,
            'UNSUPPORTED_LANGUAGE',
            'CODE_TOO_LARGE',
            'IDEMPOTENCY_CONFLICT',
            'SESSION_BUSY',
            'SESSION_LIMIT',
            'QUEUE_FULL',
            'QUEUE_UNAVAILABLE',
            'LEDGER_UNAVAILABLE',
            'SANDBOX_UNAVAILABLE',
          ]),
        },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const { body } = request;
      checkExecuteRequest(body, config.runtimes);
      const idempotencyKey = idempotencyKeyOf(request.headers['idempotency-key']);
      const traceparent = request.span?.traceparent;
      const { executionId, replayed } = await executions.submit(principal, body, { idempotencyKey, requestId: request.id, traceparent });
      request.executionId = executionId;
      if (replayed) reply.header('idempotency-replayed', 'true');

      if (body.wait === false) {
        const status = replayed ? (await executions.get(principal, executionId)).status : 'queued';
        return reply.code(202).header('location', `/executions/${executionId}`).send({ executionId, status });
      }
      const record = await waitFor(principal, executionId, reply, deps);
      await refuseIfRevoked(request, executionId, deps);
      return sendRaw(reply, serializeExecution(record));
    },
  );
}

/** Hanging up ends the wait, not the execution; so does the end of the service, which says so. */
async function waitFor(principal: Principal, executionId: string, reply: FastifyReply, deps: RouteDeps): Promise<ExecutionRecord> {
  const signal = deps.closing.answerSignal(reply);
  try {
    return await deps.executions.wait(principal, executionId, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    if (!isAppError(signal.reason, 'SHUTTING_DOWN')) throw signal.reason;
    throw new AppError(
      'SHUTTING_DOWN',
      `The service is stopping. The execution was accepted: ask GET /executions/${executionId} in a few seconds.`,
      { cause: error, details: { executionId } },
    );
  }
}

/** The wait may be minutes long: who holds a key that was revoked meanwhile learns nothing more by it. */
async function refuseIfRevoked(request: FastifyRequest, executionId: string, { keys }: RouteDeps): Promise<void> {
  if ((await keys.authenticate(bareKeyOf(request)))?.id === principalOf(request).id) return;
  throw new AppError(
    'UNAUTHENTICATED',
    `This key was revoked or expired while the program ran. It has ended; an operator reads it with GET /executions/${executionId}.`,
    { details: { executionId } },
  );
}

function idempotencyKeyOf(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^[\x21-\x7e]{1,255}$/.test(header)) return header;
  throw new AppError('INVALID_REQUEST', 'Idempotency-Key must have 1 to 255 visible ASCII characters without spaces; a UUID does well.');
}
