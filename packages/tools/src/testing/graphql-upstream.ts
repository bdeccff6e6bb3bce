import { buildSchema, execute, type GraphQLSchema, parse, validate } from 'graphql';
import { startUpstream, type Upstream } from './upstream.ts';

export interface GraphqlUpstream extends Upstream {
  /** Of the requests that were taken. */
  readonly operations: { readonly query: string; readonly variables: Readonly<Record<string, unknown>>; readonly operationName?: string }[];
}

/** A GraphQL server over HTTP as the standard has it: JSON and multipart requests, validation before execution. */
export async function startGraphqlUpstream(
  schemaText: string,
  rootValue: unknown,
  options: { readonly introspection?: boolean; readonly bearer?: string } = {},
): Promise<GraphqlUpstream> {
  const schema = buildSchema(schemaText, { assumeValidSDL: true });
  const operations: GraphqlUpstream['operations'] = [];
  const upstream = await startUpstream((request, response) => {
    const send = (status: number, body: unknown): void =>
      void response.writeHead(status, { 'content-type': 'application/json', 'x-ratelimit-remaining': '41' }).end(JSON.stringify(body));
    if (options.bearer !== undefined && request.headers.authorization !== `Bearer ${options.bearer}`)
      return send(401, { message: 'Bad credentials' });
    if (request.method !== 'POST') return send(405, { errors: [{ message: 'POST only' }] });
    const asked = upstream.requests.at(-1)?.body ?? '';
    const text = /^\s*\{/.test(asked) ? asked : (/name="operations"\r\n\r\n(.*)\r\n/.exec(asked)?.[1] ?? '{}');
    const {
      query = '',
      variables = {},
      operationName,
    } = JSON.parse(Buffer.from(text, 'latin1').toString()) as {
      query?: string;
      variables?: Record<string, unknown>;
      operationName?: string;
    };
    if (options.introspection === false && query.includes('__schema'))
      return send(200, { errors: [{ message: 'GraphQL introspection is not allowed' }] });
    answer(schema, query, variables, operationName).then(
      (result) => {
        if (result.isValid) operations.push({ query, variables, ...(operationName === undefined ? {} : { operationName }) });
        send(result.isValid ? 200 : 400, result.body);
      },
      (error: unknown) => send(500, { errors: [{ message: String(error) }] }),
    );
  });
  return { ...upstream, operations };

  async function answer(of: GraphQLSchema, query: string, variableValues: Record<string, unknown>, operationName: string | undefined) {
    try {
      const document = parse(query);
      const errors = validate(of, document);
      if (errors.length > 0) return { isValid: false, body: { errors } };
      return { isValid: true, body: await execute({ schema: of, document, rootValue, variableValues, operationName }) };
    } catch (error) {
      return { isValid: false, body: { errors: [error] } };
    }
  }
}
