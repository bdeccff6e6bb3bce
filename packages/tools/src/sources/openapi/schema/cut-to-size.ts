import type { JsonSchema } from '@code-executor/contracts';

const DEEPEST_KEPT = 12;
/** Prose goes before structure does. */
const SHORTER_DESCRIPTIONS = [120, 40, 0];

/** The schema, or what fits of it: shorter descriptions first, then fewer levels. */
export function cutToSize(schema: JsonSchema, mostCharacters: number): JsonSchema {
  if (JSON.stringify(schema).length <= mostCharacters) return schema;
  for (const longest of SHORTER_DESCRIPTIONS) {
    const cut = reduced(schema, { longest, levels: Number.POSITIVE_INFINITY });
    if (JSON.stringify(cut).length <= mostCharacters) return cut;
  }
  for (let levels = DEEPEST_KEPT; levels > 0; levels -= 1) {
    const cut = reduced(schema, { longest: 0, levels });
    if (JSON.stringify(cut).length <= mostCharacters) return cut;
  }
  return outline(schema);
}

/** What is left of a schema that finds no room: its type, and whether there was more to say. */
export function outline(schema: JsonSchema): JsonSchema {
  if (typeof schema === 'boolean' || typeof schema.type !== 'string') return true;
  return ['object', 'array'].includes(schema.type) ? { type: schema.type, $comment: 'cut' } : { type: schema.type };
}

interface Measure {
  /** Characters of a description. */
  readonly longest: number;
  readonly levels: number;
}

const reduced = (schema: JsonSchema, measure: Measure): JsonSchema => below(schema, measure, false) as JsonSchema;

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
]);

function below(node: unknown, measure: Measure, keysAreNames: boolean): unknown {
  if (Array.isArray(node)) return node.map((child) => below(child, measure, false));
  if (typeof node !== 'object' || node === null) return node;
  const schema = node as Readonly<Record<string, unknown>>;
  if (keysAreNames) return Object.fromEntries(Object.entries(schema).map(([name, child]) => [name, below(child, measure, false)]));
  if (measure.levels === 0) return '$ref' in schema ? schema : outline(schema);
  const deeper = { ...measure, levels: measure.levels - 1 };
  const kept: [string, unknown][] = [];
  for (const [keyword, child] of Object.entries(schema)) {
    if (keyword === 'description' && typeof child === 'string') {
      if (measure.longest > 0)
        kept.push([keyword, child.length <= measure.longest ? child : `${child.slice(0, measure.longest)}…`.toWellFormed()]);
    } else if (keyword === 'examples') continue;
    else if (MAPS_OF_SCHEMAS.has(keyword)) kept.push([keyword, below(child, deeper, true)]);
    else kept.push([keyword, SCHEMAS.has(keyword) ? below(child, deeper, false) : child]);
  }
  return Object.fromEntries(kept);
}
