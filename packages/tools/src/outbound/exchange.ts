import type { Readable } from 'node:stream';
import { AppError, isAppError } from '@code-executor/platform';
import type { Agent } from 'undici';
import { decompressed } from './decompress.ts';
import { judgeUrl } from './judge-destination.ts';

/** A request in the one form that is sent: header names in lower case, the whole body in memory so that a redirect may repeat it. */
export interface Exchange {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | null;
}

export interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Decompressed. Must be read to its end or destroyed. */
  readonly body: Readable;
  readonly url: URL;
  readonly isRedirected: boolean;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** What a stranger may see of a request that was meant for somebody else; everything else may be a credential. */
const SAFE_HEADERS = new Set(['accept', 'accept-language', 'accept-encoding', 'content-type', 'content-language', 'range', 'user-agent']);
/** An answer that is thrown away for its redirect is read to its end this far, so that the connection can be used again. */
const DISCARDED_BYTES = 16 * 1024;

/**
 * Sends a request and follows where it is sent on to, judging each step like the first one: another origin is told no credential, gets
 * no body, and is never one that was opened for this integration alone; nothing leads from https to http.
 */
export async function exchange(
  first: Exchange,
  options: { readonly agentFor: (url: URL, isFirst: boolean) => Agent; readonly redirects: number; readonly signal: AbortSignal },
): Promise<Answer> {
  let step = first;
  let hasLeft = false;
  for (let redirects = 0; ; redirects += 1) {
    const answer = await send(step, options.agentFor(step.url, !hasLeft), options.signal).catch((error: unknown) => {
      throw redirects === 0 ? error : afterRedirect(error, first);
    });
    const location = REDIRECTS.has(answer.statusCode) ? answer.headers.location : undefined;
    if (typeof location !== 'string' || options.redirects === 0) return answerOf(answer, step, redirects > 0);
    await answer.body.dump({ limit: DISCARDED_BYTES, signal: options.signal });
    if (redirects === options.redirects) throw lost(step, `it redirects more than ${options.redirects} times`);
    const next = redirected(step, location, answer.statusCode);
    hasLeft ||= next.url.origin !== first.url.origin;
    step = next;
  }
}

type Received = Awaited<ReturnType<Agent['request']>>;

async function send(step: Exchange, agent: Agent, signal: AbortSignal): Promise<Received> {
  judgeUrl(step.url);
  const answer = await agent.request({
    origin: step.url.origin,
    path: `${step.url.pathname}${step.url.search}`,
    method: step.method,
    headers: step.headers,
    body: step.body,
    signal,
  });
  // Who reads it meets its errors; a body that nobody reads must not end the process with one.
  answer.body.on('error', () => undefined);
  return answer;
}

/** That nothing was sent is true of where it was sent on to, not of who sent it there. */
function afterRedirect(error: unknown, { url }: Exchange): unknown {
  if (isAppError(error, 'UPSTREAM_UNAVAILABLE'))
    return new AppError('UPSTREAM_LOST', `${url.host} redirected: ${error.message}`, { cause: error });
  if (!isAppError(error, 'OUTBOUND_REFUSED')) return error;
  const details = { ...(error.details as Readonly<Record<string, unknown>>), redirectedFrom: url.origin };
  return new AppError('OUTBOUND_REFUSED', `${url.origin} redirected: ${error.message}`, { details });
}

function answerOf(answer: Received, step: Exchange, isRedirected: boolean): Answer {
  const headers = Object.fromEntries(
    Object.entries(answer.headers).filter((entry): entry is [string, string | string[]] => entry[1] !== undefined),
  );
  const hasBody = step.method !== 'HEAD' && answer.statusCode !== 204 && answer.statusCode !== 304;
  const encoding = headers['content-encoding'];
  if (!hasBody || encoding === undefined) return { ...common(answer, step, isRedirected), headers, body: answer.body };
  const { 'content-encoding': _encoding, 'content-length': _length, ...rest } = headers;
  try {
    return { ...common(answer, step, isRedirected), headers: rest, body: decompressed(answer.body, String(encoding)) };
  } catch (error) {
    answer.body.destroy();
    throw error;
  }
}

const common = (answer: Received, { url }: Exchange, isRedirected: boolean) => ({
  status: answer.statusCode,
  statusText: answer.statusText,
  url,
  isRedirected,
});

function redirected(step: Exchange, location: string, status: number): Exchange {
  const from = step.url.origin;
  if (!URL.canParse(location, step.url.href)) throw lost(step, 'it redirects to what is no address');
  const url = new URL(location, step.url.href);
  const isElsewhere = url.origin !== from;
  const refuse = (why: string): AppError =>
    new AppError('OUTBOUND_REFUSED', `${from} redirects to ${url.origin}: ${why}`, { details: { host: url.host, redirectedFrom: from } });
  if (step.url.protocol === 'https:' && url.protocol === 'http:') throw refuse('what began with https is not continued without it');
  const becomesGet = status === 303 ? step.method !== 'HEAD' : (status === 301 || status === 302) && step.method === 'POST';
  if (isElsewhere && !becomesGet && step.method !== 'GET' && step.method !== 'HEAD') {
    throw refuse(`a ${step.method} request is not sent on to another server`);
  }
  const headers = Object.entries(step.headers)
    .filter(([name]) => !isElsewhere || SAFE_HEADERS.has(name))
    .filter(([name]) => !becomesGet || !name.startsWith('content-'));
  return { method: becomesGet ? 'GET' : step.method, url, headers: Object.fromEntries(headers), body: becomesGet ? null : step.body };
}

const lost = (step: Exchange, why: string): AppError => new AppError('UPSTREAM_LOST', `${step.url.host} gave no answer: ${why}`);
