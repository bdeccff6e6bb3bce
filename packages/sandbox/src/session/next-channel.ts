import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { FrameChannel } from '../channel/frame-channel.ts';
import { createFrameSocket } from '../channel/frame-socket.ts';
import { pathIn } from '../workspace/open-beneath.ts';

/**
 * Puts a socket into a sandbox's workspace for as long as one connection takes, and makes that the channel. `listening` is called
 * when the sandbox may look for it: by then nothing is left in there but the interpreter it is meant for. Rejects with the signal's
 * reason, or with why the channel never became ready.
 */
export async function openNextChannel(
  workspaceFd: number,
  name: string,
  signal: AbortSignal,
  listening: () => void,
): Promise<FrameChannel> {
  const path = pathIn(workspaceFd, name);
  const arrived = Promise.withResolvers<FrameChannel>();
  let socket: Socket | null = null;
  const server = createServer((connection) => {
    if (socket !== null) {
      connection.destroy();
      return;
    }
    socket = connection;
    const channel = createFrameSocket(connection, {
      onReady: () => queueMicrotask(() => arrived.resolve(channel)),
      onLost: (reason) => arrived.reject(new Error(reason)),
    });
  });
  const onAbort = (): void => arrived.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    // What a program put there goes; where it cannot go, listening fails.
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    listening();
    return await arrived.promise;
  } catch (error) {
    (socket as Socket | null)?.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    server.close();
  }
}
