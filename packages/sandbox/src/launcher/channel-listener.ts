import { chmod, mkdir, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';

/** Where launcher and bridge meet: a Unix socket in a directory that only this user enters. */
export interface ChannelListener {
  readonly dir: string;
  /** The socket that will introduce itself with `token` goes to `take`, until `cancel` is called. */
  expect(token: string, take: (socket: Socket) => void): { cancel(): void };
  close(): Promise<void>;
}

export const TOKEN_BYTES = 32;

/** Listens on `dir/channel.sock`. `dir` is made, and what an earlier service left there is removed. */
export async function listenForChannels(dir: string): Promise<ChannelListener> {
  const expected = new Map<string, (socket: Socket) => void>();
  const path = join(dir, 'channel.sock');
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  await rm(path, { force: true });
  const server = createServer((socket) => {
    // The launcher sends the token in one piece before anything inside the sandbox holds the socket.
    socket.once('data', (chunk: Buffer) => {
      const token = chunk.toString('latin1', 0, TOKEN_BYTES);
      const take = expected.get(token);
      expected.delete(token);
      socket.removeAllListeners('error');
      if (take === undefined) {
        socket.destroy();
        return;
      }
      if (chunk.length > TOKEN_BYTES) socket.unshift(chunk.subarray(TOKEN_BYTES));
      take(socket);
    });
    socket.once('error', () => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, backlog: 511 }, resolve);
  });
  server.unref();
  return {
    dir,
    expect(token, take) {
      expected.set(token, take);
      return { cancel: () => void expected.delete(token) };
    },
    async close() {
      expected.clear();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(path, { force: true });
    },
  };
}
