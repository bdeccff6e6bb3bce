import { ExecutorError } from '../errors.ts';
import { errorOfAnswer } from './error-of-answer.ts';
import { delayBeforeRetry, sleep } from './retry.ts';

/** What every method takes last. */
export interface RequestOptions {
  /** Ends the request, or the wait before its repetition. What the service accepted goes on. */
  readonly signal?: AbortSignal;
  /** For all tries together; the client's own by default. 0: none. */
  readonly timeoutMs?: number;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Query | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is. */
  readonly bytes?: Uint8Array | string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly options?: RequestOptions | undefined;
  /** May be sent again where it is unknown whether it was carried out. GET and PUT may. */
  readonly repeatable?: boolean | undefined;
  /** Statuses beside 2xx whose answer is no error. */
  readonly alsoGood?: readonly number[] | undefined;
  /** The timeout ends with the answer's head. */
  readonly streamed?: boolean | undefined;
}

export interface SendOptions {
  readonly url: string;
  readonly key: string | undefined;
  readonly fetch: typeof globalThis.fetch;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly userAgent: string | undefined;
}

/** One request with its repetitions. @throws ExecutorError, or the reason of the caller's signal. */
export type Send = (request: Request) => Promise<Response>;

export function createSend(options: SendOptions): Send {
  return async (request) => {
    const given = request.options?.signal;
    const timeoutMs = request.options?.timeoutMs ?? options.timeoutMs;
    const timer = new AbortController();
    const timeout = timeoutMs > 0 ? setTimeout(() => timer.abort(), timeoutMs) : undefined;
    const signal = given === undefined ? timer.signal : AbortSignal.any([given, timer.signal]);
    try {
      for (let tries = 0; ; tries += 1) {
        try {
          return await sendOnce(request, options, signal);
        } catch (error) {
          given?.throwIfAborted();
          if (timer.signal.aborted) throw timedOut(request, timeoutMs, error);
          const delayMs = tries < options.retries ? delayBeforeRetry(error, request, tries) : null;
          if (delayMs === null) throw error;
          await sleep(delayMs, signal);
          given?.throwIfAborted();
        }
      }
    } catch (error) {
      given?.throwIfAborted();
      if (timer.signal.aborted && !(error instanceof ExecutorError)) throw timedOut(request, timeoutMs, error);
      throw error;
    } finally {
      clearTimeout(timeout);
    }
  };
}

/** Resolves with an answer whose body was read, unless it is streamed: the timeout is for the whole of it. */
async function sendOnce(request: Request, options: SendOptions, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await options.fetch(addressOf(options.url, request), {
      method: request.method,
      headers: headersOf(request, options),
      redirect: 'error',
      signal,
      ...bodyOf(request),
    });
    if (!isGood(response, request)) throw await errorOfAnswer(response);
    if (request.streamed === true) return response;
    const whole = await response.arrayBuffer();
    return new Response(whole.byteLength === 0 ? null : whole, { status: response.status, headers: response.headers });
  } catch (error) {
    if (error instanceof ExecutorError || signal.aborted) throw error;
    throw new ExecutorError({
      code: 'NETWORK_ERROR',
      message: `No answer from ${options.url}: ${reasonOf(error)}.`,
      status: 0,
      cause: error,
    });
  }
}

function addressOf(base: string, { path, query }: Request): string {
  const entries: [string, string][] = Object.entries(query ?? {}).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
  const search = new URLSearchParams(entries).toString();
  return `${base}${path}${search === '' ? '' : `?${search}`}`;
}

function headersOf(request: Request, { key, userAgent }: SendOptions): Record<string, string> {
  return {
    accept: 'application/json',
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    ...(userAgent === undefined ? {} : { 'user-agent': userAgent }),
    ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(request.bytes === undefined ? {} : { 'content-type': 'application/octet-stream' }),
    ...request.headers,
  };
}

function bodyOf({ body, bytes }: Request): { body?: string | Uint8Array<ArrayBuffer> } {
  if (bytes !== undefined) return { body: bytes as string | Uint8Array<ArrayBuffer> };
  return body === undefined ? {} : { body: JSON.stringify(body) };
}

const isGood = (response: Response, { alsoGood }: Request): boolean => response.ok || alsoGood?.includes(response.status) === true;

const timedOut = (request: Request, timeoutMs: number, cause: unknown): ExecutorError =>
  new ExecutorError({
    code: 'CLIENT_TIMEOUT',
    message: `${request.method} ${request.path} was not answered within ${timeoutMs} ms; what the service accepted goes on.`,
    status: 0,
    cause,
  });

/** Undici says `fetch failed` and puts the reason into the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message;
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
}
