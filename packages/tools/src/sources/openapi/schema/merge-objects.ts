import type { SchemaObject } from './schema-keywords.ts';

const MERGEABLE = new Set([
  'type',
  'description',
  'deprecated',
  'properties',
  'required',
  'additionalProperties',
  'examples',
  'minProperties',
  'maxProperties',
]);

/** One object schema that says what all of these say together; null where they are not all plain objects. */
export function mergeObjects(schemas: readonly SchemaObject[]): SchemaObject | null {
  const properties = new Map<string, unknown>();
  const required = new Set<unknown>();
  let extra: unknown;
  for (const schema of schemas) {
    if (Object.keys(schema).some((keyword) => !MERGEABLE.has(keyword))) return null;
    if (schema.type !== undefined && schema.type !== 'object') return null;
    for (const [name, property] of Object.entries(schema.properties ?? {})) properties.set(name, property);
    if (Array.isArray(schema.required)) for (const name of schema.required) required.add(name);
    // A part that is closed speaks of itself alone and would refuse what the others bring.
    if (typeof schema.additionalProperties === 'object') extra = schema.additionalProperties;
  }
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    ...(required.size === 0 ? {} : { required: [...required] }),
    ...(extra === undefined ? {} : { additionalProperties: extra }),
  };
}
