import { AppError } from '@code-executor/platform';
import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import { describeIssues } from './describe-issues.ts';

const PART_NAMES: Readonly<Record<string, string>> = { querystring: 'query', params: 'path' };

/** Checks bodies, queries and path parameters against their zod schema; what does not fit is an INVALID_REQUEST in sentences. */
export const compileValidator: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  const part = PART_NAMES[httpPart ?? ''] ?? httpPart ?? 'request';
  return (data: unknown) => {
    const parsed = schema.safeParse(part === 'body' && data === null ? undefined : data);
    if (parsed.success) return { value: parsed.data };
    return { error: errorOf(schema, parsed.error.issues, data, part) };
  };
};

function errorOf(schema: z.ZodType, issues: readonly z.core.$ZodIssue[], data: unknown, part: string): AppError {
  if (part === 'body' && (data === null || data === undefined)) {
    return new AppError('INVALID_REQUEST', 'The body is empty; send a JSON object with `Content-Type: application/json`.');
  }
  const problems = describeIssues(schema, issues, data, part);
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more, see details)` : '';
  return new AppError('INVALID_REQUEST', `${first?.message ?? `The ${part} is not valid.`}${more}`, { details: problems });
}
