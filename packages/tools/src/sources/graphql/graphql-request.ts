import type { Credential } from '../../connections/port.ts';
import type { OutboundHttp, OutboundResponse } from '../../outbound/port.ts';
import { filePart } from '../openapi/invoke/file-part.ts';
import { multipartBody, type Part } from '../openapi/invoke/multipart.ts';
import type { BuiltOperation } from './build-operation.ts';

const ACCEPT = 'application/graphql-response+json, application/json;q=0.9';

export interface GraphqlRequest {
  readonly url: string;
  readonly operation: Pick<BuiltOperation, 'query'> & Partial<BuiltOperation>;
  /** Whether files may be among the variables. */
  readonly hasFiles?: boolean | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly credential: Credential | null;
  readonly http: OutboundHttp;
  readonly timeoutMs: number;
  readonly maximumBytes?: number | undefined;
  readonly signal: AbortSignal;
}

/** One GraphQL request over HTTP. @throws what `OutboundHttp.request` throws, and AppError INVALID_ARGUMENTS for a file that is none. */
export function sendGraphql({
  url,
  operation,
  hasFiles,
  headers,
  credential,
  http,
  timeoutMs,
  maximumBytes,
  signal,
}: GraphqlRequest): Promise<OutboundResponse> {
  const { body, contentType } = encoded(operation, hasFiles === true);
  const cookies = Object.entries(credential?.cookies ?? {}).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  );
  return http.request({
    method: 'POST',
    url: withQuery(url, credential),
    headers: {
      accept: ACCEPT,
      'content-type': contentType,
      ...headers,
      ...(cookies.length === 0 ? {} : { cookie: cookies.join('; ') }),
      ...credential?.headers,
    },
    body,
    timeoutMs,
    ...(maximumBytes === undefined ? {} : { maximumBytes }),
    signal,
  });
}

function withQuery(address: string, credential: Credential | null): string {
  const url = new URL(address);
  for (const [name, value] of Object.entries(credential?.query ?? {})) url.searchParams.set(name, value);
  return url.href;
}

/** JSON; with files the form of graphql-multipart-request-spec, in which each stands beside the request and is null within it. */
function encoded(
  operation: GraphqlRequest['operation'],
  hasFiles: boolean,
): { readonly body: string | Uint8Array; readonly contentType: string } {
  const files: { readonly path: string; readonly part: Part }[] = [];
  const variables = hasFiles ? withoutFiles(operation.variables, 'variables', files) : operation.variables;
  const text = JSON.stringify({ ...operation, variables });
  if (files.length === 0) return { body: text, contentType: 'application/json' };
  const map = Object.fromEntries(files.map(({ path }, index) => [String(index), [path]]));
  const { body, boundary } = multipartBody([
    { name: 'operations', body: text },
    { name: 'map', body: JSON.stringify(map) },
    ...files.map(({ part }, index) => ({ ...part, name: String(index) })),
  ]);
  return { body, contentType: `multipart/form-data; boundary=${boundary}` };
}

function withoutFiles(value: unknown, path: string, files: { readonly path: string; readonly part: Part }[]): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item, index) => withoutFiles(item, `${path}.${index}`, files));
  const file = filePart(value, path.replace(/^variables\./, ''));
  if (file !== null) {
    const { bytes, filename, contentType } = file;
    files.push({
      path,
      part: { name: null, filename: filename ?? 'file', contentType: contentType ?? 'application/octet-stream', body: bytes },
    });
    return null;
  }
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withoutFiles(member, `${path}.${name}`, files)]));
}
