import { AsyncLocalStorage } from 'node:async_hooks';

/** The traceparent of the call that is being sent. The SDK's transports have no other way for a header of one request. */
export const callerTrace = new AsyncLocalStorage<string>();

/** A `fetch` that tells an HTTP server the trace of the call it carries. Streams that outlive a call (GET) belong to none. */
export const tracedFetch =
  (send: typeof fetch): typeof fetch =>
  async (input, init) => {
    const traceparent = init?.method === 'POST' ? callerTrace.getStore() : undefined;
    if (traceparent === undefined) return await send(input, init);
    const headers = new Headers(init?.headers);
    headers.set('traceparent', traceparent);
    return await send(input, { ...init, headers });
  };
