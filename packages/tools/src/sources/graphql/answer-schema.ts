import { type GraphQLOutputType, getNamedType, isEnumType, isLeafType, isListType, isNonNullType, isScalarType } from 'graphql';
import type { Selected, Selection } from './default-selection.ts';
import { scalarSchema } from './scalar-schema.ts';

type Schema = Record<string, unknown>;

const LONGEST_ENUM = 40;

/** The JSON Schema of what a field answers with its default selection. */
export function answerSchema(type: GraphQLOutputType, selection: Selection | null): Schema {
  if (isNonNullType(type)) return present(type.ofType, selection);
  return orNull(present(type, selection));
}

function present(type: GraphQLOutputType, selection: Selection | null): Schema {
  if (isNonNullType(type)) return present(type.ofType, selection);
  if (isListType(type)) return { type: 'array', items: answerSchema(type.ofType, selection) };
  if (isEnumType(type)) {
    const names = type.getValues().map(({ name }) => name);
    return names.length > LONGEST_ENUM ? { type: 'string' } : { type: 'string', enum: names };
  }
  if (isScalarType(type)) return { ...scalarSchema(type.name, null) };
  return selection === null ? {} : objectSchema(selection);
}

/** Fields of fragments are there where the object is of their type. */
function objectSchema({ fields, fragments }: Selection): Schema {
  const properties = new Map<string, Schema>();
  for (const selected of fields) properties.set(selected.name, propertySchema(selected));
  for (const { fields: own } of fragments)
    for (const selected of own) if (!properties.has(selected.name)) properties.set(selected.name, propertySchema(selected));
  return { type: 'object', properties: Object.fromEntries(properties), required: fields.map(({ name }) => name) };
}

function propertySchema({ field, selection }: Selected): Schema {
  if (field === null) return { type: 'string' };
  const schema = answerSchema(field.type, selection);
  const said = (field.description ?? '').replace(/\s+/g, ' ').trim();
  return said === '' || !isLeafType(getNamedType(field.type)) ? schema : { ...schema, description: said.slice(0, 160) };
}

function orNull(schema: Schema): Schema {
  if (Array.isArray(schema.enum)) return { ...schema, type: ['string', 'null'], enum: [...schema.enum, null] };
  if (typeof schema.type === 'string') return { ...schema, type: [schema.type, 'null'] };
  return Array.isArray(schema.type) ? { ...schema, type: [...schema.type, 'null'] } : schema;
}
