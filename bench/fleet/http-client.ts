import { Agent, request } from 'node:http';

/** Whoever answers the API: the embedded form, a gateway, or the address of a whole deployment. */
export interface Client {
  post(path: string, body: unknown): Promise<{ status: number; body: unknown }>;
  get(path: string): Promise<{ status: number; body: unknown }>;
  close(): void;
}

/** Connections that are kept, as an agent's HTTP library keeps them. */
export function connect(url: string, key: string): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 128 });
  const { hostname, port } = new URL(url);
  return {
    post: (path, body) => send('POST', path, JSON.stringify(body)),
    get: (path) => send('GET', path),
    close: () => agent.destroy(),
  };

  function send(method: string, path: string, text?: string): Promise<{ status: number; body: unknown }> {
    const content = text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    return new Promise((resolve, reject) => {
      const options = { agent, hostname, port, method, path, headers: { authorization: `Bearer ${key}`, ...content } };
      const call = request(options, async (answer) => {
        try {
          const chunks: Buffer[] = await answer.toArray();
          resolve({ status: answer.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString('utf8')) });
        } catch (error) {
          reject(error);
        }
      });
      call.on('error', reject);
      call.end(text);
    });
  }
}
