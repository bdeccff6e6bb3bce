import type { Readable } from 'node:stream';
import { ERROR_CODES, type ErrorCode } from '@code-executor/contracts';
import { AppError, messageOf } from '@code-executor/platform';
import { Pool } from 'undici';
import { type Exchange, exchange } from './exchange.ts';

export interface ProxyClientOptions {
  /** Where mcp-proxy listens, such as `http://127.0.0.1:9092`. */
  readonly url: string;
  /** A short-lived token that says which role asks. */
  readonly authorize: () => Promise<string>;
  /** Connections kept at most; each carries one request at a time. */
  readonly connections?: number | undefined;
}

export interface ProxyRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  /** As JSON. */
  readonly body?: unknown;
  /** In place of it: bytes as they are, read once. */
  readonly content?: { readonly stream: Readable; readonly bytes: number } | undefined;
  /** In place of the role's token: the grant of one execution. */
  readonly bearer?: string | undefined;
  /** From sending to the last byte of the answer. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ProxyClient {
  /**
   * What mcp-proxy answers, as JSON; null for an answer without a body. Throws the proxy's own refusals by their code and
   * LEDGER_UNAVAILABLE where no answer came: whether the request arrived is then unknown.
   */
  ask(request: ProxyRequest): Promise<unknown>;
  /** The same for an answer of bytes, which is the caller's to read within the time, or to destroy. */
  open(request: ProxyRequest): Promise<Readable>;
  close(): Promise<void>;
}

type Wire = Pick<Exchange, 'method' | 'path' | 'headers' | 'body'>;

/** A catalog of ten thousand tools has some 10 MB. */
const ANSWER_LIMIT_BYTES = 64 * 1024 * 1024;
const CONNECT_MS = 2_000;
/** Well below what the proxy keeps an idle connection for (72 s), so that no request is sent into one that is being closed. */
const KEEP_ALIVE_MS = 30_000;

/** mcp-proxy's internal routes over connections that are kept open. */
export function createProxyClient({ url, authorize, connections = 64 }: ProxyClientOptions): ProxyClient {
  const { origin } = new URL(url);
  const pool = new Pool(origin, {
    connections,
    connect: { timeout: CONNECT_MS },
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
  });
  return {
    async ask(request) {
      const { timeoutMs, signal } = request;
      const { status, text } = await sent(request, (wire) => {
        return exchange(pool, { ...wire, timeoutMs, signal, answerLimitBytes: ANSWER_LIMIT_BYTES });
      });
      const json = parse(text);
      if (isGood(status) && json !== undefined) return json;
      throw refusal(status, json, nameOf(request));
    },
    async open(request) {
      const { timeoutMs, signal } = request;
      const { status, body, text } = await sent(request, async (wire) => {
        const bound = AbortSignal.timeout(timeoutMs);
        const answer = await pool.request({ ...wire, signal: signal === undefined ? bound : AbortSignal.any([bound, signal]) });
        return isGood(answer.statusCode)
          ? { status: answer.statusCode, body: answer.body, text: '' }
          : { status: answer.statusCode, body: null, text: await readWithin(answer.body, ANSWER_LIMIT_BYTES) };
      });
      if (body !== null) return body;
      throw refusal(status, parse(text), nameOf(request));
    },
    close: () => pool.destroy(),
  };

  async function sent<Answer>(request: ProxyRequest, send: (wire: Wire) => Promise<Answer>): Promise<Answer> {
    const { method, path, body, content, bearer, signal } = request;
    const token = bearer ?? (await authorize());
    const headers = { authorization: `Bearer ${token}`, ...headersOf(request) };
    try {
      return await send({ method, path, headers, body: content?.stream ?? (body === undefined ? null : JSON.stringify(body)) });
    } catch (error) {
      signal?.throwIfAborted();
      throw new AppError('LEDGER_UNAVAILABLE', `mcp-proxy does not answer ${nameOf(request)}: ${messageOf(error)}`, { cause: error });
    } finally {
      content?.stream.destroy();
    }
  }
}

function headersOf({ body, content }: ProxyRequest): Record<string, string> {
  if (content !== undefined) return { 'content-type': 'application/octet-stream', 'content-length': String(content.bytes) };
  return body === undefined ? {} : { 'content-type': 'application/json' };
}

const isGood = (status: number): boolean => status >= 200 && status < 300;
const nameOf = ({ method, path }: ProxyRequest): string => `${method} ${path}`;

async function readWithin(stream: AsyncIterable<Buffer>, limitBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > limitBytes) throw new Error(`the answer is larger than ${limitBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** undefined: no JSON. */
function parse(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusal(status: number, json: unknown, request: string): AppError {
  const error = typeof json === 'object' && json !== null && 'error' in json ? json.error : null;
  const { code, message } = typeof error === 'object' && error !== null ? (error as { code?: unknown; message?: unknown }) : {};
  if (typeof code === 'string' && Object.hasOwn(ERROR_CODES, code) && code !== 'INTERNAL')
    return new AppError(code as ErrorCode, `mcp-proxy refused ${request}: ${String(message)}`);
  return new AppError('LEDGER_UNAVAILABLE', `mcp-proxy answered ${request} with ${status}`);
}
