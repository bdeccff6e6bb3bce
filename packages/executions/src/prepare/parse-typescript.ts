import { type ParseResult, parse, parseExpression } from '@babel/parser';
import type { ExecutionError } from '@code-executor/contracts';

export type ProgramFile = ParseResult;
export type Statement = ProgramFile['program']['body'][number];

/** The syntax tree of a module, or the first mistake in it at the user's own position. A top-level `return` is allowed. */
export function parseTypescript(code: string): { readonly file: ProgramFile } | { readonly error: ExecutionError } {
  try {
    const file = parse(code, {
      sourceType: 'module',
      allowReturnOutsideFunction: true,
      // So that the range of an expression holds the parentheses around it.
      createParenthesizedExpressions: true,
      plugins: ['typescript', 'decorators'],
    });
    return { file };
  } catch (error) {
    return { error: asSyntaxError(error) };
  }
}

/** The range of an object or an anonymous function that is the whole text, comments aside; null where it is something else. */
export function parseLoneExpression(code: string): { start: number; end: number } | null {
  try {
    const { type, start, end, ...rest } = parseExpression(code, { sourceType: 'module', plugins: ['typescript', 'decorators'] });
    const isAnonymous = type === 'FunctionExpression' && !('id' in rest && rest.id);
    return (type === 'ObjectExpression' || isAnonymous) && start != null && end != null ? { start, end } : null;
  } catch {
    return null; // No expression, or none that can be parsed: the parser of programs says what is wrong.
  }
}

function asSyntaxError(error: unknown): ExecutionError {
  if (error instanceof RangeError) return { code: 'SYNTAX_ERROR', message: 'The program nests too deep to be parsed.' };
  if (!(error instanceof SyntaxError)) throw error;
  const { loc } = error as SyntaxError & { loc?: { line: number; column: number } };
  // The parser appends the position, which the error has as fields of its own.
  const message = error.message.replace(/ \(\d+:\d+\)$/, '');
  return { code: 'SYNTAX_ERROR', message, ...(loc === undefined ? {} : { line: loc.line, column: loc.column + 1 }) };
}
