import type { PositionMap } from '@code-executor/sandbox';
import { keptNames } from './kept-names.ts';
import type { ProgramFile, Statement } from './parse-typescript.ts';
import { createTextEdit, type TextEdit } from './text-edit.ts';
import { isFunction, type SyntaxNode, walkSyntax } from './walk-syntax.ts';

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

/**
 * Turns a program as agents write it into a module whose exports hold its result. The user's lines stay on their lines.
 * `alsoEdit` makes further changes to the same text. With `keepsNames` what it declares at its top is there for later programs of the
 * same interpreter.
 */
export function shapeProgram(code: string, file: ProgramFile, alsoEdit?: (edit: TextEdit) => void, keepsNames = false): ShapedProgram {
  const { program } = file;
  const edit = createTextEdit(code);
  alsoEdit?.(edit);
  if (program.interpreter) edit.blank(program.interpreter.start ?? 0, program.interpreter.end ?? 0);
  const seen = surveyProgram(program, edit);
  leadToSkills(program.body, edit);
  const prelude = keepsNames ? keptNames(program.body) : '';
  if (seen.returns.length > 0) {
    endAtReturns(edit, seen.returns);
    return { ...wrapInFunction(edit, program.body, `export const ${BODY} = async () => {${prelude}`), promisesResult: true };
  }
  if (prelude !== '') edit.insert(0, prelude);
  const standing = program.body.find((statement) => statement.type === 'ExportDefaultDeclaration');
  if (standing !== undefined) return { ...edit.finish(), promisesResult: givesValue(standing) };
  const last = lastExpression(program);
  if (last === null) {
    // Runtimes take a file without imports and exports for CommonJS.
    edit.append('\nexport {};');
    return { ...edit.finish(), promisesResult: false };
  }
  edit.insert(last.start ?? 0, `export const ${RESULT} = (`);
  edit.insert(last.end ?? 0, ')');
  return { ...edit.finish(), promisesResult: !(seen.exitsInFunction && isCall(last)) && !endsProcess(last) };
}

/** A text that is one expression, such as `{ a: 1 }`, which as a program would be a block. */
export function shapeExpression(code: string, { start, end }: { start?: number | null; end?: number | null }): ShapedProgram {
  const edit = createTextEdit(code);
  edit.insert(start ?? 0, `export const ${RESULT} = (`);
  edit.insert(end ?? 0, ')');
  return { ...edit.finish(), promisesResult: true };
}

/** Skills stand among the wrappers; programs import them beside the servers. */
export function leadToSkills(body: readonly Statement[], edit: TextEdit): void {
  for (const statement of body) {
    walkSyntax(statement, ({ type, source, arguments: given, callee }) => {
      const isDynamic = type === 'CallExpression' && (callee as { type?: string }).type === 'Import';
      const named = isDynamic && Array.isArray(given) ? given[0] : source;
      const { type: kind, value, start } = (named ?? {}) as { type?: string; value?: unknown; start?: number };
      if (kind === 'StringLiteral' && typeof value === 'string' && start !== undefined && SKILL_IMPORT.test(value))
        edit.insert(start + 1 + WORKSPACE.length, 'servers/');
      return true;
    });
  }
}

const WORKSPACE = '/workspace/';
const SKILL_IMPORT = /^\/workspace\/skills\/[a-z][a-z0-9_]{0,63}(?:\.[jt]s)?$/;

interface Survey {
  /** Those of the program itself, not of a function in it. */
  readonly returns: readonly SyntaxNode[];
  /** Whether a function of the program ends the process: then a call at its end promises nothing. */
  readonly exitsInFunction: boolean;
}

/** Looks at the whole program once. What asks whether this is the main file is answered: the runner imports it. */
export function surveyProgram(program: ProgramFile['program'], edit: TextEdit): Survey {
  const returns: SyntaxNode[] = [];
  let exitsInFunction = false;
  for (const statement of program.body) {
    walkSyntax(statement, (node) => {
      if (node.type === 'ReturnStatement') returns.push(node);
      noteMainTest(node, edit);
      if (!isFunction(node)) return true;
      walkSyntax(node, (inner) => {
        noteMainTest(inner, edit);
        if (isExit(inner)) exitsInFunction = true;
        return true;
      });
      return false;
    });
  }
  return { returns, exitsInFunction };
}

function noteMainTest(node: SyntaxNode, edit: TextEdit): void {
  const { object, property } = node as { object?: { type?: string }; property?: { name?: string } };
  if (node.type === 'MemberExpression' && object?.type === 'MetaProperty' && property?.name === 'main') {
    edit.overwrite(node.start, node.end - node.start, 'true');
  }
}

/** A `return` ends the execution there, also one without a value; only a program that runs to its end waits for what is pending. */
export function endAtReturns(edit: TextEdit, returns: readonly SyntaxNode[]): void {
  for (const { start, argument } of returns) {
    const value = argument as SyntaxNode | null;
    if (value === null) {
      edit.insert(start + 'return'.length, ' null');
    } else {
      edit.insert(value.start, '(');
      edit.insert(value.end, ')??null');
    }
  }
}

const isExit = (node: SyntaxNode): boolean => {
  const callee = node.callee as { object?: { name?: string }; property?: { name?: string } } | undefined;
  return node.type === 'CallExpression' && callee?.object?.name === 'process' && callee.property?.name === 'exit';
};

/** Also one that is awaited or in parentheses. */
function isCall(expression: unknown): boolean {
  const { type, argument, expression: inner } = expression as { type?: string; argument?: unknown; expression?: unknown };
  if (type === 'AwaitExpression') return isCall(argument);
  if (type === 'ParenthesizedExpression') return isCall(inner);
  return type === 'CallExpression';
}

function endsProcess(expression: unknown): boolean {
  let ends = false;
  walkSyntax(expression, (node) => {
    if (isExit(node)) ends = true;
    return !ends;
  });
  return ends;
}

/** A module cannot return, so the program becomes a function; what only a module may hold moves out of it. */
export function wrapInFunction(edit: TextEdit, body: readonly Statement[], opening: string): Pick<ShapedProgram, 'code' | 'positions'> {
  edit.insert(0, opening);
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

/** The expression the program ends with; declarations behind it that only name things do not count as an end. */
export function lastExpression({ body, directives }: ProgramFile['program']): { start?: number | null; end?: number | null } | null {
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
