import { type GraphQLField, type GraphQLSchema, getNamedType, isInterfaceType, isObjectType } from 'graphql';
import type { SourceTool } from '../port.ts';
import { answerSchema } from './answer-schema.ts';
import { argumentSchema } from './argument-schema.ts';
import type { GraphqlBinding } from './binding.ts';
import { defaultSelection, printSelection } from './default-selection.ts';

const LONGEST_DESCRIPTION = 2_000;
const FIELDS_SHOWN = 40;
/** The first that the field has no argument of. */
const SELECT_NAMES = ['select', 'selection', '_select', '_selection'];

/**
 * The tool of one field. Its name always carries the kind of operation: it stays the same when the other kind gets a field of the same
 * name, and a policy can speak of all mutations (`github.mutation.*`).
 */
export function fieldTool(
  schema: GraphQLSchema,
  operation: 'query' | 'mutation',
  field: GraphQLField<unknown, unknown>,
): SourceTool<GraphqlBinding> {
  const { schema: inputSchema, hasFiles } = argumentSchema(field.args);
  const selection = defaultSelection(schema, field.type);
  const selectArgument = selection === null ? null : freeName(field);
  const binding: GraphqlBinding = {
    operation,
    field: field.name,
    variables: Object.fromEntries(field.args.map((arg) => [arg.name, String(arg.type)])),
    selection: selection === null ? null : printSelection(selection),
    selectArgument,
    returnType: getNamedType(field.type).name,
    hasFiles,
  };
  return {
    name: `${operation}.${field.name}`,
    description: descriptionOf(field, operation),
    inputSchema: selectArgument === null ? inputSchema : withSelect(inputSchema, selectArgument, field),
    outputSchema: answerSchema(field.type, selection),
    annotations: operation === 'query' ? { readOnlyHint: true, idempotentHint: true } : { readOnlyHint: false },
    binding,
  };
}

function freeName({ args }: GraphQLField<unknown, unknown>): string | null {
  const taken = new Set(args.map(({ name }) => name));
  return SELECT_NAMES.find((name) => !taken.has(name)) ?? null;
}

function descriptionOf(field: GraphQLField<unknown, unknown>, operation: string): string {
  const said =
    (field.description ?? '').trim() || `${operation === 'query' ? 'Query' : 'Mutation'} ${words(field.name)}, answers ${field.type}.`;
  const deprecated = field.deprecationReason == null ? '' : `\nDeprecated: ${field.deprecationReason}`;
  const text = `${said}${deprecated}`;
  return text.length > LONGEST_DESCRIPTION ? `${text.slice(0, LONGEST_DESCRIPTION)}…` : text;
}

const words = (name: string): string => name.replace(/([a-z\d])([A-Z])/g, '$1 $2').toLowerCase();

function withSelect(schema: Record<string, unknown>, name: string, field: GraphQLField<unknown, unknown>): Record<string, unknown> {
  const description = `GraphQL selection of ${field.type} instead of the default one, such as "${exampleOf(field)}". ${fieldsOf(field)}`;
  const properties = { ...(schema.properties as Record<string, unknown>), [name]: { type: 'string', description: description.trim() } };
  return { ...schema, properties };
}

function exampleOf({ type }: GraphQLField<unknown, unknown>): string {
  const named = getNamedType(type);
  if (!isObjectType(named) && !isInterfaceType(named)) return '__typename';
  return Object.keys(named.getFields()).includes('id') ? 'id __typename' : '__typename';
}

/** What there is to select, by name: an agent has no other way to learn of it. */
function fieldsOf({ type }: GraphQLField<unknown, unknown>): string {
  const named = getNamedType(type);
  if (!isObjectType(named) && !isInterfaceType(named)) return '';
  const names = Object.keys(named.getFields());
  const more = names.length > FIELDS_SHOWN ? `, and ${names.length - FIELDS_SHOWN} more` : '';
  return `Its fields: ${names.slice(0, FIELDS_SHOWN).join(', ')}${more}`;
}
