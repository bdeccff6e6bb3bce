import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An API that says which of these a call came from, and keeps count of what was written. */
export async function startCallerTeller(tags: readonly string[]) {
  const calls: string[] = [];
  const server = createServer((request, response) => {
    const caller = tags.find((tag) => request.headers.authorization === `Bearer credential-of-${tag}`) ?? 'nobody';
    calls.push(`${request.method} ${caller}`);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ caller: tags.indexOf(caller) }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
