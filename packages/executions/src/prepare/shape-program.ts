import type { PositionMap } from '@code-executor/sandbox';
import { keptNames } from './kept-names.ts';
import type { ProgramFile, Statement } from './parse-typescript.ts';
import { createTextEdit, type TextEdit } from './text-edit.ts';
import { isFunction, type SyntaxNode, walkSyntax } from './walk-syntax.ts';
import { canStandInFunction, type Place, runsNothingAtOnce, wrapInFunction } from './wrap-in-function.ts';

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
  /** Loading the module runs no line of the program, and of others only wrappers: a runner may do it while the program must not run yet. */
  readonly importsNothing?: boolean | undefined;
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
  const opening = `export const ${BODY} = async () => {${prelude}`;
  const importsNothing = program.body.every(runsNothingAtOnce);
  if (seen.returns.length > 0) {
    endAtReturns(edit, seen.returns);
    return { ...wrapInFunction(edit, program.body, opening), promisesResult: true, importsNothing };
  }
  const last = lastExpression(program);
  const promisesResult = last !== null && !(seen.exitsInFunction && isCall(last)) && !endsProcess(last);
  if (program.body.every(canStandInFunction))
    return { ...wrapInFunction(edit, program.body, opening, last), promisesResult, importsNothing };
  if (prelude !== '') edit.insert(0, prelude);
  const standing = program.body.find((statement) => statement.type === 'ExportDefaultDeclaration');
  if (standing !== undefined) return { ...edit.finish(), promisesResult: givesValue(standing) };
  if (last === null) {
    // Runtimes take a file without imports and exports for CommonJS.
    edit.append('\nexport {};');
    return { ...edit.finish(), promisesResult: false };
  }
  edit.insert(last.start ?? 0, `export const ${RESULT} = (`);
  edit.insert(last.end ?? 0, ')');
  return { ...edit.finish(), promisesResult };
}

/** A text that is one expression, such as `{ a: 1 }`, which as a program would be a block. */
export function shapeExpression(code: string, { start, end }: Place): ShapedProgram {
  const edit = createTextEdit(code);
  edit.insert(start ?? 0, `export const ${BODY} = async () => (`);
  edit.insert(end ?? 0, ')');
  return { ...edit.finish(), promisesResult: true, importsNothing: true };
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

/** The expression the program ends with; declarations behind it that only name things do not count as an end. */
export function lastExpression({ body, directives }: ProgramFile['program']): Place | null {
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
