import { setTimeout as sleep } from 'node:timers/promises';
import { readEventStream } from '@code-executor/sdk';

interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
}

/** One client's way to /mcp. */
export interface McpLink {
  /** What is answered to one message, notifications before the answer included. */
  send(message: Message): AsyncGenerator<object>;
  /** Ends the session, where there is one. */
  end(): Promise<void>;
}

/** Where the protocol's stateless versions say which they are. */
const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';
const NAMED_BY: Readonly<Record<string, string>> = { 'tools/call': 'name', 'prompts/get': 'name', 'resources/read': 'uri' };
const RESUMES = 5;
const RESUME_DELAY_MS = 500;
const END_TIMEOUT_MS = 2_000;

export function createMcpLink(url: string, key: string | null, signal: AbortSignal): McpLink {
  let sessionId: string | null = null;
  let version: string | null = null;

  function headersFor(message: Message | null): Record<string, string> {
    const own = (message?.params?._meta as Record<string, unknown> | undefined)?.[VERSION_KEY];
    const named = message?.params?.[NAMED_BY[message.method ?? ''] ?? ''];
    return {
      accept: 'application/json, text/event-stream',
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(sessionId === null ? {} : { 'mcp-session-id': sessionId }),
      ...(typeof own === 'string' ? { 'mcp-protocol-version': own } : version === null ? {} : { 'mcp-protocol-version': version }),
      // The stateless versions want to be told apart without reading the body.
      ...(typeof own === 'string' && message?.method !== undefined ? { 'mcp-method': message.method } : {}),
      ...(typeof own === 'string' && typeof named === 'string' ? { 'mcp-name': headerValue(named) } : {}),
    };
  }

  async function* send(message: Message): AsyncGenerator<object> {
    let response = await fetch(url, {
      method: 'POST',
      headers: { ...headersFor(message), 'content-type': 'application/json' },
      body: JSON.stringify(message),
      signal,
      redirect: 'error',
    });
    if (message.method === 'initialize') sessionId = response.headers.get('mcp-session-id') ?? sessionId;
    if (response.headers.get('content-type')?.includes('text/event-stream') !== true) {
      yield* single(response, message);
      return;
    }
    let lastId: string | null = null;
    for (let tries = 0; ; tries += 1) {
      try {
        if (response.body === null) return;
        for await (const event of readEventStream(response.body)) {
          if (event === null || event.data === '') continue;
          lastId = event.id ?? lastId;
          const answer = JSON.parse(event.data) as Message;
          yield remembered(answer, message);
          if (answer.method === undefined && answer.id === message.id) return;
        }
      } catch (error) {
        if (signal.aborted || lastId === null || tries >= RESUMES) throw error;
      }
      if (lastId === null || tries >= RESUMES) return;
      await sleep(RESUME_DELAY_MS * (tries + 1), undefined, { signal });
      response = await fetch(url, {
        headers: { ...headersFor(null), accept: 'text/event-stream', 'last-event-id': lastId },
        signal,
        redirect: 'error',
      });
      if (!response.ok) throw new Error(`the stream broke, and cannot be gone on with (HTTP ${response.status})`);
    }
  }

  /** One answer, or none: a notification is accepted with nothing. */
  async function* single(response: Response, message: Message): AsyncGenerator<object> {
    const text = await response.text();
    if (text === '') {
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      return;
    }
    const answer = JSON.parse(text) as Message & { error?: { code?: unknown; message?: unknown } };
    // Refused before MCP was spoken: in the words of the HTTP API.
    if (!('jsonrpc' in answer)) throw new Error(String(answer.error?.message ?? `HTTP ${response.status}`));
    if (message.id === undefined && response.ok) return;
    yield remembered(answer.id == null && message.id !== undefined ? { ...answer, id: message.id } : answer, message);
  }

  function remembered(answer: Message, { id, method }: Message): object {
    if (method === 'initialize' && answer.id === id) {
      const agreed = (answer as { result?: { protocolVersion?: unknown } }).result?.protocolVersion;
      if (typeof agreed === 'string') version = agreed;
    }
    return answer;
  }

  return {
    send,
    async end() {
      if (sessionId === null) return;
      // A service that is gone has no session either.
      await fetch(url, { method: 'DELETE', headers: headersFor(null), signal: AbortSignal.timeout(END_TIMEOUT_MS) }).catch(() => undefined);
    },
  };
}

/** As the protocol writes what is no plain ASCII into a header. */
function headerValue(text: string): string {
  return /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !text.startsWith('=?base64?')
    ? text
    : `=?base64?${Buffer.from(text, 'utf8').toString('base64')}?=`;
}
