import type { ExecutionError } from '@code-executor/contracts';
import type { ProgramFile } from './parse-typescript.ts';
import type { TextEdit } from './text-edit.ts';
import { type SyntaxNode, walkSyntax } from './walk-syntax.ts';

/** What Node's own transformation refuses, at its place; null where there is nothing of the kind. */
export function refuseForNode(file: ProgramFile): ExecutionError | null {
  let refused: ExecutionError | null = null;
  walkSyntax(file.program, (node) => {
    if (node.type === 'Decorator' && refused === null) {
      const { start } = (node as unknown as { loc: { start: { line: number; column: number } } }).loc;
      const message = 'Decorators are not known to the runtime node. Use the language typescript, or write the program without them.';
      refused = { code: 'SYNTAX_ERROR', message, line: start.line, column: start.column + 1 };
    }
    return refused === null;
  });
  return refused;
}

/**
 * Marks imports that are used as types only: Node imports every name that is not marked and fails where a file exports it
 * as a type, while TypeScript and Bun leave such names out by themselves.
 */
export function markTypeImports(file: ProgramFile, edit: TextEdit): void {
  const values = new Set<string>();
  walkSyntax(file.program, (node, parent) => {
    if (isTypeOnly(node)) return false;
    if ((node.type === 'Identifier' || node.type === 'JSXIdentifier') && !isSpecifier(parent)) values.add(String(node.name));
    return true;
  });
  for (const statement of file.program.body) {
    if (statement.type !== 'ImportDeclaration' || statement.importKind === 'type' || statement.specifiers.length === 0) continue;
    const unused = statement.specifiers.filter((specifier) => !values.has(specifier.local.name));
    if (unused.length === statement.specifiers.length && new Set(unused.map(({ type }) => type)).size === 1) {
      edit.insert((statement.start ?? 0) + 'import'.length, ' type');
      continue;
    }
    for (const specifier of unused) {
      if (specifier.type === 'ImportSpecifier' && specifier.importKind !== 'type') edit.insert(specifier.start ?? 0, 'type ');
    }
  }
}

const isSpecifier = (parent: SyntaxNode | null): boolean => parent !== null && /^Import\w*Specifier$/.test(parent.type);

/** TypeScript's own nodes hold types, but for those that hold or wrap what runs. */
const isTypeOnly = ({ type }: SyntaxNode): boolean =>
  type.startsWith('TS') &&
  !/^TS(?:As|Satisfies|NonNull|Instantiation)Expression$|^TSTypeAssertion$|^TSEnum|^TSModule|^TSExportAssignment$|^TSImportEquals|^TSParameterProperty$|^TSExternalModule/.test(
    type,
  );
