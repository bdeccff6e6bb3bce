import { closeSync, constants, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { CHANNEL_NAME, CONTROL_NAME, OUTPUT_NAME } from './protocol.ts';

/** The worker's end of the directory that it shares with one container. */
export interface OpenPlace {
  /** Read end of the container's output; whoever takes it closes it. */
  takeOutput(): number;
  /** Nothing can be connected or opened there from now on: to be called before the program arrives. */
  seal(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Listens for one channel and one control connection. Throws what listening throws. */
export async function openPlace(dir: string, onChannel: (socket: Socket) => void, onControl: (socket: Socket) => void): Promise<OpenPlace> {
  let output: number | null = openSync(join(dir, OUTPUT_NAME), constants.O_RDONLY | constants.O_NONBLOCK);
  const servers: Server[] = [];
  const seal = async (): Promise<void> => {
    // It listens no more from here on; that the callback waits for connections is of no interest.
    for (const server of servers.splice(0)) server.close();
    await Promise.all([CHANNEL_NAME, CONTROL_NAME, OUTPUT_NAME].map((name) => rm(join(dir, name), { force: true })));
  };
  const close = async (): Promise<void> => {
    if (output !== null) closeSync(output);
    output = null;
    await seal();
  };
  try {
    servers.push(await listenOnce(join(dir, CHANNEL_NAME), onChannel), await listenOnce(join(dir, CONTROL_NAME), onControl));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    takeOutput() {
      if (output === null) throw new Error('the output was taken before');
      const fd = output;
      output = null;
      return fd;
    },
    seal,
    close,
  };
}

/** Takes the first connection; whoever comes later finds nobody. */
async function listenOnce(path: string, take: (socket: Socket) => void): Promise<Server> {
  let taken = false;
  const server = createServer((socket) => {
    if (taken) {
      socket.destroy();
      return;
    }
    taken = true;
    take(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The container's user is another one; nobody else sees the directory.
    server.listen({ path, readableAll: true, writableAll: true }, resolve);
  });
  return server;
}
