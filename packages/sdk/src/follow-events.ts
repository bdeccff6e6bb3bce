import { ExecutorError } from './errors.ts';
import { readEventStream } from './http/event-stream.ts';
import { sleep } from './http/retry.ts';
import type { RequestOptions, Send } from './http/send.ts';
import type { ExecutionEvent } from './types/execution.ts';

/** The service says something every 15 s; a connection on which nothing comes for three times that is dead. */
const SILENCE_LIMIT_MS = 45_000;
/** Connections in a row that brought no event. */
const VAIN_LIMIT = 10;
const RECONNECT_DELAY_MS = 500;

export interface FollowOptions extends Pick<RequestOptions, 'signal'> {
  /** Go on after this event. 0: from the first. */
  readonly afterId?: number;
}

/** An execution's events up to its end, over as many connections as it takes, none twice. @throws ExecutorError */
export async function* followEvents(send: Send, path: string, options: FollowOptions = {}): AsyncGenerator<ExecutionEvent> {
  const never = new AbortController().signal;
  const given = options.signal ?? never;
  let lastId = options.afterId ?? 0;
  for (let vain = 0; ; vain += 1) {
    try {
      for await (const event of connection(send, path, lastId, given)) {
        if (event.id <= lastId) continue;
        lastId = event.id;
        vain = 0;
        yield event;
        if (event.type === 'ended') return;
      }
    } catch (error) {
      given.throwIfAborted();
      if (!mayReconnect(error) || vain >= VAIN_LIMIT) throw error;
    }
    if (vain >= VAIN_LIMIT) {
      throw new ExecutorError({
        code: 'NETWORK_ERROR',
        message: `The events of ${path} broke off ${VAIN_LIMIT} times in a row.`,
        status: 0,
      });
    }
    await sleep(RECONNECT_DELAY_MS * Math.min(vain + 1, 6), given);
    given.throwIfAborted();
  }
}

async function* connection(send: Send, path: string, afterId: number, given: AbortSignal): AsyncGenerator<ExecutionEvent> {
  const silence = new AbortController();
  const signal = AbortSignal.any([given, silence.signal]);
  let timer = setTimeout(() => silence.abort(), SILENCE_LIMIT_MS);
  try {
    const response = await send({
      method: 'GET',
      path,
      headers: { accept: 'text/event-stream', ...(afterId === 0 ? {} : { 'last-event-id': String(afterId) }) },
      options: { signal, timeoutMs: 0 },
      streamed: true,
    });
    if (response.body === null) return;
    for await (const event of readEventStream(response.body)) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_LIMIT_MS);
      if (event === null) continue;
      const data: unknown = JSON.parse(event.data);
      if (event.type === 'error') throw errorOf(data);
      yield { id: Number(event.id), type: event.type, data } as ExecutionEvent;
    }
  } finally {
    clearTimeout(timer);
  }
}

function errorOf(data: unknown): ExecutorError {
  const { code, message } = data as { code?: unknown; message?: unknown };
  return new ExecutorError({ code: String(code ?? 'INTERNAL'), message: String(message ?? 'The stream failed.'), status: 0 });
}

/** What the service says of itself passes; a refusal of this very request does not. A cut connection is no error of ours. */
function mayReconnect(error: unknown): boolean {
  if (!(error instanceof ExecutorError)) return true;
  return ['SHUTTING_DOWN', 'NETWORK_ERROR', 'INTERNAL', 'LEDGER_UNAVAILABLE', 'CLIENT_TIMEOUT'].includes(error.code);
}
