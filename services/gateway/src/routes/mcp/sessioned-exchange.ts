import { isJSONRPCNotification, type JSONRPCMessage, type JSONRPCRequest, type Transport } from '@modelcontextprotocol/server';
import type { FrameQueue } from './frame-queue.ts';
import type { Exchange } from './mcp-server.ts';
import { eventIdOf, type StreamPosition } from './stream-position.ts';

/** A request that is answered within this needs no stream, and costs its client no second parser. */
const STREAM_AFTER_MS = 250;
const RETRY_MS = 1_000;

export type ExchangeAnswer =
  | { readonly kind: 'message'; readonly message: JSONRPCMessage }
  | { readonly kind: 'stream' }
  | { readonly kind: 'none' };

export interface SessionedExchange {
  readonly transport: Transport;
  readonly exchange: Exchange;
  /** How the HTTP answer begins: the response alone, a stream of it and what comes before, or nothing where it was cancelled. */
  readonly begun: Promise<ExchangeAnswer>;
  deliver(message: JSONRPCMessage): void;
  /** Nothing more comes. */
  close(): void;
}

/**
 * One request of the 2025 versions over one POST, or over the GET that goes on with it. The answer is plain JSON when it
 * is there at once, and a stream when something comes before it or it takes its time; then it begins with an event whose
 * id lets the client come back. `streams` false: the client takes no streams.
 */
export function createSessionedExchange(
  request: Pick<JSONRPCRequest, 'id'>,
  frames: FrameQueue,
  { streams, primes, onMessageSent }: { readonly streams: boolean; readonly primes: boolean; readonly onMessageSent: () => void },
): SessionedExchange {
  let position: StreamPosition | null = null;
  let isStream = false;
  let begin: (answer: ExchangeAnswer) => void = () => undefined;
  const begun = new Promise<ExchangeAnswer>((resolve) => {
    begin = resolve;
  });
  const timer = streams ? setTimeout(openStream, STREAM_AFTER_MS) : undefined;

  const transport: Transport = {
    start: async () => undefined,
    async send(message) {
      if (isJSONRPCNotification(message)) write(message, true);
      else answer(message);
    },
    async close() {
      end();
    },
  };

  return {
    transport,
    begun,
    exchange: {
      notify(notification, at) {
        if (at !== null) position = at;
        write({ jsonrpc: '2.0', ...notification }, true);
      },
      mark(at) {
        position = at;
      },
      ask(question) {
        write({ jsonrpc: '2.0', ...question }, false);
      },
    },
    deliver: (message) => transport.onmessage?.(message),
    close: end,
  };

  function openStream(): void {
    if (isStream) return;
    clearTimeout(timer);
    isStream = true;
    // Clients before 2025-11-25 take an event without data for a broken one.
    if (position !== null && primes) frames.push(`id: ${eventIdOf(position)}\nretry: ${RETRY_MS}\ndata: \n\n`, false);
    begin({ kind: 'stream' });
  }

  function write(message: JSONRPCMessage, optional: boolean): void {
    if (!streams) return;
    openStream();
    frames.push(frameOf(message, position), optional);
  }

  function answer(message: JSONRPCMessage): void {
    if ('id' in message && message.id !== request.id) return;
    onMessageSent();
    if (isStream) {
      frames.push(frameOf(message, null), false);
      frames.end();
    } else {
      clearTimeout(timer);
      begin({ kind: 'message', message });
    }
  }

  function end(): void {
    clearTimeout(timer);
    frames.end();
    begin({ kind: 'none' });
  }
}

function frameOf(message: JSONRPCMessage, position: StreamPosition | null): string {
  const id = position === null ? '' : `id: ${eventIdOf(position)}\n`;
  return `${id}event: message\ndata: ${JSON.stringify(message)}\n\n`;
}
