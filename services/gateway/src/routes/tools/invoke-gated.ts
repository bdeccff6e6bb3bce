import { type Execution, type Principal, pendingApprovalSchema } from '@code-executor/contracts';
import type { ExecutionRecord } from '@code-executor/executions';
import { AppError } from '@code-executor/platform';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { RouteDeps } from '../../gateway-app.ts';
import { isSkill, skillProgram } from '../skills/skill-program.ts';

export const pausedCallSchema = z
  .object({ status: z.literal('execution_paused'), executionId: z.string(), approval: pendingApprovalSchema.nullable() })
  .describe('A person has to decide first; POST /executions/:id/resume waits for the answer.');

export type GatedAnswer =
  | { readonly kind: 'paused'; readonly executionId: string; readonly approval: Execution['approval'] }
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

/** The call by its address, whatever code calls it; its failure is the result, so that nothing of it is lost in a stack. */
const GATED_PROGRAM =
  "return await globalThis[Symbol.for('code-executor')].call(args.tool, args.arguments).then((value) => ({ value }), ({ code, message }) => ({ code, message }));";

/** What an upstream may take is the call's own affair. */
const TIMEOUT_MS = 300_000;

/**
 * A call without code that needs a decision becomes a program that makes it: pausing, resuming and what a restart leaves are then
 * those of every execution.
 */
export async function invokeGated(
  principal: Principal,
  call: { readonly tool: string; readonly args: unknown; readonly requestId: string; readonly traceparent: string | undefined },
  reply: FastifyReply,
  { executions, closing, tools }: RouteDeps,
): Promise<GatedAnswer> {
  const { requestId, traceparent } = call;
  const { executionId } = await executions.submit(principal, await programOf(principal, call, tools), { requestId, traceparent });
  const record = await executions.wait(principal, executionId, closing.answerSignal(reply));
  if (record.status === 'paused') return { kind: 'paused', executionId, approval: record.approval };
  return endOf(record);
}

/** The program that calls a tool, or runs a skill. @throws AppError SKILL_NOT_FOUND, TOOL_BLOCKED */
export async function programOf(
  principal: Principal,
  { tool, args }: { readonly tool: string; readonly args: unknown },
  tools: RouteDeps['tools'],
) {
  const dot = tool.indexOf('.');
  const [server, name] = [tool.slice(0, dot), tool.slice(dot + 1)];
  if (!isSkill(server)) return gatedProgram(tool, args);
  await tools.toolInfo(principal, server, name);
  return skillProgram(await tools.getSkill(principal, name), args);
}

/** The program that makes one call, whose result is the call's outcome. */
const gatedProgram = (tool: string, args: unknown) => ({
  code: GATED_PROGRAM,
  language: 'typescript',
  args: { tool, arguments: args },
  timeoutMs: TIMEOUT_MS,
});

const outcomeSchema = z.union([z.strictObject({ code: z.string(), message: z.string() }), z.strictObject({ value: z.unknown() })]);

/** What that program came to. */
export function endOf({ executionId, resultJson, error }: ExecutionRecord): Exclude<GatedAnswer, { readonly kind: 'paused' }> {
  const outcome = resultJson === null ? undefined : outcomeSchema.safeParse(JSON.parse(resultJson)).data;
  if (outcome === undefined)
    throw new AppError('TOOL_FAILED', error?.message ?? `The call ended without an answer; see ${executionId}.`, {
      details: { executionId },
    });
  return 'code' in outcome ? { kind: 'failed', ...outcome } : { kind: 'value', value: outcome.value };
}
