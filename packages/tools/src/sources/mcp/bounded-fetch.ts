/** The most of one answer, or of one event of a stream, that is taken from a remote server. */
const ANSWER_LIMIT_BYTES = 24 * 1024 * 1024;

/** `fetch` whose bodies end with an error past the limit, so that a remote server cannot fill the memory. An event stream may go on for ever; a single event may not. */
export const boundedFetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
  const response = await fetch(url, init);
  if (response.body === null || response.status < 200) return response;
  const isEventStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
  let bytes = 0;
  const bounded = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        const eventEnd = isEventStream ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).lastIndexOf('\n\n') : -1;
        bytes = eventEnd === -1 ? bytes + chunk.byteLength : chunk.byteLength - eventEnd;
        if (bytes > ANSWER_LIMIT_BYTES) controller.error(new Error(`The answer is larger than ${ANSWER_LIMIT_BYTES / 1024 / 1024} MB`));
        else controller.enqueue(chunk);
      },
    }),
  );
  const result = new Response(bounded, { status: response.status, statusText: response.statusText, headers: response.headers });
  // The SDK judges redirects by these two, which a constructed Response does not carry.
  Object.defineProperty(result, 'url', { value: response.url });
  Object.defineProperty(result, 'redirected', { value: response.redirected });
  Object.defineProperty(result, 'type', { value: response.type });
  return result;
};
