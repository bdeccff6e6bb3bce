import type { Principal } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { z } from 'zod';
import type { RouteDeps } from '../../gateway-app.ts';

/** Python's own parser reads it, in a sandbox like every other program. */
const CHECK = `import ast
try:
    compile(args["code"], "skill", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = {}
except SyntaxError as error:
    result = {"message": error.msg, "line": error.lineno or 1, "column": error.offset or 1}
except (ValueError, RecursionError, MemoryError) as error:
    result = {"message": str(error) or "it nests too deep", "line": 1, "column": 1}
result`;

const answerSchema = z.union([z.object({ message: z.string(), line: z.int(), column: z.int() }), z.strictObject({})]);
const TIMEOUT_MS = 30_000;

/** @throws AppError SKILL_INVALID with line and column where the code does not parse. */
export async function checkPython(
  principal: Principal,
  code: string,
  context: { readonly requestId: string; readonly signal: AbortSignal },
  { executions }: Pick<RouteDeps, 'executions'>,
): Promise<void> {
  const program = { code: CHECK, language: 'python', args: { code }, timeoutMs: TIMEOUT_MS };
  const { executionId } = await executions.submit(principal, program, { requestId: context.requestId });
  const { resultJson, error } = await executions.wait(principal, executionId, context.signal);
  const found = resultJson === null ? undefined : answerSchema.safeParse(JSON.parse(resultJson)).data;
  if (found === undefined)
    throw new AppError('SKILL_INVALID', `code: it could not be checked: ${error?.message ?? 'no answer'} (see ${executionId})`);
  if ('message' in found) {
    const { message, line, column } = found;
    throw new AppError('SKILL_INVALID', `code: ${message} (line ${line}, column ${column})`, { details: { line, column } });
  }
}
