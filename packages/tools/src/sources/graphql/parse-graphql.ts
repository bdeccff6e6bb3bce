import { AppError } from '@code-executor/platform/errors';
import type { GraphQLField, GraphQLObjectType, GraphQLSchema } from 'graphql';
import type { ParseContext, ParsedSource, SourceDocument, SourceTool } from '../port.ts';
import type { GraphqlBinding } from './binding.ts';
import { fieldTool } from './field-tool.ts';
import { readSchema } from './read-schema.ts';

const NAMED_IN_WARNING = 20;

/** A tool for each field of the query and the mutation type. @throws AppError INTEGRATION_INVALID saying where and why. */
export function parseGraphql(document: SourceDocument, { onProgress }: Pick<ParseContext, 'onProgress'>): ParsedSource<GraphqlBinding> {
  const { schema, endpoint, warnings } = readSchema(document);
  onProgress(0.5);
  const fields = [...fieldsOf('query', schema.getQueryType()), ...fieldsOf('mutation', schema.getMutationType())];
  if (fields.length === 0) {
    throw new AppError(
      'INTEGRATION_INVALID',
      'The schema has no query and no mutation, so that there is nothing to call; does its `schema { … }` name their types?',
    );
  }
  const tools: SourceTool<GraphqlBinding>[] = [];
  for (const [index, { operation, field }] of fields.entries()) {
    tools.push(fieldTool(schema, operation, field));
    if (index % 50 === 49) onProgress(0.5 + (0.5 * (index + 1)) / fields.length);
  }
  return {
    title: 'GraphQL API',
    version: '',
    baseUrl: endpoint,
    securitySchemes: [],
    tools,
    operations: tools.length,
    warnings: [...warnings, ...subscriptionWarnings(schema)],
  };
}

interface OperationField {
  readonly operation: 'query' | 'mutation';
  readonly field: GraphQLField<unknown, unknown>;
}

const fieldsOf = (operation: 'query' | 'mutation', type: GraphQLObjectType | null | undefined): OperationField[] =>
  type == null ? [] : Object.values(type.getFields()).map((field) => ({ operation, field }));

function subscriptionWarnings(schema: GraphQLSchema): string[] {
  const names = Object.keys(schema.getSubscriptionType()?.getFields() ?? {});
  if (names.length === 0) return [];
  const more = names.length > NAMED_IN_WARNING ? ` and ${names.length - NAMED_IN_WARNING} more` : '';
  return [`Subscriptions are streams and become no tools: ${names.slice(0, NAMED_IN_WARNING).join(', ')}${more}`];
}
