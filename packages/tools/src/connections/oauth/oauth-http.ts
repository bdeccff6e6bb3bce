import { isIP } from 'node:net';
import { AppError, isAppError, messageOf } from '@code-executor/platform';
import * as oauth from 'oauth4webapi';
import type { OutboundHttp } from '../../outbound/port.ts';
import type { Scrub } from '../../sources/mcp/secrets.ts';
import { printable } from '../../sources/mcp/stderr-log.ts';

/** Of one request to an authorization server; well within the time that one process may renew tokens alone. */
export const OAUTH_TIMEOUT_MS = 15_000;
/** Metadata and tokens are small. */
const ANSWER_LIMIT_BYTES = 1024 * 1024;

export interface OauthRequestOptions {
  readonly signal: AbortSignal;
  readonly [oauth.allowInsecureRequests]: true;
  [oauth.customFetch](url: string, options: oauth.CustomFetchOptions<string, unknown>): Promise<Response>;
}

/** What the OAuth library sends its requests with: the outbound guard. It judges `http:` by itself, so that the library need not. */
export function oauthOptions(http: OutboundHttp, signal: AbortSignal): OauthRequestOptions {
  return {
    signal,
    [oauth.allowInsecureRequests]: true,
    async [oauth.customFetch](url, { method, headers, body }) {
      checkEndpoint(url);
      const answer = await http.request({
        method,
        url,
        headers: { ...headers, accept: 'application/json' },
        body: typeof body === 'string' ? body : body instanceof URLSearchParams ? body.toString() : undefined,
        timeoutMs: OAUTH_TIMEOUT_MS,
        maximumBytes: ANSWER_LIMIT_BYTES,
        redirects: 0,
        signal,
      });
      return responseOf(answer.status, answer.headers, withoutIdToken(answer.body));
    },
  };
}

/** Tokens in clear over the internet are everybody's: `http:` is for this machine and for private networks, which the operator lists. */
export function checkEndpoint(url: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed?.protocol === 'https:') return;
  const host = parsed?.hostname ?? '';
  const isLocal =
    isIP(host) !== 0 || host.startsWith('[') || !host.includes('.') || /\.(localhost|local|internal|lan|home\.arpa)$/.test(host);
  if (parsed?.protocol !== 'http:' || !isLocal)
    throw new AppError('CONNECTION_BROKEN', `The authorization server's address ${printable(url, 200)} has to be an https:// one`);
}

/** Nobody reads an ID token here, and its checks need an issuer that is not always known. */
function withoutIdToken(body: Uint8Array): Uint8Array | string {
  const text = Buffer.from(body).toString('utf8');
  if (!text.includes('"id_token"')) return body;
  try {
    const { id_token: _, ...rest } = JSON.parse(text) as Record<string, unknown>;
    return JSON.stringify(rest);
  } catch (error) {
    if (error instanceof SyntaxError) return body;
    throw error;
  }
}

function responseOf(status: number, headers: Readonly<Record<string, string>>, body: Uint8Array | string): Response {
  const { 'content-length': _, 'content-encoding': __, 'transfer-encoding': ___, ...rest } = headers;
  const isEmpty = status === 204 || status === 205 || status === 304;
  return new Response(isEmpty ? null : typeof body === 'string' ? body : Buffer.from(body), { status, headers: rest });
}

/** Why the authorization server, or the way to it, failed. */
export interface OauthFault {
  /** `error` of its answer, such as `invalid_grant`; null: it gave none. */
  readonly error: string | null;
  /** It did not answer, or not with an answer of its own: the same may succeed later. */
  readonly isPassing: boolean;
  /** In a sentence without secrets. */
  readonly message: string;
}

export function oauthFault(thrown: unknown, scrub: Scrub): OauthFault {
  const say = (text: string): string => printable(scrub(text), 400);
  if (thrown instanceof oauth.ResponseBodyError) {
    const { error, error_description: description, status } = thrown;
    const isPassing = status >= 500 || error === 'temporarily_unavailable' || error === 'server_error' || error === 'slow_down';
    return { error, isPassing, message: say(`${error}${description === undefined ? '' : `: ${description}`}`) };
  }
  if (thrown instanceof oauth.AuthorizationResponseError) {
    const { error, error_description: description } = thrown;
    return { error, isPassing: false, message: say(`${error}${description === undefined ? '' : `: ${description}`}`) };
  }
  if (thrown instanceof oauth.WWWAuthenticateChallengeError) {
    return { error: 'invalid_client', isPassing: false, message: `it answered ${thrown.status} to the client's credentials` };
  }
  if (thrown instanceof oauth.OperationProcessingError) {
    const status = thrown.cause instanceof Response ? thrown.cause.status : null;
    return {
      error: null,
      isPassing: status !== null && (status >= 500 || status === 429),
      message: say(`${thrown.message}${status === null ? '' : ` (HTTP ${status})`}`),
    };
  }
  if (isAppError(thrown)) {
    const isPassing = ['UPSTREAM_UNAVAILABLE', 'UPSTREAM_LOST', 'TOOL_TIMEOUT'].includes(thrown.code);
    return { error: null, isPassing, message: say(thrown.message) };
  }
  return { error: null, isPassing: true, message: say(messageOf(thrown)) };
}
