import type { SourceKind } from '../port.ts';
import type { GraphqlBinding } from './binding.ts';
import { detectGraphql } from './detect-graphql.ts';
import { sendGraphql } from './graphql-request.ts';

/**
 * GraphQL, from a schema (SDL, or an introspection result) or by introspection of an endpoint: a tool per field of its queries and mutations.
 * Its library is loaded with the first of them: it is large, and every thread that reads a document would pay for it.
 */
export const graphqlKind: SourceKind<GraphqlBinding> = {
  kind: 'graphql',
  detect: detectGraphql,
  fetchDocument: async (...asked) => await (await import('./fetch-graphql.ts')).fetchGraphql(...asked),
  parse: async (...asked) => (await import('./parse-graphql.ts')).parseGraphql(...asked),
  invoke: async (...asked) => await (await import('./invoke-graphql.ts')).invokeGraphql(...asked),
  probe: probeGraphql,
};

/** Asks for the name of the query type, which every server knows and nothing is done for. */
async function probeGraphql({ baseUrl, ...context }: Parameters<SourceKind['probe']>[0]): Promise<string | null> {
  const { status } = await sendGraphql({ url: baseUrl, operation: { query: '{ __typename }' }, ...context });
  const isRefused = status === 401 || status === 403;
  if (isRefused) return context.credential === null ? null : `it refuses the credential (HTTP ${status})`;
  // A server may refuse requests that it was not told of before (400), and is there all the same.
  return status === 404 || status === 405 || status >= 500 ? `it answers HTTP ${status}` : null;
}
