import { connect, type Socket } from 'node:net';

/** A bare TCP client: what it received so far, and the end of its connection. */
export interface RawClient {
  readonly socket: Socket;
  received(): string;
  /** Resolves when the text has arrived; rejects after `withinMs`. */
  until(text: string | RegExp, withinMs?: number): Promise<string>;
  readonly closed: Promise<void>;
}

export function rawClient(port: number, sent: string): RawClient {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  let notify: (() => void) | null = null;
  socket.setEncoding('utf8');
  socket.on('data', (chunk) => {
    text += chunk;
    notify?.();
  });
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      notify?.();
      resolve();
    });
  });
  // A reset is one way for a connection to end.
  socket.on('error', () => socket.destroy());
  socket.write(sent);
  return {
    socket,
    received: () => text,
    closed,
    until: (wanted, withinMs = 20_000) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`not within ${withinMs} ms: ${wanted}; received: ${text.slice(-500)}`)), withinMs);
        notify = () => {
          if (typeof wanted === 'string' ? !text.includes(wanted) : !wanted.test(text)) return;
          clearTimeout(timer);
          notify = null;
          resolve(text);
        };
        notify();
      }),
  };
}
