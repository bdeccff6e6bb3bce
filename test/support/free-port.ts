import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that Linux gives out by itself (from 32768): nobody who asks for any port is given this one meanwhile. */
const FIRST = 20_000;
const LAST = 32_000;

/** A port of the loopback that nothing listens on, to be listened on a little later by another process. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${FIRST} to ${LAST}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch {
    return false; // Somebody has it.
  }
  server.close();
  await once(server, 'close');
  return true;
}
