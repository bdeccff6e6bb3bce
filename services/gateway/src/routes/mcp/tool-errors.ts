import { AppError, isAppError } from '@code-executor/platform';
import { type CallToolResult, ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import type { FastifyBaseLogger } from 'fastify';
import type { z } from 'zod';
import { describeIssues } from '../../validation/describe-issues.ts';

/** What a model can mend is the result of its call, what a client gets wrong an error of the protocol, thrown on; what is a fault of ours is logged and shows nothing but its code. */
export function errorResult(thrown: unknown, log: FastifyBaseLogger): CallToolResult {
  if (thrown instanceof ProtocolError) throw thrown;
  const error = isAppError(thrown)
    ? thrown
    : new AppError('INTERNAL', 'Something went wrong on our side; the log has it.', { cause: thrown });
  if (error.code === 'INTERNAL') log.error({ err: thrown }, 'a tool of the MCP endpoint failed by a fault of ours');
  const text =
    error.code === 'INTERNAL' ? 'INTERNAL: Something went wrong on our side; the log has it.' : `${error.code}: ${error.message}`;
  return { content: [{ type: 'text', text }], isError: true };
}

/** Arguments as the tool's schema has them; throws INVALID_REQUEST in sentences. */
export function parseArguments<Schema extends z.ZodType>(schema: Schema, given: unknown): z.output<Schema> {
  const parsed = schema.safeParse(given ?? {});
  if (parsed.success) return parsed.data;
  const problems = describeIssues(schema, parsed.error.issues, given ?? {}, 'arguments');
  throw new AppError(
    'INVALID_REQUEST',
    problems
      .map(({ message }) => message)
      .slice(0, 5)
      .join(' ') || 'The arguments are not valid.',
  );
}

export const invalidParams = (message: string): ProtocolError => new ProtocolError(ProtocolErrorCode.InvalidParams, message);
