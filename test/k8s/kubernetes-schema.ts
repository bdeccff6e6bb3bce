import type { Manifest } from './manifests.ts';
import { typeComplaints } from './typed-literals.ts';

/**
 * What the Kubernetes API would say against these documents, one line a complaint, judged twice by what kubernetes-models made of
 * Kubernetes' OpenAPI schema: its validators know types, formats, enumerations and what is required; its declarations know
 * every field, so the compiler finds those that do not exist, which the API server drops or refuses.
 */
export async function complaints(manifests: readonly Manifest[]): Promise<readonly string[]> {
  const invalid = await Promise.all(manifests.map(validationError));
  const literals = manifests.map((manifest) => ({
    title: titleOf(manifest),
    type: `import('kubernetes-models/${manifest.apiVersion}').I${manifest.kind}`,
    value: manifest,
  }));
  return [...invalid.filter((message) => message !== null), ...typeComplaints(literals)];
}

interface ModelClass {
  new (data: Manifest): { validate(): void };
}

async function validationError(manifest: Manifest): Promise<string | null> {
  const name = titleOf(manifest);
  const specifier = `kubernetes-models/${manifest.apiVersion}`;
  let Model: ModelClass | undefined;
  try {
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
