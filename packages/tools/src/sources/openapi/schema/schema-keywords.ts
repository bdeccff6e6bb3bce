import type { JsonSchema } from '@code-executor/contracts';
import type { Direction } from './translate-schema.ts';

export type SchemaObject = Readonly<Record<string, unknown>>;

const TYPES = new Set(['string', 'number', 'integer', 'boolean', 'array', 'object', 'null']);
const MOST_VALUES = 500;
const LONGEST_VALUES = 16_000;
const LONGEST_EXAMPLE = 200;

/** Types by their names in JSON Schema; `file` of 2.0 is text, what is no type at all says nothing. */
export function typesOf(schema: SchemaObject): string[] {
  const given = Array.isArray(schema.type) ? schema.type : [schema.type];
  const named = given.map((type) => (type === 'file' ? 'string' : type)).filter((type) => typeof type === 'string' && TYPES.has(type));
  return [...new Set(named as string[])];
}

/** Copies what constrains a value, translated, and only where it is of a kind that a validator can use. */
export function copyAssertions(
  schema: SchemaObject,
  made: Record<string, unknown>,
  { types, direction }: { readonly types: readonly string[]; readonly direction: Direction },
): void {
  if (Array.isArray(schema.enum)) {
    const values = enumValues(schema.enum, types);
    if (values !== null) made.enum = schema.nullable === true && !values.includes(null) ? [...values, null] : values;
  }
  if ('const' in schema && shortJson(schema.const)) made.const = schema.const;
  if (typeof schema.format === 'string' && schema.format.length <= 60) made.format = schema.format;
  for (const keyword of ['contentEncoding', 'contentMediaType'] as const) {
    const text = schema[keyword];
    if (typeof text === 'string' && text.length <= 100) made[keyword] = text;
  }
  if (direction === 'output') return;
  copyBounds(schema, made);
  if (typeof schema.pattern === 'string' && schema.pattern.length <= 500) made.pattern = schema.pattern;
  if (schema.default !== undefined && schema.default !== null && shortJson(schema.default)) made.default = schema.default;
  const examples = Array.isArray(schema.examples) ? schema.examples : schema.example === undefined ? [] : [schema.example];
  const short = examples.slice(0, 3).filter(shortJson);
  if (short.length > 0) made.examples = short;
}

function copyBounds(schema: SchemaObject, made: Record<string, unknown>): void {
  for (const keyword of ['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'] as const) {
    const count = schema[keyword];
    if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) made[keyword] = count;
  }
  for (const [bound, exclusive] of [
    ['minimum', 'exclusiveMinimum'],
    ['maximum', 'exclusiveMaximum'],
  ] as const) {
    const limit = schema[bound];
    const open = schema[exclusive];
    // Until 3.0 the exclusive keyword is a switch beside the other one.
    if (typeof limit === 'number' && Number.isFinite(limit)) made[open === true ? exclusive : bound] = limit;
    if (typeof open === 'number' && Number.isFinite(open)) made[exclusive] = open;
  }
  // Of fractions it is a question of rounding: 0.07 is no multiple of 0.01.
  if (typeof schema.multipleOf === 'number' && Number.isSafeInteger(schema.multipleOf) && schema.multipleOf > 0)
    made.multipleOf = schema.multipleOf;
  if (schema.uniqueItems === true) made.uniqueItems = true;
}

/** Values in YAML lose their quotes: `enum: [1.0, yes]` under `type: string` means texts. Null: none, or too many to name. */
function enumValues(values: readonly unknown[], types: readonly string[]): unknown[] | null {
  if (values.length === 0 || values.length > MOST_VALUES) return null;
  const isText = types.includes('string') && !types.some((type) => type === 'number' || type === 'integer' || type === 'boolean');
  const meant = values.map((value) => (isText && (typeof value === 'number' || typeof value === 'boolean') ? String(value) : value));
  if (!meant.every((value) => value === null || typeof value !== 'object')) return null;
  const distinct = [...new Set(meant)];
  return JSON.stringify(distinct).length <= LONGEST_VALUES ? distinct : null;
}

/** Whether it is worth carrying along. Deep or large values are looked at no further than needed. */
function shortJson(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= LONGEST_EXAMPLE;
  if (typeof value !== 'object' || value === null) return true;
  return isSmall(value, 4) && (JSON.stringify(value)?.length ?? 0) <= LONGEST_EXAMPLE;
}

function isSmall(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'string' || value.length <= LONGEST_EXAMPLE;
  const members = Object.values(value);
  return levels > 0 && members.length <= 20 && members.every((member) => isSmall(member, levels - 1));
}

/** The schema, or null. */
export function orNull(schema: JsonSchema): JsonSchema {
  if (typeof schema === 'boolean') return schema ? true : { type: 'null' };
  if ('$ref' in schema || 'const' in schema || 'anyOf' in schema || 'allOf' in schema) {
    const { description, deprecated, ...rest } = schema;
    const alternatives = Array.isArray(rest.anyOf) && Object.keys(rest).length === 1 ? rest.anyOf : [rest];
    return {
      ...(description === undefined ? {} : { description }),
      ...(deprecated === undefined ? {} : { deprecated }),
      anyOf: [...alternatives, { type: 'null' }],
    };
  }
  const types = schema.type === undefined ? [] : [schema.type].flat();
  // Without a type it may be null already, unless its values are listed.
  return {
    ...schema,
    ...(types.length === 0 || types.includes('null') ? {} : { type: [...types, 'null'] }),
    ...(Array.isArray(schema.enum) && !schema.enum.includes(null) ? { enum: [...schema.enum, null] } : {}),
  };
}
