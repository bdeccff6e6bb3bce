import { type ParseResult, parse } from '@babel/parser';
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

function asSyntaxError(error: unknown): ExecutionError {
  if (error instanceof RangeError) return { code: 'SYNTAX_ERROR', message: 'The program nests too deep to be parsed.' };
  if (!(error instanceof SyntaxError)) throw error;
  const { loc } = error as SyntaxError & { loc?: { line: number; column: number } };
  // The parser appends the position, which the error has as fields of its own.
  const message = error.message.replace(/ \(\d+:\d+\)$/, '');
  return { code: 'SYNTAX_ERROR', message, ...(loc === undefined ? {} : { line: loc.line, column: loc.column + 1 }) };
}
