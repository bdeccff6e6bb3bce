import {
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLNamedInputType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredArgument,
  isRequiredInputField,
} from 'graphql';
import { FILE_SCALAR, scalarSchema } from './scalar-schema.ts';

type Schema = Record<string, unknown>;

const LONGEST_DESCRIPTION = 600;
/** An enum that is used more than once, or is longer than this, is written once. */
const LONGEST_INLINE_ENUM = 12;

/** The JSON Schema of a field's arguments. Input objects, which may hold themselves, and long enums are written once, in `$defs`. */
export function argumentSchema(args: readonly GraphQLArgument[]): { readonly schema: Schema; readonly hasFiles: boolean } {
  const definitions = new Map<string, Schema>();
  const pending: GraphQLNamedInputType[] = [];
  const seen = new Set<string>();

  const refer = (type: GraphQLNamedInputType): Schema => {
    if (!seen.has(type.name)) {
      seen.add(type.name);
      pending.push(type);
    }
    return { $ref: `#/$defs/${type.name}` };
  };
  const named = (type: GraphQLNamedInputType): Schema => {
    if (isInputObjectType(type)) return refer(type);
    if (!isEnumType(type)) return { ...scalarSchema(type.name, type.description) };
    return type.getValues().length > LONGEST_INLINE_ENUM ? refer(type) : enumSchema(type.getValues().map((value) => value.name));
  };
  const convert = (type: GraphQLInputType): Schema => {
    if (isNonNullType(type)) return present(type.ofType);
    return orNull(present(type));
  };
  const present = (type: GraphQLInputType): Schema => {
    if (isNonNullType(type)) return present(type.ofType);
    return isListType(type) ? { type: 'array', items: convert(type.ofType) } : named(type);
  };
  const property = (field: GraphQLArgument | GraphQLInputField): Schema => described(convert(field.type), field);

  const schema: Schema = {
    type: 'object',
    properties: Object.fromEntries(args.map((arg) => [arg.name, property(arg)])),
    required: args.filter(isRequiredArgument).map((arg) => arg.name),
    additionalProperties: false,
  };
  for (let type = pending.shift(); type !== undefined; type = pending.shift()) {
    definitions.set(
      type.name,
      isInputObjectType(type) ? inputObject(type, property) : enumSchema(isEnumType(type) ? type.getValues().map(({ name }) => name) : []),
    );
  }
  if (definitions.size > 0) schema.$defs = Object.fromEntries(definitions);
  return { schema, hasFiles: args.some((arg) => getNamedType(arg.type).name === FILE_SCALAR) || holdsFiles(definitions) };
}

function inputObject(type: GraphQLInputObjectType, property: (field: GraphQLInputField) => Schema): Schema {
  const fields = Object.values(type.getFields());
  return {
    type: 'object',
    ...prose(type.description),
    properties: Object.fromEntries(fields.map((field) => [field.name, property(field)])),
    required: fields.filter(isRequiredInputField).map((field) => field.name),
    additionalProperties: false,
    ...(type.isOneOf ? { minProperties: 1, maxProperties: 1 } : {}),
  };
}

const enumSchema = (names: readonly string[]): Schema => ({ type: 'string', enum: names });

function orNull(schema: Schema): Schema {
  if (Array.isArray(schema.enum)) return { ...schema, type: ['string', 'null'], enum: [...schema.enum, null] };
  if (typeof schema.type === 'string') return { ...schema, type: [schema.type, 'null'] };
  if (Array.isArray(schema.type)) return { ...schema, type: [...schema.type, 'null'] };
  return schema.$ref === undefined ? schema : { anyOf: [schema, { type: 'null' }] };
}

function described(schema: Schema, field: GraphQLArgument | GraphQLInputField): Schema {
  const texts = [field.description ?? '', field.deprecationReason == null ? '' : `Deprecated: ${field.deprecationReason}`];
  const own = typeof schema.description === 'string' ? schema.description : undefined;
  const description = prose(texts.filter((text) => text.trim() !== '').join('\n')).description ?? own;
  const withDefault = isJsonDefault(field.defaultValue) ? { ...schema, default: field.defaultValue } : schema;
  // What stands beside a $ref counts nowhere but in newer drafts: a reference is wrapped.
  if (description === undefined) return withDefault;
  return schema.$ref === undefined ? { ...withDefault, description } : { allOf: [schema], description };
}

/** A default is prose for the reader: only what is short and plain is shown. */
const isJsonDefault = (value: unknown): boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || (Array.isArray(value) && value.length === 0);

function prose(text: string | null | undefined): { readonly description?: string } {
  const trimmed = (text ?? '').trim();
  return trimmed === ''
    ? {}
    : { description: trimmed.length > LONGEST_DESCRIPTION ? `${trimmed.slice(0, LONGEST_DESCRIPTION)}…` : trimmed };
}

function holdsFiles(definitions: ReadonlyMap<string, Schema>): boolean {
  return [...definitions.values()].some((schema) => JSON.stringify(schema).includes('"base64"'));
}
