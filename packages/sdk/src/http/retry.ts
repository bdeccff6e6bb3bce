import { ExecutorError } from '../errors.ts';
import type { Request } from './send.ts';

const FIRST_DELAY_MS = 200;
/** A service that asks for longer is obeyed by giving up: the caller knows better what to do with a minute. */
const LONGEST_WAIT_MS = 30_000;

/** Answered before anything was done, whatever the request was. */
const NOTHING_DONE = new Set(['RATE_LIMITED', 'QUEUE_FULL', 'QUEUE_UNAVAILABLE']);
/** The very same request may succeed later. */
const MAY_PASS = new Set([
  ...NOTHING_DONE,
  'SHUTTING_DOWN',
  'SANDBOX_UNAVAILABLE',
  'LEDGER_UNAVAILABLE',
  'TOOLS_UNAVAILABLE',
  'NETWORK_ERROR',
]);
/** What proxies on the way answer with. */
const PROXY_STATUSES = new Set([429, 502, 503, 504]);

/** Milliseconds to wait before the request is sent again; null: it must not, or need not, be. */
export function delayBeforeRetry(error: unknown, request: Request, tries: number): number | null {
  if (!(error instanceof ExecutorError)) return null;
  const repeatable = request.repeatable ?? (request.method === 'GET' || request.method === 'PUT');
  const mayPass = MAY_PASS.has(error.code) || (error.code === 'BAD_ANSWER' && PROXY_STATUSES.has(error.status));
  if (!(repeatable ? mayPass : NOTHING_DONE.has(error.code))) return null;
  if (error.retryAfterMs !== null) return error.retryAfterMs <= LONGEST_WAIT_MS ? error.retryAfterMs : null;
  // Half of it by chance, so that clients that failed together do not come back together.
  return FIRST_DELAY_MS * 2 ** tries * (0.5 + Math.random() / 2);
}

/** Resolves after the time, or at once when the signal aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
