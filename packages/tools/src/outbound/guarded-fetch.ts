import { isAppError } from '@code-executor/platform';
import { bodyStream } from './body-stream.ts';
import type { Answer } from './exchange.ts';
import { judgeUrl } from './judge-destination.ts';
import type { Send } from './outbound-http.ts';
import { requestHeaders } from './request-headers.ts';

const REDIRECTS = 5;
const BODILESS = new Set([204, 205, 304]);

/** A `fetch` through the guard. Its refusals are AppErrors; any other fault is a TypeError with its cause, as of fetch itself. */
export function createGuardedFetch(send: Send): typeof fetch {
  return async (input, init) => {
    // The constructor repeats an address that it does not take, the password in it included.
    if (!(input instanceof Request) && URL.canParse(String(input))) judgeUrl(new URL(input));
    const request = new Request(input, init);
    const body = request.body === null ? null : new Uint8Array(await request.arrayBuffer());
    const exchange = { method: request.method, url: new URL(request.url), headers: requestHeaders(request.headers), body };
    try {
      const answer = await send(exchange, { redirects: request.redirect === 'follow' ? REDIRECTS : 0, signal: request.signal });
      if (request.redirect === 'error' && answer.status >= 300 && answer.status < 400 && answer.headers.location !== undefined) {
        answer.body.destroy();
        throw new Error('unexpected redirect');
      }
      return responseOf(answer, request.method);
    } catch (error) {
      request.signal.throwIfAborted();
      if (isAppError(error, 'OUTBOUND_REFUSED')) throw error;
      throw new TypeError('fetch failed', { cause: error });
    }
  };
}

function responseOf(answer: Answer, method: string): Response {
  const headers = new Headers();
  for (const [name, value] of Object.entries(answer.headers))
    for (const text of Array.isArray(value) ? value : [value]) headers.append(name, text);
  const isBodiless = method === 'HEAD' || BODILESS.has(answer.status);
  if (isBodiless) answer.body.destroy();
  const isEventStream = headers.get('content-type')?.startsWith('text/event-stream') ?? false;
  const response = new Response(isBodiless ? null : bodyStream(answer.body, isEventStream), {
    status: answer.status,
    statusText: answer.statusText,
    headers,
  });
  // Clients judge redirects by these, which a constructed Response does not carry.
  Object.defineProperty(response, 'url', { value: answer.url.href });
  Object.defineProperty(response, 'redirected', { value: answer.isRedirected });
  Object.defineProperty(response, 'type', { value: 'basic' });
  return response;
}
