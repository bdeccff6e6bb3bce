import type { ExecutionError } from '@code-executor/contracts';
import { withoutLeadingFence } from './fences.ts';
import { markTypeImports } from './fit-node.ts';
import { parseTypescript, type Statement } from './parse-typescript.ts';
import { endAtReturns, lastExpression, leadToSkills, surveyProgram } from './shape-program.ts';
import { createTextEdit, type TextEdit } from './text-edit.ts';
import { wrapInFunction } from './wrap-in-function.ts';

export type ShapedSkill = { readonly ok: true; readonly code: string } | { readonly ok: false; readonly error: ExecutionError };

/**
 * From a program to what stands in the file of a skill: `const $body = async (args) => {…}`, its imports behind it. The forms are
 * those of programs: a top-level `return`, a last expression, a default export that is a function of the arguments.
 */
export function shapeSkill(text: string): ShapedSkill {
  const code = withoutLeadingFence(text);
  const parsed = parseTypescript(code);
  if ('error' in parsed) return { ok: false, error: parsed.error };
  const { program } = parsed.file;
  const relative = program.body.find((statement) => /^\.\.?\//.test(sourceOf(statement)));
  if (relative !== undefined) return { ok: false, error: relativeImport(relative) };
  const edit = createTextEdit(code);
  markTypeImports(parsed.file, edit);
  if (program.interpreter) edit.blank(program.interpreter.start ?? 0, program.interpreter.end ?? 0);
  const { returns } = surveyProgram(program, edit);
  leadToSkills(program.body, edit);
  endAtReturns(edit, returns);
  const isReturned = returns.length === 0 && returnDefault(program.body, edit);
  const last = returns.length === 0 && !isReturned ? lastExpression(program) : null;
  const body = isReturned ? program.body.filter(({ type }) => type !== 'ExportDefaultDeclaration') : program.body;
  return { ok: true, code: wrapInFunction(edit, body, OPENING, last).code };
}

const OPENING = 'const $body = async (args: any): Promise<any> => {';

/** `export default` of a value becomes `return`; one of a class or a type is no result. */
function returnDefault(body: readonly Statement[], edit: TextEdit): boolean {
  const standing = body.find((statement) => statement.type === 'ExportDefaultDeclaration');
  if (standing?.type !== 'ExportDefaultDeclaration') return false;
  const { declaration } = standing;
  if (declaration.type === 'ClassDeclaration' || declaration.type === 'TSDeclareFunction') return false;
  edit.overwrite(standing.start ?? 0, 'export default'.length, 'return (');
  edit.insert(declaration.end ?? 0, ')');
  return true;
}

const sourceOf = (statement: Statement): string =>
  'source' in statement && statement.source ? String((statement.source as { value?: unknown }).value) : '';

function relativeImport({ loc }: Statement): ExecutionError {
  const message = "A skill has no files beside it: import tools by '/workspace/servers/…' and skills by '/workspace/skills/…'.";
  return { code: 'SYNTAX_ERROR', message, ...(loc ? { line: loc.start.line, column: loc.start.column + 1 } : {}) };
}
