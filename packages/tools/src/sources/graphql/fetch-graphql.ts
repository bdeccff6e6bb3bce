import { AppError } from '@code-executor/platform/errors';
import { getIntrospectionQuery } from 'graphql';
import { readReply } from '../openapi/invoke/read-reply.ts';
import type { FetchContext, SourceDocument } from '../port.ts';
import { detectGraphql } from './detect-graphql.ts';
import { sendGraphql } from './graphql-request.ts';
import { introspectionOf } from './introspection-of.ts';
import { graphqlAnswer } from './invoke-graphql.ts';
import type { IntrospectedDocument } from './read-schema.ts';

/** What older servers do not know is asked for only where the newer form is understood. */
const QUESTIONS = [getIntrospectionQuery({ inputValueDeprecation: true, oneOf: true }), getIntrospectionQuery()];

/**
 * Asks an endpoint for its schema; where it is no endpoint, takes what lies there as a schema. Null: it is neither.
 * @throws AppError INTEGRATION_UNREACHABLE where it wants a credential, INTEGRATION_INVALID where introspection is switched off, and what
 * `OutboundHttp.request` throws.
 */
export async function fetchGraphql(url: string, context: FetchContext): Promise<SourceDocument | null> {
  let refusal = '';
  for (const query of QUESTIONS) {
    const response = await sendGraphql({ url, operation: { query }, ...context });
    if (response.status === 401 || response.status === 403) throw wantsCredential(url, response.status);
    const { value } = readReply(response, Date.now());
    const found = introspectionOf(value);
    if (found !== null) {
      const document: IntrospectedDocument = { endpoint: url, data: { __schema: found } };
      return { text: JSON.stringify(document), url };
    }
    const answer = graphqlAnswer(value);
    if (answer === null || answer.faults.length === 0) return await fetchSchema(url, context);
    refusal = answer.faults[0]?.message ?? '';
  }
  throw new AppError(
    'INTEGRATION_INVALID',
    `url: the endpoint refuses introspection (${refusal.slice(0, 300)}). Send its schema as "document" and the endpoint as "baseUrl"`,
  );
}

async function fetchSchema(url: string, { http, timeoutMs, maximumBytes, signal }: FetchContext): Promise<SourceDocument | null> {
  const response = await http.request({
    method: 'GET',
    url,
    headers: { accept: 'application/graphql, */*;q=0.9' },
    timeoutMs,
    maximumBytes,
    signal,
  });
  const document = { text: new TextDecoder().decode(response.body), url: response.url };
  return response.status < 300 && detectGraphql(document) !== null ? document : null;
}

function wantsCredential(url: string, status: number): AppError {
  return new AppError(
    'INTEGRATION_UNREACHABLE',
    `url: ${new URL(url).origin} answers HTTP ${status}: it wants a credential. Fetch the schema yourself and send it as "document", with the endpoint as "baseUrl"`,
    { details: { status } },
  );
}
