import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';

export interface Exchange {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Readable | null;
  /** From sending to the last byte of the answer. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly answerLimitBytes: number;
}

/**
 * One request and all of its answer, without the streams and signals that undici's `request` makes of it: they take as long as the way
 * there and back. Rejects with the signal's reason, or with why no answer came.
 */
export function exchange(dispatcher: Dispatcher, asked: Exchange): Promise<{ readonly status: number; readonly text: string }> {
  const { method, path, headers, body, timeoutMs, signal, answerLimitBytes } = asked;
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | null = null;
    let status = 0;
    let bytes = 0;
    let failure: Error | null = null;
    const chunks: Buffer[] = [];
    const timer = setTimeout(() => fail(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const onAbort = (): void => fail(signal?.reason instanceof Error ? signal.reason : new Error('aborted', { cause: signal?.reason }));
    signal?.addEventListener('abort', onAbort, { once: true });

    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const fail = (error: Error): void => {
      if (failure !== null) return;
      failure = error;
      settle();
      reject(error);
      controller?.abort(error);
    };
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(begun) {
        controller = begun;
        // Given up while it waited for a connection.
        if (failure !== null) begun.abort(failure);
      },
      onResponseStart(_controller, statusCode) {
        status = statusCode;
      },
      onResponseData(_controller, chunk) {
        bytes += chunk.length;
        if (bytes > answerLimitBytes) fail(new Error(`the answer is larger than ${answerLimitBytes} bytes`));
        else chunks.push(chunk);
      },
      onResponseEnd() {
        settle();
        resolve({ status, text: Buffer.concat(chunks).toString('utf8') });
      },
      onResponseError(_controller, error) {
        fail(error);
      },
    };
    if (signal?.aborted === true) return onAbort();
    try {
      dispatcher.dispatch({ method, path, headers, body }, handler);
    } catch (error) {
      fail(error instanceof Error ? error : new Error('the request could not be sent', { cause: error }));
    }
  });
}
