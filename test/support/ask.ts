import { type IncomingHttpHeaders, request } from 'node:http';
import type { Service } from './start-service.ts';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  json(): unknown;
}

export interface AskOptions {
  /** Default: the admin key. null: no Authorization at all. */
  readonly key?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, as application/json unless `headers` say otherwise. */
  readonly raw?: string | Buffer;
  readonly signal?: AbortSignal;
}

/** One request over a connection of its own, with any header, Host too. Rejects when the connection breaks or `signal` aborts. */
export function ask(service: Pick<Service, 'url' | 'key'>, method: string, path: string, options: AskOptions = {}): Promise<Reply> {
  const { key = service.key, body, signal } = options;
  const raw = options.raw ?? (body === undefined ? undefined : JSON.stringify(body));
  const headers: Record<string, string> = {
    ...(key === null ? {} : { authorization: `Bearer ${key}` }),
    ...(raw === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(raw)) }),
    ...options.headers,
  };
  const { hostname, port } = new URL(service.url);
  return new Promise((resolve, reject) => {
    const call = request({ host: hostname, port, method, path, headers, agent: false, signal }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, json: () => JSON.parse(text) });
      });
    });
    call.on('error', reject);
    call.end(raw);
  });
}

/** Makes a key of this role; the bare key and its id. */
export async function makeKey(service: Service, role: string): Promise<{ key: string; id: string }> {
  const { status, text, json } = await ask(service, 'POST', '/keys', { body: { name: `test ${role}`, role } });
  if (status !== 201) throw new Error(`no key was made: ${text}`);
  return json() as { key: string; id: string };
}
