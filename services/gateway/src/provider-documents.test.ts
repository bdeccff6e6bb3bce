import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLogger } from '@code-executor/platform';
import { outboundSettings } from '@code-executor/tools';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openProviderDocuments } from './provider-documents.ts';

const PAGES: Record<string, RequestListener> = {
  '/keys': (_request, response) => void response.end('{"keys": []}'),
  '/away': (_request, response) => void response.writeHead(302, { location: '/keys' }).end(),
  '/large': (_request, response) => void response.end('x'.repeat(300_000)),
};

describe("documents of the operator's identity provider", () => {
  const servers: Server[] = [];
  let issuer: string;
  let elsewhere: string;
  const start = async (): Promise<string> => {
    const server = createServer((request, response) => (PAGES[request.url ?? ''] ?? PAGES['/keys'])?.(request, response));
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const reading = async (allow: string, url: string) => {
    const log = createLogger({ service: 'test', level: 'silent' });
    const documents = openProviderDocuments({ issuer, allow: outboundSettings.EXECUTOR_OUTBOUND_ALLOW.parse(allow), log });
    try {
      return await documents.read(url);
    } finally {
      await documents.close();
    }
  };
  beforeAll(async () => {
    [issuer, elsewhere] = [await start(), await start()];
  });
  afterAll(() => {
    for (const server of servers) server.close();
  });

  test('are read at the address that the operator wrote down, on this machine too', async () => {
    expect(await reading('', `${issuer}/keys`)).toEqual({ status: 200, text: '{"keys": []}' });
  });

  test('are read at another private address only where the operator lists it', async () => {
    await expect(reading('', `${elsewhere}/keys`)).rejects.toMatchObject({
      code: 'OUTBOUND_REFUSED',
      message: expect.stringContaining(`EXECUTOR_OUTBOUND_ALLOW=${new URL(elsewhere).host}`),
    });
    await expect(reading('', 'http://169.254.169.254/keys')).rejects.toMatchObject({ code: 'OUTBOUND_REFUSED' });
    expect(await reading(new URL(elsewhere).host, `${elsewhere}/keys`)).toMatchObject({ status: 200 });
  });

  test('are not looked for where a redirect leads, and not read on past 256 KB', async () => {
    expect(await reading('', `${issuer}/away`)).toMatchObject({ status: 302 });
    await expect(reading('', `${issuer}/large`)).rejects.toMatchObject({ code: 'REPLY_TOO_LARGE' });
  });
});
