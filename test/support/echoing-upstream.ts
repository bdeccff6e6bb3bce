import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An API on loopback that gives back every credential it was called with, in as many ways as it can think of. */
export interface EchoingUpstream {
  readonly url: string;
  /** Every value of a header, query parameter or cookie that a request has carried. */
  readonly seen: Set<string>;
  close(): Promise<void>;
}

const MODES = [
  ...(['plain', 'encoded', 'split', 'names', 'headers', 'error', 'refused', 'redirect', 'text', 'binary'] as const),
  ...(['chunks', 'lines', 'error-split', 'error-lines', 'wrong-json', 'broken-off'] as const),
] as const;

/** Its description, as OpenAPI: one operation, which may be called without approval. */
export const ECHO_DOCUMENT = {
  openapi: '3.1.0',
  info: { title: 'Echo', version: '1' },
  paths: {
    '/echo': {
      get: {
        operationId: 'echo',
        parameters: [{ name: 'mode', in: 'query', required: true, schema: { enum: MODES } }],
        responses: { 200: { description: 'what it was called with', content: { 'application/json': { schema: {} } } } },
      },
    },
  },
};
export const ECHO_MODES: readonly string[] = MODES;

export async function startEchoingUpstream(): Promise<EchoingUpstream> {
  const seen = new Set<string>();
  const server = createServer((request, response) => {
    const target = new URL(request.url ?? '/', 'http://upstream');
    const mode = target.searchParams.get('mode') ?? 'plain';
    const ours = ['authorization', 'cookie', 'x-api-key', 'x-org', 'x-code-executor-signature'];
    const values = [
      ...ours.flatMap((name) => String(request.headers[name] ?? '').split(/[ ;=]+/)),
      ...[...target.searchParams].filter(([name]) => name !== 'mode').map(([, value]) => value),
    ].filter((value) => value.length >= 8);
    for (const value of values) seen.add(value);
    const json = (status: number, value: unknown, headers: Record<string, string> = {}): void =>
      void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
    const half = (value: string): number => Math.ceil(value.length / 2);
    switch (mode) {
      case 'encoded':
        return json(200, values.map(encodings));
      case 'split':
        return json(
          200,
          values.map((value) => ({ first: value.slice(0, half(value)), second: value.slice(half(value)) })),
        );
      case 'names':
        return json(200, Object.fromEntries(values.map((value) => [value, { [`x-${value}`]: true }])));
      case 'headers':
        return json(
          200,
          { ok: true },
          { 'x-echo': values.join(','), link: `<${target.pathname}?k=${values.map(encodeURIComponent).join('&k=')}>; rel="next"` },
        );
      case 'error':
        return json(500, { message: `cannot log in with ${values.join(' or ')}`, encoded: values.map(encodings) });
      case 'refused':
        return json(
          401,
          { error: values },
          { 'www-authenticate': `Bearer error="invalid_token", error_description="${values.join(' ')}"` },
        );
      case 'redirect':
        return void response.writeHead(302, { location: `http://169.254.169.254/${values.map(encodeURIComponent).join('/')}` }).end();
      case 'text':
        return void response.writeHead(200, { 'content-type': 'text/plain' }).end(values.flatMap(encodings).join('\n'));
      case 'binary':
        return void response
          .writeHead(200, { 'content-type': 'application/octet-stream' })
          .end(Buffer.from(`\u0000${values.join('\u0000')}\u0001`));
      case 'chunks':
        // The network brings each in several pieces.
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write(`["${values.map((value) => JSON.stringify(value).slice(1, 5)).join('","')}`);
        return void setTimeout(() => response.end(`"${values.map((value) => `,${JSON.stringify(value)}`).join('')}]`), 20);
      case 'lines':
        return void response
          .writeHead(200, { 'content-type': 'text/plain' })
          .end(values.map((value) => `${value.slice(0, half(value))}\n${value.slice(half(value))}`).join('\n'));
      case 'error-split':
        return json(
          400,
          values.map((value) => ({ first: value.slice(0, half(value)), second: value.slice(half(value)) })),
        );
      case 'error-lines':
        return json(500, { message: values.map((value) => `${value.slice(0, half(value))} ${value.slice(half(value))}`).join('; ') });
      case 'wrong-json':
        return void response.writeHead(200, { 'content-type': 'application/json' }).end(`{"token": "${values.join(' ')}", }`);
      case 'broken-off':
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100000' });
        response.write(`{"token": ${JSON.stringify(values)}`);
        return void setTimeout(() => response.destroy(), 20);
      default:
        return json(200, { values, all: request.headers, url: request.url });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Spellings of a value that a reader could undo at a glance. Written apart from the product's own list. */
export function encodings(value: string): string[] {
  const bytes = Buffer.from(value);
  const shifted = ['{"token":"', 'k=', 'a:'].map((before) => Buffer.from(`${before}${value}"}`).toString('base64'));
  return [
    value,
    JSON.stringify(value),
    encodeURIComponent(value),
    [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
    bytes.toString('base64'),
    bytes.toString('base64url'),
    bytes.toString('hex'),
    ...shifted,
  ];
}
