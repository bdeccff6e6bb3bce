import { EXECUTION_STATUSES, executionSchema, idPattern } from '@code-executor/contracts';
import type { ExecutionSummary } from '@code-executor/executions';
import { AppError } from '@code-executor/platform';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { asReader } from '../../plugins/scopes.ts';
import { cursor, listOf, noBody, queryInt } from '../../validation/fields.ts';
import { errorResponses, WITH_BODY } from '../../validation/route-responses.ts';
import { registerArtifactRoutes } from './artifacts.ts';
import { registerEventsRoute } from './events.ts';
import { registerExportRoute } from './export.ts';
import { registerPurgeRoute } from './purge.ts';
import { registerResumeRoute } from './resume.ts';
import { sendRaw, serializeExecutionWithHistory } from './serialize-execution.ts';

export const historySchema = executionSchema.extend({ language: z.string(), createdAt: z.string(), endedAt: z.string().nullable() });

/** One line of history: what it was and how it ended, without output and result. */
const summarySchema = z.object({
  executionId: z.string(),
  status: z.enum(EXECUTION_STATUSES),
  language: z.string(),
  createdAt: z.string(),
  endedAt: z.string().nullable(),
  executionTime: z.number().describe('milliseconds inside the sandbox'),
  effects: executionSchema.shape.effects,
  error: executionSchema.shape.error,
  toolCalls: z.int().describe('how many'),
});

export const executionParams = z.strictObject({ id: z.string() });

/** History and control of executions. */
export function registerExecutionRoutes(app: GatewayApp, deps: RouteDeps): void {
  const { executions } = deps;
  registerEventsRoute(app, deps);
  registerArtifactRoutes(app, deps);
  registerExportRoute(app, deps);
  registerPurgeRoute(app, deps);
  registerResumeRoute(app, deps);

  app.get(
    '/executions',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'History, newest first',
        description: 'An agent sees its own executions, an operator those of the workspace.',
        querystring: z.strictObject({
          limit: queryInt(1, 200, 50),
          cursor: cursor.optional(),
          status: z.enum(EXECUTION_STATUSES).optional(),
        }),
        response: { 200: listOf(summarySchema), ...errorResponses([]) },
      },
    },
    async (request) => {
      const page = await executions.list(principalOf(request), request.query);
      return { ...page, items: page.items.map(summaryOf) };
    },
  );

  app.get(
    '/executions/:id',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'One execution',
        params: executionParams,
        response: { 200: historySchema, ...errorResponses(['EXECUTION_NOT_FOUND']) },
      },
    },
    async (request, reply) =>
      sendRaw(reply, serializeExecutionWithHistory(await executions.get(principalOf(request), executionIdOf(request, request.params.id)))),
  );

  app.post(
    '/executions/:id/cancel',
    {
      config: { access: 'agent', audit: { type: 'execution.cancel' } },
      schema: {
        summary: 'Stop an execution',
        params: executionParams,
        body: noBody,
        response: { 200: historySchema, ...errorResponses([...WITH_BODY, 'EXECUTION_NOT_FOUND', 'EXECUTION_ENDED']) },
      },
    },
    async (request, reply) =>
      sendRaw(
        reply,
        serializeExecutionWithHistory(await executions.cancel(asReader(principalOf(request)), executionIdOf(request, request.params.id))),
      ),
  );
}

/** What is no id is no execution either; nothing but ids reaches the database. */
export function executionIdOf(request: FastifyRequest, id: string): string {
  if (!idPattern('exe').test(id)) {
    throw new AppError(
      'EXECUTION_NOT_FOUND',
      `There is no execution ${JSON.stringify(id.slice(0, 60))}; ids look like exe_… and come from POST /execute.`,
    );
  }
  request.executionId = id;
  return id;
}

function summaryOf({ executionId, status, language, createdAt, endedAt, executionTime, effects, error, toolCalls }: ExecutionSummary) {
  return { executionId, status, language, createdAt, endedAt, executionTime, effects, error, toolCalls: toolCalls.length };
}
