import type { Statement } from './parse-typescript.ts';

/**
 * The line that makes what a program declares at its top global, by the runner's `keep`. Accessors, so that nothing of the
 * declarations themselves has to change and later programs see each variable as it is then. Imports are not among them: of a name
 * that is imported nobody can tell here whether it is a value.
 */
export function keptNames(body: readonly Statement[]): string {
  const bindings = body.flatMap((statement) => declared(statement));
  if (bindings.length === 0) return '';
  const entries = bindings.map(({ name, assignable }) => `${name}:[()=>${name}${assignable ? `,__kept=>{${name}=__kept}` : ''}]`);
  return `globalThis[Symbol.for("code-executor")].keep({${entries.join(',')}});`;
}

interface Binding {
  readonly name: string;
  readonly assignable: boolean;
}
interface Node {
  readonly type: string;
}

function declared(statement: Statement): Binding[] {
  switch (statement.type) {
    case 'VariableDeclaration':
      if (statement.declare) return [];
      return statement.declarations
        .flatMap(({ id }) => namesOf(id as Node))
        .map((name) => ({ name, assignable: statement.kind === 'let' || statement.kind === 'var' }));
    case 'FunctionDeclaration':
      return statement.id ? [{ name: statement.id.name, assignable: false }] : [];
    case 'ClassDeclaration':
      return statement.id && !statement.declare ? [{ name: statement.id.name, assignable: false }] : [];
    case 'TSEnumDeclaration':
      return statement.declare || statement.const ? [] : [{ name: statement.id.name, assignable: false }];
    case 'ExportNamedDeclaration':
      return statement.declaration ? declared(statement.declaration as Statement) : [];
    default:
      return [];
  }
}

/** Of a pattern, every name that it binds. */
function namesOf(pattern: Node | null): string[] {
  if (pattern === null) return [];
  const node = pattern as Node & {
    name?: string;
    argument?: Node;
    left?: Node;
    value?: Node;
    elements?: (Node | null)[];
    properties?: Node[];
  };
  switch (node.type) {
    case 'Identifier':
      return node.name === undefined ? [] : [node.name];
    case 'ObjectPattern':
      return (node.properties ?? []).flatMap(namesOf);
    case 'ObjectProperty':
      return namesOf(node.value ?? null);
    case 'ArrayPattern':
      return (node.elements ?? []).flatMap(namesOf);
    case 'AssignmentPattern':
      return namesOf(node.left ?? null);
    case 'RestElement':
      return namesOf(node.argument ?? null);
    default:
      return [];
  }
}
