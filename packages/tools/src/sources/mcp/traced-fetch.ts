import { AsyncLocalStorage } from 'node:async_hooks';
import { boundedFetch } from './bounded-fetch.ts';

/** The traceparent of the call that is being sent. The SDK's transports have no other way for a header of one request. */
export const callerTrace = new AsyncLocalStorage<string>();

/** `boundedFetch` that tells an HTTP server the trace of the call it carries. Streams that outlive a call (GET) belong to none. */
export const tracedFetch: typeof boundedFetch = async (url, init) => {
  const traceparent = init?.method === 'POST' ? callerTrace.getStore() : undefined;
  if (traceparent === undefined) return await boundedFetch(url, init);
  const headers = new Headers(init?.headers);
  headers.set('traceparent', traceparent);
  return await boundedFetch(url, { ...init, headers });
};
