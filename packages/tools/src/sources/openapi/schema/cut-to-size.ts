import type { JsonSchema } from '@code-executor/contracts';

const DEEPEST_KEPT = 12;

/** The schema, or as many of its levels as fit. */
export function cutToSize(schema: JsonSchema, mostCharacters: number): JsonSchema {
  if (JSON.stringify(schema).length <= mostCharacters) return schema;
  for (let levels = DEEPEST_KEPT; levels > 0; levels -= 1) {
    const cut = below(schema, levels, false) as JsonSchema;
    if (JSON.stringify(cut).length <= mostCharacters) return cut;
  }
  return below(schema, 0, false) as JsonSchema;
}

const MAPS_OF_SCHEMAS = new Set(['properties', 'patternProperties', 'dependentSchemas', '$defs']);
const SCHEMAS = new Set([
  'items',
  'prefixItems',
  'additionalProperties',
  'anyOf',
  'oneOf',
  'allOf',
  'not',
  'if',
  'then',
  'else',
  'contains',
  'propertyNames',
  'unevaluatedProperties',
  'unevaluatedItems',
]);

function below(node: unknown, levels: number, keysAreNames: boolean): unknown {
  if (Array.isArray(node)) return node.map((child) => below(child, levels, false));
  if (typeof node !== 'object' || node === null) return node;
  const schema = node as Readonly<Record<string, unknown>>;
  if (keysAreNames) return Object.fromEntries(Object.entries(schema).map(([name, child]) => [name, below(child, levels, false)]));
  if (levels === 0) return typeof schema.type === 'string' ? { type: schema.type, $comment: 'cut' } : true;
  return Object.fromEntries(
    Object.entries(schema).map(([keyword, child]) => {
      if (MAPS_OF_SCHEMAS.has(keyword)) return [keyword, below(child, levels - 1, true)];
      return [keyword, SCHEMAS.has(keyword) ? below(child, levels - 1, false) : child];
    }),
  );
}
