import type { JsonSchema } from '@code-executor/contracts';

/** Keywords whose value is data, where a `$ref` refers to nothing. */
const DATA = new Set(['const', 'enum', 'default', 'examples', 'example']);
/** Keywords whose value maps names to schemas: there a `$ref` is a name. */
const MAPS = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']);
const DEEPEST = 100;

/**
 * A tool's schema as part of a larger document: its own `#/…` references lead into itself at `pointer`. Without its `$id`, which would
 * give them another base again.
 */
export function embedSchema(schema: JsonSchema, pointer: string): unknown {
  if (typeof schema === 'boolean') return schema;
  const { $id: _id, ...rest } = schema;
  return rebased(rest, pointer, 'schema', 0);
}

function rebased(node: unknown, pointer: string, place: 'schema' | 'map', depth: number): unknown {
  if (depth > DEEPEST || typeof node !== 'object' || node === null) return node;
  if (Array.isArray(node)) return node.map((item) => rebased(item, pointer, 'schema', depth + 1));
  const entries = Object.entries(node).map(([name, value]): [string, unknown] => {
    if (place === 'map') return [name, rebased(value, pointer, 'schema', depth + 1)];
    if (name === '$ref' && typeof value === 'string' && (value === '#' || value.startsWith('#/')))
      return [name, `${pointer}${value.slice(1)}`];
    if (DATA.has(name)) return [name, value];
    return [name, rebased(value, pointer, MAPS.has(name) ? 'map' : 'schema', depth + 1)];
  });
  return Object.fromEntries(entries);
}
