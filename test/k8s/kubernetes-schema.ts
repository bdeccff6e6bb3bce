import { join } from 'node:path';
import ts from 'typescript';
import { type Manifest, ROOT } from './manifests.ts';

/**
 * What the Kubernetes API would say against these documents, one line a complaint, judged twice by what kubernetes-models made of
 * Kubernetes' OpenAPI schema: its validators know types, formats, enumerations and what is required; its declarations know
 * every field, so the compiler finds those that do not exist, which the API server drops or refuses.
 */
export async function complaints(manifests: readonly Manifest[]): Promise<readonly string[]> {
  const invalid = await Promise.all(manifests.map(validationError));
  return [...invalid.filter((message) => message !== null), ...unknownFields(manifests)];
}

interface ModelClass {
  new (data: Manifest): { validate(): void };
}

async function validationError(manifest: Manifest): Promise<string | null> {
  const name = titleOf(manifest);
  let Model: ModelClass | undefined;
  try {
    const specifier = `kubernetes-models/${manifest.apiVersion}`;
    const models: Record<string, ModelClass> = await import(/* @vite-ignore */ specifier);
    Model = models[manifest.kind];
  } catch (error) {
    return `${name}: Kubernetes has no API ${manifest.apiVersion} (${error instanceof Error ? error.message : error})`;
  }
  if (Model === undefined) return `${name}: ${manifest.apiVersion} has no kind ${manifest.kind}`;
  try {
    new Model(manifest).validate();
    return null;
  } catch (error) {
    return `${name}: ${error instanceof Error ? error.message : error}`;
  }
}

const titleOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata?.name}`;

/** Each document becomes a literal of its kind's type, on a line of its own. */
function unknownFields(manifests: readonly Manifest[]): readonly string[] {
  const file = join(ROOT, 'test/k8s/rendered-manifests.ts');
  const source = manifests
    .map((manifest) => {
      const type = `import('kubernetes-models/${manifest.apiVersion}').I${manifest.kind}`;
      return `((_: ${type}) => {})(${JSON.stringify(manifest)});`;
    })
    .join('\n');
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
    const line = where === undefined ? 0 : where.getLineAndCharacterOfPosition(start ?? 0).line;
    const manifest = manifests[line];
    return `${manifest === undefined ? 'types' : titleOf(manifest)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}
