import { setTimeout as sleep } from 'node:timers/promises';
import { ERROR_CODES, type ErrorCode } from '@code-executor/contracts';
import { AppError, messageOf } from '@code-executor/platform';
import { Pool } from 'undici';

/** One question to the MCP proxy. */
export interface ProxyQuestion {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** As it goes into the header: a service's own token, or the grant of an execution. */
  authorization(): Promise<string>;
  /** JSON. */
  readonly body?: string | undefined;
  /** Sent behind the JSON, after a line feed, as it is. */
  readonly document?: Uint8Array | undefined;
  readonly etag?: string | undefined;
  readonly traceparent?: string | undefined;
  readonly timeoutMs: number;
}

export type ProxyAnswer =
  /** `value` is what the JSON of the body says; undefined for an empty body. */
  | { readonly kind: 'answered'; readonly value: unknown }
  /** The proxy refused, with one of our codes. */
  | { readonly kind: 'refused'; readonly error: AppError }
  /** The question has certainly not been acted upon: there was no connection, or the proxy is being stopped. */
  | { readonly kind: 'unheard'; readonly reason: string }
  /** It was sent, and no answer came: whether it was acted upon is unknown. */
  | { readonly kind: 'lost'; readonly reason: string }
  | { readonly kind: 'aborted'; readonly wasSent: boolean };

export interface ProxyConnection {
  /** Never rejects but for what `authorization` throws. */
  ask(question: ProxyQuestion, signal?: AbortSignal): Promise<ProxyAnswer>;
  close(): Promise<void>;
}

/** An idle connection is let go well before the proxy would close it (72 s). */
const KEEP_ALIVE_MS = 30_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** Above the largest reply of a tool (8 MB) and a catalog of ten thousand tools, escaped. */
const ANSWER_LIMIT_BYTES = 128 * 1024 * 1024;

/** JSON without a line feed, a line feed, and then bytes. */
export const DOCUMENT_CONTENT_TYPE = 'application/vnd.code-executor.document';

/** Errors before the first byte of a question has left. */
const NOT_SENT = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'EADDRNOTAVAIL'],
  ...['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_CLOSED', 'UND_ERR_DESTROYED'],
]);

/** Keeps connections to one address, as many as there are questions under way. @throws AppError INVALID_REQUEST where `url` is none. */
export function connectToProxy(url: string): ProxyConnection {
  const pool = new Pool(originOf(url), {
    keepAliveTimeout: KEEP_ALIVE_MS,
    connect: { timeout: CONNECT_TIMEOUT_MS, noDelay: true },
    maxResponseSize: ANSWER_LIMIT_BYTES,
    pipelining: 1,
  });
  return {
    ask: (question, signal) => ask(pool, question, signal),
    close: () => pool.destroy(),
  };
}

/** `ask`s again after a pause while nothing is heard, until `windowMs` are over. The last answer counts. */
export async function askWithin(
  connection: ProxyConnection,
  question: ProxyQuestion,
  { windowMs, again }: { readonly windowMs: number; readonly again: (answer: ProxyAnswer) => boolean },
  signal?: AbortSignal,
): Promise<ProxyAnswer> {
  const giveUpAt = performance.now() + windowMs;
  for (let attempt = 0; ; attempt += 1) {
    const answer = await connection.ask(question, signal);
    const pauseMs = Math.min(500, 20 * 2 ** attempt);
    if (!again(answer) || performance.now() + pauseMs > giveUpAt) return answer;
    if (!(await pause(pauseMs, signal))) return { kind: 'aborted', wasSent: answer.kind === 'lost' };
  }
}

async function ask(pool: Pool, question: ProxyQuestion, signal: AbortSignal | undefined): Promise<ProxyAnswer> {
  const { method, path, body, document, etag, traceparent, timeoutMs } = question;
  const authorization = await question.authorization();
  if (signal?.aborted) return { kind: 'aborted', wasSent: false };
  try {
    const response = await pool.request({
      method,
      path,
      headers: {
        authorization,
        ...(body === undefined ? {} : { 'content-type': document === undefined ? 'application/json' : DOCUMENT_CONTENT_TYPE }),
        ...(etag === undefined ? {} : { 'if-none-match': etag }),
        ...(traceparent === undefined ? {} : { traceparent }),
      },
      body: document === undefined ? (body ?? null) : Buffer.concat([Buffer.from(`${body}\n`), document]),
      signal: signal ?? null,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    const text = await response.body.text();
    if (response.statusCode === 304) return { kind: 'answered', value: undefined };
    return answerOf(response.statusCode, text);
  } catch (error) {
    if (signal?.aborted) return { kind: 'aborted', wasSent: true };
    const code = codeOf(error);
    return { kind: code !== null && NOT_SENT.has(code) ? 'unheard' : 'lost', reason: messageOf(error) || code || 'no connection' };
  }
}

function answerOf(status: number, text: string): ProxyAnswer {
  const value = parse(text);
  if (status >= 200 && status < 300 && value !== NO_JSON) return { kind: 'answered', value };
  const error = errorOf(value);
  // Something between us and the proxy has answered in its place.
  if (error === null) return { kind: 'lost', reason: `an answer ${status} that is none of the MCP proxy's` };
  return error.code === 'SHUTTING_DOWN' ? { kind: 'unheard', reason: error.message } : { kind: 'refused', error };
}

const NO_JSON = Symbol('no JSON');

function parse(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return NO_JSON;
    throw error;
  }
}

/** The AppError that the proxy threw, as it was. */
function errorOf(value: unknown): AppError | null {
  if (typeof value !== 'object' || value === null || !('error' in value)) return null;
  const { error } = value;
  if (typeof error !== 'object' || error === null || !('code' in error) || !('message' in error)) return null;
  if (typeof error.message !== 'string' || !isErrorCode(error.code)) return null;
  return new AppError(error.code, error.message, 'details' in error ? { details: error.details } : {});
}

const isErrorCode = (code: unknown): code is ErrorCode => typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);

function codeOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null) return null;
  // Several addresses of one name: each has failed in its own way, and none was reached.
  if (error instanceof AggregateError) return error.errors.map(codeOf).find((code) => code !== null) ?? null;
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'cause' in error ? codeOf(error.cause) : null;
}

function originOf(url: string): string {
  if (!URL.canParse(url)) throw new AppError('INVALID_REQUEST', `EXECUTOR_PROXY_URL: ${JSON.stringify(url.slice(0, 200))} is no URL`);
  const { origin, protocol } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new AppError('INVALID_REQUEST', `EXECUTOR_PROXY_URL: http or https, not ${protocol}`);
  return origin;
}

/** Whether the time has passed, rather than the signal come. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
    return true;
  } catch (error) {
    if (signal?.aborted) return false;
    throw error;
  }
}
