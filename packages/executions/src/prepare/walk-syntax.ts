/** A node of the syntax tree, seen without its type. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** Visits every node below `root`, parents first. `visit` answers false where it wants nothing of what is inside. */
export function walkSyntax(root: unknown, visit: (node: SyntaxNode, parent: SyntaxNode | null) => boolean): void {
  // A stack of its own: the tree may be as deep as the parser allows.
  const pending: { readonly node: SyntaxNode; readonly parent: SyntaxNode | null }[] = isNode(root) ? [{ node: root, parent: null }] : [];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, parent } = next;
    if (!visit(node, parent)) continue;
    for (const field of Object.keys(node)) {
      if (NO_CHILDREN.has(field)) continue;
      const value = node[field];
      for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) pending.push({ node: child, parent: node });
    }
  }
}

const NO_CHILDREN: ReadonlySet<string> = new Set([
  'loc',
  'extra',
  'leadingComments',
  'trailingComments',
  'innerComments',
  'errors',
  'tokens',
]);

const isNode = (value: unknown): value is SyntaxNode =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string' && 'start' in value;

/** Whether the node has a scope of its own for `return`, and runs later than what is around it. */
export const isFunction = ({ type }: SyntaxNode): boolean => FUNCTIONS.has(type);

const FUNCTIONS: ReadonlySet<string> = new Set([
  'ArrowFunctionExpression',
  'ClassMethod',
  'ClassPrivateMethod',
  'FunctionDeclaration',
  'FunctionExpression',
  'ObjectMethod',
]);
