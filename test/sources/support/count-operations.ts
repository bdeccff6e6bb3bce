import { parse as parseGraphql } from 'graphql';
import { parse as parseYaml } from 'yaml';

const METHODS = new Set(['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']);

/** What a document holds by a count of its own, which shares nothing with the readers: paths × methods, root fields, or methods. */
export function countOperations(kind: string, text: string): number {
  if (kind === 'graphql') return countRootFields(text);
  const document = (text.trimStart().startsWith('{') ? JSON.parse(text) : parseYaml(text)) as Json;
  return kind === 'discovery' ? countMethods(document) : countPathMethods(document);
}

type Json = { readonly [key: string]: unknown };

function countPathMethods({ paths }: Json): number {
  let count = 0;
  for (const item of Object.values((paths ?? {}) as Record<string, Json>))
    count += Object.keys(item).filter((key) => METHODS.has(key)).length;
  return count;
}

function countMethods({ methods, resources }: Json): number {
  let count = Object.keys((methods ?? {}) as Json).length;
  for (const resource of Object.values((resources ?? {}) as Record<string, Json>)) count += countMethods(resource);
  return count;
}

function countRootFields(sdl: string): number {
  const { definitions } = parseGraphql(sdl);
  const roots = new Set(['Query', 'Mutation']);
  for (const definition of definitions) {
    if (definition.kind !== 'SchemaDefinition') continue;
    roots.clear();
    for (const { operation, type } of definition.operationTypes) if (operation !== 'subscription') roots.add(type.name.value);
  }
  let count = 0;
  for (const definition of definitions) {
    if (definition.kind !== 'ObjectTypeDefinition' && definition.kind !== 'ObjectTypeExtension') continue;
    if (roots.has(definition.name.value)) count += definition.fields?.length ?? 0;
  }
  return count;
}
