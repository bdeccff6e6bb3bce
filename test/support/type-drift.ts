import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { typeScriptType } from '@code-executor/wrappers';
import ts from 'typescript';

/** What one method of the SDK has to agree with. */
export interface TypedOperation {
  readonly name: string;
  /** TypeScript for the method's type, such as `C['keys']['list']`. */
  readonly method: string;
  /** Schemas of the operation; undefined: it has none, or none in JSON. */
  readonly answer: unknown;
  readonly body: unknown;
  readonly query: unknown;
  /** TypeScript for what the method takes as body and query. */
  readonly bodyType: string | undefined;
  readonly queryType: string | undefined;
  /** Members that the SDK fills in by itself. */
  readonly ownMembers: readonly string[];
}

const SDK = fileURLToPath(new URL('../../packages/sdk/src/index.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const PRELUDE = `import type { ExecutorClient as C } from ${JSON.stringify(SDK)};
type IsAny<T> = 0 extends 1 & T ? true : false;
type Keys<T> = T extends unknown ? keyof T : never;
type Value<T, K> = T extends unknown ? (K extends keyof T ? T[K] : never) : never;
type Item<T> = T extends readonly (infer I)[] ? I : never;
/** Names of members of A, at any depth, that S does not know. */
type Missing<A, S> = IsAny<A> extends true ? never : IsAny<S> extends true ? never
  : A extends readonly (infer I)[] ? Missing<I, Item<S>>
  : A extends object ? (string extends keyof A ? never : { [K in keyof A & string]-?: K extends Keys<S> ? Missing<NonNullable<A[K]>, NonNullable<Value<S, K>>> : K }[keyof A & string])
  : never;
/** As a query string carries it. */
type Sent<Q> = { [K in keyof Q]: Q[K] extends boolean | undefined ? \`\${Q[K] & boolean}\` : Q[K] };
declare function given<T>(): T;
declare function none<T extends never>(): T;
`;

/** Sentences about where the SDK's types do not agree with the schemas; none where they do. */
export function typeDrift(operations: readonly TypedOperation[]): string[] {
  const lines = operations.flatMap((operation) => checksOf(operation).map((code) => ({ code, operation })));
  const first = PRELUDE.split('\n').length - 1;
  const directory = mkdtempSync(join(tmpdir(), 'sdk-types-'));
  const file = join(directory, 'drift.ts');
  try {
    writeFileSync(file, `${PRELUDE}${lines.map(({ code }) => code).join('\n')}\n`);
    const program = ts.createProgram([file], {
      target: ts.ScriptTarget.ES2024,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      lib: ['lib.es2024.d.ts'],
      types: ['node'],
      typeRoots: [join(ROOT, 'node_modules/@types')],
      strict: true,
      exactOptionalPropertyTypes: true,
      allowImportingTsExtensions: true,
      skipLibCheck: true,
      noEmit: true,
    });
    return ts.getPreEmitDiagnostics(program).map((diagnostic) => {
      const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ').slice(0, 600);
      const at = diagnostic.file?.fileName === file ? (diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0) : -1;
      const line = lines[at - first];
      return line === undefined
        ? `${diagnostic.file?.fileName ?? ''}: ${text}`
        : `${line.operation.name}: ${text}\n  ${line.code.slice(0, 300)}`;
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function checksOf({ method, answer, body, query, bodyType, queryType, ownMembers }: TypedOperation): string[] {
  const lines: string[] = [];
  const typeOf = (schema: unknown): string => typeScriptType(schema, { withProse: false });
  const own = ownMembers.length === 0 ? 'never' : ownMembers.map((name) => JSON.stringify(name)).join(' | ');
  if (answer !== undefined) {
    const sdk = `Awaited<ReturnType<${method}>>`;
    lines.push(`{ const fits: ${sdk} = given<${typeOf(answer)}>(); void fits; none<Missing<${typeOf(answer)}, ${sdk}>>(); }`);
  }
  if (body !== undefined && bodyType !== undefined) {
    lines.push(
      `{ const fits: ${typeOf(body)} = given<${bodyType}>(); void fits; none<Exclude<Missing<${typeOf(body)}, ${bodyType}>, ${own}>>(); }`,
    );
  }
  if (query !== undefined && queryType !== undefined) {
    lines.push(
      `{ const fits: ${typeOf(query)} = given<Sent<${queryType}>>(); void fits; none<Exclude<Missing<${typeOf(query)}, ${queryType}>, ${own}>>(); }`,
    );
  }
  return lines;
}
