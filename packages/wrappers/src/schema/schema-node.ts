/**
 * Reading foreign JSON Schema. A converter of our own: json-schema-to-typescript is asynchronous, formats with prettier (milliseconds
 * a schema where ten thousand must take less than three seconds) and resolves references to files and URLs, which a foreign
 * schema must never make us do. Only references inside the schema itself are followed.
 */
export type SchemaNode = { readonly [keyword: string]: unknown };

/** Bounds of one conversion: what lies beyond them comes out as the type of anything. */
export interface SchemaBudget {
  /** Schema nodes that may still be visited. */
  nodes: number;
}

export const DEEPEST_SCHEMA = 8;
export const LONGEST_UNION = 48;
const MOST_PROPERTIES = 200;
export const newSchemaBudget = (): SchemaBudget => ({ nodes: 1500 });

export const isSchemaNode = (value: unknown): value is SchemaNode => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a reference within `root` leads to; undefined for one that leads out of it or nowhere. */
export function resolveReference(root: unknown, reference: unknown): unknown {
  if (typeof reference !== 'string' || !reference.startsWith('#')) return undefined;
  if (reference === '#' || reference === '#/') return root;
  if (!reference.startsWith('#/')) return undefined;
  let target: unknown = root;
  for (const segment of reference.slice(2).split('/')) {
    const key = decodePointer(segment);
    if (Array.isArray(target) && /^\d{1,6}$/.test(key)) target = target[Number(key)];
    else if (isSchemaNode(target) && Object.hasOwn(target, key)) target = target[key];
    else return undefined;
  }
  return target;
}

export interface SchemaProperty {
  readonly name: string;
  readonly schema: unknown;
  readonly isRequired: boolean;
}

/** The properties of an object schema, those it only lists as required included; `isCut` where there are more than can be shown. */
export function propertiesOf(schema: SchemaNode): { readonly properties: SchemaProperty[]; readonly isCut: boolean } {
  const declared = isSchemaNode(schema.properties) ? schema.properties : {};
  const required = new Set<string>();
  if (Array.isArray(schema.required)) for (const name of schema.required) if (typeof name === 'string') required.add(name);
  const names = Object.keys(declared);
  for (const name of required) if (!Object.hasOwn(declared, name)) names.push(name);
  // The required ones first where not all can be shown.
  if (names.length > MOST_PROPERTIES) names.sort((a, b) => Number(required.has(b)) - Number(required.has(a)));
  const properties = names.slice(0, MOST_PROPERTIES).map((name) => ({
    name,
    schema: Object.hasOwn(declared, name) ? declared[name] : true,
    isRequired: required.has(name),
  }));
  return { properties, isCut: names.length > MOST_PROPERTIES };
}

/** The types a schema names: its `type`, or what its other keywords imply; empty where it may be anything. */
export function typesOf(schema: SchemaNode): string[] {
  const { type } = schema;
  if (typeof type === 'string') return [type];
  if (Array.isArray(type)) return type.filter((name) => typeof name === 'string').slice(0, 8);
  if (isSchemaNode(schema.properties) || isSchemaNode(schema.additionalProperties) || Array.isArray(schema.required)) return ['object'];
  if (schema.items !== undefined || schema.prefixItems !== undefined) return ['array'];
  return [];
}

/** The positions of a tuple, in either draft's spelling; null where the array is no tuple. */
export function tupleOf(schema: SchemaNode): unknown[] | null {
  if (Array.isArray(schema.prefixItems)) return schema.prefixItems;
  return Array.isArray(schema.items) ? schema.items : null;
}

function decodePointer(segment: string): string {
  try {
    return decodeURIComponent(segment).replace(/~1/g, '/').replace(/~0/g, '~');
  } catch {
    // A stray percent sign is meant literally.
    return segment;
  }
}
