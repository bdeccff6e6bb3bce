import { createConnection } from 'node:net';
import { messageOf } from '@code-executor/platform';
import { onLines } from '../boot/on-lines.ts';
import { type ContainerAnswer, type ContainerOrder, type ContainerRequest, containerAnswerSchema } from './protocol.ts';

export interface PoolConnection {
  send(request: ContainerOrder | ContainerRequest): void;
  /** Resolves when what was sent has left this process, so that a large snapshot does not gather here. */
  drained(): Promise<void>;
  /** The next answer that is no event; rejects when the connection ends before. One asks at a time. */
  answer(): Promise<ContainerAnswer>;
  onEvent(take: (event: ContainerAnswer) => void): void;
  /** Resolves when the connection has ended, whichever side ended it. */
  readonly closed: Promise<void>;
  close(): void;
}

const EVENTS: readonly ContainerAnswer['type'][] = ['out-of-memory', 'gone', 'memory'];

/** Connects to the service that makes containers. Rejects with the reason when it does not answer. */
export async function connectToPool(socketPath: string): Promise<PoolConnection> {
  const socket = createConnection(socketPath);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', (error) => reject(new Error(`the container service does not answer at ${socketPath}: ${messageOf(error)}`)));
  });
  const closed = Promise.withResolvers<void>();
  const waiting: ContainerAnswer[] = [];
  const unheard: ContainerAnswer[] = [];
  let asked: PromiseWithResolvers<ContainerAnswer> | null = null;
  let listener: ((event: ContainerAnswer) => void) | null = null;
  let over = false;

  socket.removeAllListeners('error');
  socket.on('error', () => socket.destroy());
  socket.once('close', () => {
    over = true;
    asked?.reject(new Error('the container service closed the connection'));
    closed.resolve();
  });
  onLines(socket, (line) => {
    const answer = parse(line);
    if (answer === null) socket.destroy();
    else if (EVENTS.includes(answer.type) && (listener !== null || asked === null)) {
      if (listener === null) unheard.push(answer);
      else listener(answer);
    } else if (asked === null) waiting.push(answer);
    else {
      asked.resolve(answer);
      asked = null;
    }
  });

  return {
    send(request) {
      if (socket.writable) socket.write(`${JSON.stringify(request)}\n`);
    },
    async drained() {
      if (!over && socket.writableNeedDrain) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed.promise]);
    },
    answer() {
      const first = waiting.shift();
      if (first !== undefined) return Promise.resolve(first);
      if (over) return Promise.reject(new Error('the container service closed the connection'));
      asked = Promise.withResolvers();
      return asked.promise;
    },
    onEvent(take) {
      listener = take;
      for (const event of unheard.splice(0)) take(event);
    },
    closed: closed.promise,
    close: () => void socket.end(),
  };
}

function parse(line: string): ContainerAnswer | null {
  try {
    return containerAnswerSchema.parse(JSON.parse(line));
  } catch {
    return null; // No word of that service: the connection is of no use any more.
  }
}
