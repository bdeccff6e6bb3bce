import type { PositionMap } from '@code-executor/sandbox';
import type { ProgramFile, Statement } from './parse-typescript.ts';
import { createTextEdit, type TextEdit } from './text-edit.ts';

/**
 * What the runner looks for among the module's exports (sandbox-image/runners/typescript/execute-program.ts): the value of the
 * last expression, or the whole program as a function, made where it holds a top-level `return`.
 */
const RESULT = '__executionResult';
const BODY = '__executionBody';

export interface ShapedProgram {
  readonly code: string;
  readonly promisesResult: boolean;
  readonly positions: PositionMap;
}

/** Turns a program as agents write it into a module whose exports hold its result. The user's lines stay on their lines. */
export function shapeProgram(code: string, { program }: ProgramFile): ShapedProgram {
  const edit = createTextEdit(code);
  if (program.interpreter) edit.blank(program.interpreter.start ?? 0, program.interpreter.end ?? 0);
  if (program.body.some(returns)) return { ...wrapInFunction(edit, program.body), promisesResult: true };
  const standing = program.body.find((statement) => statement.type === 'ExportDefaultDeclaration');
  if (standing !== undefined) return { ...edit.finish(), promisesResult: givesValue(standing) };
  const last = lastExpression(program);
  if (last === null) return { ...edit.finish(), promisesResult: false };
  edit.insert(last.start ?? 0, `export const ${RESULT} = (`);
  edit.insert(last.end ?? 0, ')');
  return { ...edit.finish(), promisesResult: true };
}

/** A module cannot return, so the program becomes a function; what only a module may hold moves out of it. */
function wrapInFunction(edit: TextEdit, body: readonly Statement[]): Pick<ShapedProgram, 'code' | 'positions'> {
  edit.insert(0, `export const ${BODY} = async () => {`);
  for (const statement of body) {
    const start = statement.start ?? 0;
    const end = statement.end ?? 0;
    switch (statement.type) {
      case 'ImportDeclaration':
      case 'TSImportEqualsDeclaration':
      case 'TSModuleDeclaration':
        edit.moveToEnd(start, end);
        break;
      case 'ExportNamedDeclaration':
        if (statement.declaration) edit.blank(start, statement.declaration.start ?? start);
        else edit.blank(start, end);
        break;
      case 'ExportAllDeclaration':
        edit.blank(start, end);
        break;
      case 'ExportDefaultDeclaration':
        // Beside a `return` nothing reads it, but what it evaluates still has to happen.
        if (isNamed(statement.declaration)) edit.blank(start, statement.declaration.start ?? start);
        else edit.overwrite(start, 'export default'.length, 'void');
        break;
    }
  }
  edit.append('\n};');
  return edit.finish();
}

const isNamed = (declaration: Extract<Statement, { type: 'ExportDefaultDeclaration' }>['declaration']): boolean =>
  (declaration.type === 'FunctionDeclaration' ||
    declaration.type === 'ClassDeclaration' ||
    declaration.type === 'TSInterfaceDeclaration') &&
  Boolean(declaration.id);

/** Whether a `return` of the program itself, not of a function in it, stands somewhere in the statement. */
function returns(statement: Statement): boolean {
  switch (statement.type) {
    case 'ReturnStatement':
      return true;
    case 'BlockStatement':
      return statement.body.some(returns);
    case 'IfStatement':
      return returns(statement.consequent) || (statement.alternate ? returns(statement.alternate) : false);
    case 'ForStatement':
    case 'ForInStatement':
    case 'ForOfStatement':
    case 'WhileStatement':
    case 'DoWhileStatement':
    case 'LabeledStatement':
      return returns(statement.body);
    case 'SwitchStatement':
      return statement.cases.some((each) => each.consequent.some(returns));
    case 'TryStatement':
      return [statement.block, statement.handler?.body, statement.finalizer].some((block) => Boolean(block && returns(block)));
    default:
      return false;
  }
}

/** The expression the program ends with; declarations behind it that only name things do not count as an end. */
function lastExpression({ body, directives }: ProgramFile['program']): { start?: number | null; end?: number | null } | null {
  const last = body.findLast((statement) => !NAMES_ONLY.has(statement.type));
  if (last !== undefined) return last.type === 'ExpressionStatement' ? last.expression : null;
  return directives.at(-1)?.value ?? null;
}

const NAMES_ONLY: ReadonlySet<string> = new Set([
  'EmptyStatement',
  'FunctionDeclaration',
  'ImportDeclaration',
  'TSDeclareFunction',
  'TSInterfaceDeclaration',
  'TSTypeAliasDeclaration',
]);

/** A class or a type as default export is no result. */
const givesValue = (statement: Statement): boolean =>
  statement.type === 'ExportDefaultDeclaration' &&
  statement.declaration.type !== 'ClassDeclaration' &&
  statement.declaration.type !== 'TSInterfaceDeclaration' &&
  statement.declaration.type !== 'TSDeclareFunction';
