import {
  ERROR_CODES,
  type ErrorCode,
  POLICY_ACTIONS,
  type ReplyMeta,
  SEARCH_DETAILS,
  type ToolCallFailure,
} from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { cursor, listOf, queryInt } from '../../validation/fields.ts';
import { errorResponses, WITH_BODY } from '../../validation/route-responses.ts';
import { isSkill } from '../skills/skill-program.ts';
import { invokeGated, pausedCallSchema } from './invoke-gated.ts';

/** The catalog is paged so that 10,000 tools are ten answers. */
const PAGE_LIMIT = 1_000;

const slug = z.string().min(1).max(128);
const toolParams = z.strictObject({ server: slug, tool: z.string().min(1).max(256) });

const toolSummarySchema = z.object({
  server: z.string(),
  name: z.string(),
  description: z.string(),
  action: z.enum(POLICY_ACTIONS).describe('what policy says about calling it'),
});

const toolInfoSchema = z.object({
  server: z.string(),
  name: z.string(),
  title: z.string().nullable(),
  description: z.string(),
  inputSchema: z.unknown(),
  outputSchema: z.unknown(),
  annotations: z.unknown().describe('hints of the server about its own tool'),
  signature: z.string().describe('TypeScript'),
  wrapper: z.object({ path: z.string(), source: z.string(), pythonPath: z.string(), pythonSource: z.string() }),
  policy: z.object({ action: z.enum(POLICY_ACTIONS), reason: z.string() }),
  example: z.object({ typescript: z.string(), python: z.string() }),
});

const replyMetaSchema = z
  .object({
    status: z.int().optional(),
    links: z.record(z.string(), z.string()).optional().describe('addresses of the `Link` header by `rel`'),
    rateLimit: z.object({ limit: z.number().optional(), remaining: z.number().optional(), resetAt: z.string().optional() }).optional(),
    retryAfterSeconds: z.number().optional(),
  })
  .describe('what the answer says about itself, where it does');

const searchAnswerSchema = z.object({
  items: z.unknown().describe('`name`: {server: [tool]}; `description`: {server: {tool: one line}}; `full`: a list of definitions'),
  total: z.int(),
  tokens: z.int().describe('o200k tokens of `items`'),
  tokensSaved: z.int().describe('against the full definitions of the whole catalog'),
  nextOffset: z.int().nullable(),
});

const CALL_ERRORS: readonly ErrorCode[] = [
  'SERVER_NOT_FOUND',
  'TOOL_NOT_FOUND',
  'SKILL_NOT_FOUND',
  'INVALID_ARGUMENTS',
  'ARGUMENTS_TOO_LARGE',
  'REPLY_TOO_LARGE',
  'TOOL_BLOCKED',
  'TOOL_NEEDS_APPROVAL',
  'TOOL_FAILED',
  'TOOL_TIMEOUT',
  'UPSTREAM_UNAVAILABLE',
  'UPSTREAM_LOST',
];

/** The catalog, disclosed step by step, and calls without code. */
export function registerToolRoutes(app: GatewayApp, deps: RouteDeps): void {
  const { tools, closing } = deps;
  app.get(
    '/tools',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'Every visible tool',
        querystring: z.strictObject({ server: slug.optional(), limit: queryInt(1, PAGE_LIMIT, 200), cursor: cursor.optional() }),
        response: { 200: listOf(toolSummarySchema), ...errorResponses(['SERVER_NOT_FOUND', 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request) => {
      const page = await tools.listTools(principalOf(request), request.query);
      return { ...page, items: [...page.items] };
    },
  );

  app.get(
    '/tools/search',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'Search the catalog',
        description: 'Progressive disclosure: names first, then descriptions, then full definitions. An empty `q` lists all.',
        querystring: z.strictObject({
          q: z.string().max(500).default(''),
          server: slug.optional(),
          detail: z.enum(SEARCH_DETAILS).default('description'),
          limit: queryInt(1, PAGE_LIMIT, 50),
          offset: queryInt(0, 1_000_000, 0),
        }),
        response: { 200: searchAnswerSchema, ...errorResponses(['SERVER_NOT_FOUND', 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request) => tools.search(principalOf(request), request.query),
  );

  app.get(
    '/tools/info/:server/:tool',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'All there is to know about one tool',
        params: toolParams,
        response: { 200: toolInfoSchema, ...errorResponses(['SERVER_NOT_FOUND', 'TOOL_NOT_FOUND', 'TOOLS_UNAVAILABLE']) },
      },
    },
    async (request) => tools.toolInfo(principalOf(request), request.params.server, request.params.tool),
  );

  app.post(
    '/tools/invoke/:server/:tool',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'Call one tool without code',
        params: toolParams,
        body: z
          .strictObject({ args: z.record(z.string(), z.unknown()).default({}) })
          .describe('The arguments of the tool go under "args".'),
        response: {
          200: z.object({ tool: z.string(), result: z.unknown(), durationMs: z.number(), meta: replyMetaSchema.optional() }),
          202: pausedCallSchema,
          ...errorResponses([...WITH_BODY, ...CALL_ERRORS, 'TOOLS_UNAVAILABLE']),
        },
      },
    },
    async (request, reply) => {
      const { server, tool } = request.params;
      const startedAt = performance.now();
      const { args } = request.body;
      const principal = principalOf(request);
      const address = `${server}.${tool}`;
      const answered = (result: unknown, meta?: ReplyMeta) => ({
        tool: address,
        result,
        durationMs: Math.round((performance.now() - startedAt) * 100) / 100,
        ...(meta === undefined ? {} : { meta }),
      });
      if (!isSkill(server)) {
        const answer = await tools.invoke(principal, server, tool, args, closing.answerSignal(reply));
        if (answer.ok) return answered(answer.value, answer.meta);
        if (answer.error.code !== 'TOOL_NEEDS_APPROVAL') throw errorOf(answer.error);
      }
      const call = { tool: address, args, requestId: request.id, traceparent: request.span?.traceparent };
      const gated = await invokeGated(principal, call, reply, deps);
      if (gated.kind === 'value') return answered(gated.value);
      if (gated.kind === 'failed') throw errorOf(gated);
      const { executionId, approval } = gated;
      request.executionId = executionId;
      return reply.code(202).header('location', `/executions/${executionId}`).send({ status: 'execution_paused', executionId, approval });
    },
  );
}

/** A failure's code is the tool domain's; one the table does not know is the tool's own. */
function errorOf({ code, message, details }: ToolCallFailure): AppError {
  if (isErrorCode(code)) return new AppError(code, message, { details });
  return new AppError('TOOL_FAILED', message, { details: { code, details } });
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_CODES, code);
