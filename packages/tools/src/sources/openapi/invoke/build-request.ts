import type { AppError } from '@code-executor/platform';
import type { InvokeContext } from '../../port.ts';
import type { OpenApiBinding } from '../binding.ts';
import { encodeBody } from './encode-body.ts';
import { requestUrl } from './request-url.ts';
import { headerText, invalid, type Pair, pairsOf } from './serialize-parameter.ts';

export interface BuiltRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body?: string | Uint8Array | undefined;
}

type Values = Readonly<Record<string, string>>;

/** The request that these arguments make. What the credential brings stands last, and no argument can take its place. @throws AppError INVALID_ARGUMENTS */
export function buildRequest(
  binding: OpenApiBinding,
  args: Readonly<Record<string, unknown>>,
  { baseUrl, credential, idempotencyKey, traceparent }: Pick<InvokeContext, 'baseUrl' | 'credential' | 'idempotencyKey' | 'traceparent'>,
): BuiltRequest {
  const { url, query } = requestUrl(binding, args, baseUrl);
  const headers: Record<string, string> = { accept: binding.accept };
  const cookies: Pair[] = [];
  for (const parameter of binding.parameters) {
    const value = args[parameter.argument];
    if (value === undefined || value === null) continue;
    if (parameter.in === 'header') headers[parameter.name.toLowerCase()] = headerText(parameter, value);
    else if (parameter.in === 'cookie') cookies.push(...pairsOf(parameter, value));
  }
  const isSafe = ['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(binding.method);
  if (!isSafe) headers['idempotency-key'] ??= idempotencyKey;
  if (traceparent !== undefined) headers.traceparent = traceparent;
  let body: string | Uint8Array | undefined;
  if (binding.body !== undefined && args.body !== undefined) {
    const encoded = encodeBody(binding.body, args.body);
    headers['content-type'] = encoded.contentType;
    body = encoded.body;
  }
  // A document may send an operation to a server of its own choice; what was entrusted to one server is not shown to another.
  addCredential({ headers, query, cookies }, url.origin === new URL(baseUrl).origin ? (credential ?? NONE) : NONE);
  if (cookies.length > 0) headers.cookie = cookies.map(([name, value]) => `${name}=${value}`).join('; ');
  url.search = query.map(([name, value]) => `${name}=${value}`).join('&');
  return { method: binding.method, url: url.href, headers, ...(body === undefined ? {} : { body }) };
}

const NONE = { headers: {}, query: {}, cookies: {} };

function addCredential(
  request: { readonly headers: Record<string, string>; readonly query: Pair[]; readonly cookies: Pair[] },
  credential: { readonly headers: Values; readonly query: Values; readonly cookies: Values },
): void {
  for (const [name, value] of Object.entries(credential.headers)) {
    const key = name.toLowerCase();
    if (key !== 'accept' && key !== 'idempotency-key' && Object.hasOwn(request.headers, key)) throw taken(name);
    request.headers[key] = value;
  }
  for (const [pairs, values] of [
    [request.query, credential.query],
    [request.cookies, credential.cookies],
  ] as const) {
    for (const [name, value] of Object.entries(values)) {
      if (pairs.some(([key]) => decoded(key) === name)) throw taken(name);
      pairs.push([encodeURIComponent(name), encodeURIComponent(value)]);
    }
  }
}

const taken = (name: string): AppError => invalid(name, "is set by the connection's credential; leave it out");

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not escaped by us: as it stands.
    return text;
  }
}
