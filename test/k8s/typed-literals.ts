import { join } from 'node:path';
import ts from 'typescript';

const ROOT = join(import.meta.dirname, '../..');

export interface TypedLiteral {
  /** What a complaint calls it. */
  readonly title: string;
  /** A type expression: `import('package').Name`. */
  readonly type: string;
  readonly value: unknown;
}

/** The members of enumerations by their values, as they stand in JSON. */
const PLAIN = `type Plain<T> = unknown extends T ? T : T extends string ? \`\${T}\` : T extends boolean | null | undefined ? T :
  T extends number ? number : T extends readonly (infer Item)[] ? Plain<Item>[] : T extends object ? { [Key in keyof T]: Plain<T[Key]> } : T;`;

/**
 * What the TypeScript compiler says against data as a literal of its type, one line a complaint. Fields that the type does not
 * have are complaints too, at any depth, which validators made from JSON Schema mostly let pass.
 */
export function typeComplaints(literals: readonly TypedLiteral[]): readonly string[] {
  const file = join(ROOT, 'test/k8s/typed-literals.generated.ts');
  const lines = literals.map(({ type, value }) => `((_: Plain<${type}>) => {})(${JSON.stringify(value)});`);
  const source = [...lines, PLAIN].join('\n');
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2024,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (path) => path === file || fileExists(path);
  host.getSourceFile = (path, ...rest) =>
    path === file ? ts.createSourceFile(file, source, ts.ScriptTarget.ES2024) : getSourceFile(path, ...rest);
  const program = ts.createProgram([file], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText, start, file: where }) => {
    const line = where?.fileName === file ? where.getLineAndCharacterOfPosition(start ?? 0).line : -1;
    return `${literals[line]?.title ?? 'types'}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}
