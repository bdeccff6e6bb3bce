import { AppError, isAppError, messageOf } from '@code-executor/platform';
import type { Send } from './outbound-http.ts';
import type { OutboundHttp, OutboundRequest } from './port.ts';
import { readBody } from './read-body.ts';
import { requestHeaders } from './request-headers.ts';

const ANSWER_BYTES = 8 * 1024 * 1024;
const REDIRECTS = 5;

/** One request and its whole answer, within its time and size. */
export function createGuardedRequest(send: Send): OutboundHttp['request'] {
  return async (request) => {
    request.signal.throwIfAborted();
    if (!URL.canParse(request.url)) throw new AppError('OUTBOUND_REFUSED', 'The address of the request is no URL');
    const url = new URL(request.url);
    const tooLate = AbortSignal.timeout(request.timeoutMs);
    const signal = AbortSignal.any([request.signal, tooLate]);
    try {
      const { body, contentType } = await bytesOf(request.body);
      const headers = requestHeaders(Object.entries(request.headers ?? {}));
      if (contentType !== null) headers['content-type'] = contentType;
      const exchange = { method: request.method.toUpperCase(), url, headers, body };
      const answer = await send(exchange, { redirects: request.redirects ?? REDIRECTS, signal });
      const bytes = await readBody(answer.body, request.maximumBytes ?? ANSWER_BYTES, answer.url.host);
      return { status: answer.status, headers: joined(answer.headers), body: bytes, url: answer.url.href };
    } catch (error) {
      request.signal.throwIfAborted();
      if (tooLate.aborted) {
        throw new AppError('TOOL_TIMEOUT', `${url.host} did not answer within ${request.timeoutMs / 1000} s`);
      }
      throw isAppError(error) ? error : faultOf(error, url);
    }
  };
}

/** A form carries a boundary that its own encoder has chosen: its content type cannot be the caller's. */
async function bytesOf(body: OutboundRequest['body']): Promise<{ readonly body: Uint8Array | null; readonly contentType: string | null }> {
  if (body === undefined) return { body: null, contentType: null };
  if (typeof body === 'string') return { body: Buffer.from(body), contentType: null };
  if (body instanceof Uint8Array) return { body, contentType: null };
  const encoded = new Response(body);
  return { body: new Uint8Array(await encoded.arrayBuffer()), contentType: encoded.headers.get('content-type') };
}

function joined(headers: Readonly<Record<string, string | string[]>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]));
}

/** Connections that could not be made have said so by now: what is left happened after something was sent. */
function faultOf(error: unknown, { host }: URL): AppError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'UND_ERR_HEADERS_OVERFLOW')
    return new AppError('REPLY_TOO_LARGE', `The headers that ${host} answered with are larger than 64 KB`);
  return new AppError('UPSTREAM_LOST', `${host} broke off: ${messageOf(error).slice(0, 300)}; whether it acted is unknown`, {
    cause: error,
  });
}
