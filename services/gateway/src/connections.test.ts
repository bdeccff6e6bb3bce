import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { GatewayConfigInput } from './config.ts';
import { KEYS, type OpenGateway, openGateway } from './testing/open-gateway.ts';
import { rawClient } from './testing/raw-client.ts';

let gateway: OpenGateway;
let port: number;
afterEach(async () => {
  await gateway.app.close();
});

async function open(config: GatewayConfigInput = {}): Promise<void> {
  gateway = await openGateway(config);
  ({ port } = await gateway.listen());
}

const program = JSON.stringify({ code: 'return 1', language: 'typescript' });
const head = (path: string, length: number | null, more = '') =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${KEYS.agent}\r\nContent-Type: application/json\r\n${
    length === null ? '' : `Content-Length: ${length}\r\n`
  }${more}\r\n`;
const execute = head('/execute', program.length) + program;

describe('a connection', () => {
  it('that sends its headers too slowly is answered 408 and closed', async () => {
    await open({ headersTimeoutMs: 300 });
    const client = rawClient(port, 'GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: ');
    const dripping = setInterval(() => client.socket.write('a'), 50);
    try {
      await client.closed;
    } finally {
      clearInterval(dripping);
    }
    expect(client.received()).toMatch(/^HTTP\/1\.1 408 /);
    expect(client.received()).toContain('"message":"The request did not arrive in time; send it in one go."');
  });

  it('that sends nothing at all is closed', async () => {
    await open({ headersTimeoutMs: 300 });
    await rawClient(port, '').closed;
  });

  it('that sends its body too slowly is closed, and nothing is queued', async () => {
    await open({ headersTimeoutMs: 300, requestTimeoutMs: 600 });
    const client = rawClient(port, head('/execute', 1_000));
    const dripping = setInterval(() => client.socket.write(' '), 50);
    try {
      await client.closed;
    } finally {
      clearInterval(dripping);
    }
    expect(gateway.executions.submitted).toEqual([]);
  });

  it('with too many headers is answered 431', async () => {
    await open();
    const client = rawClient(port, `GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`);
    await client.closed;
    expect(client.received()).toMatch(/^HTTP\/1\.1 431 [\s\S]*"message":"The headers are larger than 16 KB\."/);
  });

  it.each([
    '\x16\x03\x01 hello',
    'GET / HTTP/9.9\r\n\r\n',
    'GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ])('that speaks something else (%j) is answered 400 and closed', async (sent) => {
    await open();
    const client = rawClient(port, sent);
    await client.closed;
    expect(client.received()).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"INVALID_REQUEST"/);
  });

  it('without a Host is not answered', async () => {
    await open();
    const client = rawClient(port, 'GET /health HTTP/1.0\r\n\r\n');
    await client.until('"code":"HOST_NOT_ALLOWED"');
  });

  it('that sends more than 8 MB reads its 413, and may go on over the same connection', async () => {
    await open();
    const size = 9 * 1024 * 1024;
    const client = rawClient(port, head('/execute', size));
    client.socket.write('x'.repeat(size));
    await client.until('"code":"BODY_TOO_LARGE"');
    client.socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await client.until('HTTP/1.1 200 ');
    client.socket.destroy();
  });

  it('that sends more than 8 MB and is to be closed is answered when it has sent all', async () => {
    await open();
    const size = 9 * 1024 * 1024;
    const client = rawClient(port, head('/execute', size, 'Connection: close\r\n'));
    client.socket.write('x'.repeat(size - 1));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(client.received()).toBe('');
    client.socket.write('x');
    await client.until('"code":"BODY_TOO_LARGE"');
    await client.closed;
  });

  it('that sends without end is cut off', async () => {
    await open();
    const client = rawClient(port, head('/execute', null, 'Transfer-Encoding: chunked\r\n'));
    const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
    for (let count = 0; count < 80; count += 1) client.socket.write(chunk);
    await client.until('"code":"BODY_TOO_LARGE"');
    await client.closed;
  });

  it('that announces more than 64 MB is answered 413 without being read', async () => {
    await open();
    const client = rawClient(port, head('/execute', 65 * 1024 * 1024));
    await client.until('"code":"BODY_TOO_LARGE"');
    expect(client.received()).toMatch(/^HTTP\/1\.1 413 /);
    await client.closed;
  });

  it('that sends more than 8 MB in chunks is answered 413', async () => {
    await open();
    const client = rawClient(port, head('/execute', null, 'Transfer-Encoding: chunked\r\n'));
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    for (let count = 0; count < 140; count += 1) client.socket.write(chunk);
    await client.until('"code":"BODY_TOO_LARGE"');
    expect(gateway.executions.submitted).toEqual([]);
    client.socket.destroy();
  });

  it('without a key is answered 401 before its body has come', async () => {
    await open();
    const client = rawClient(
      port,
      'POST /execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n',
    );
    await client.until('"code":"UNAUTHENTICATED"');
    client.socket.destroy();
  });

  it('may wait for its second answer longer than a reader may stall', async () => {
    await open({ stalledReaderTimeoutMs: 200, heartbeatMs: 50 });
    const client = rawClient(port, execute);
    await client.until('"result":42');
    gateway.executions.held = true;
    client.socket.write(execute);
    await until(() => gateway.executions.waits === 1);
    await sleep(600);
    gateway.executions.end(gateway.executions.ids()[1] ?? '', { resultJson: '43' });
    await client.until('"result":43');
    client.socket.destroy();
  });

  it('is not taken beyond the limit of connections', async () => {
    await open({ maxConnections: 2 });
    const kept = [rawClient(port, ''), rawClient(port, '')];
    await sleep(50);
    await rawClient(port, '').closed;
    for (const client of kept) client.socket.destroy();
  });
});

describe('connections are few, and', () => {
  it('the requests of one agent hold a quarter of them, so that others are answered', async () => {
    await open({ maxConnections: 8 });
    gateway.executions.held = true;
    const waiting = [rawClient(port, execute), rawClient(port, execute)];
    await until(() => gateway.executions.waits === 2);
    const refused = rawClient(port, execute);
    await refused.closed;
    expect(refused.received()).toMatch(/^HTTP\/1\.1 429 [\s\S]*retry-after: 5[\s\S]*RATE_LIMITED/i);
    expect((await gateway.ask('GET', '/keys', { key: KEYS.admin })).status).toBe(200);
    for (const client of waiting) client.socket.destroy();
    await until(() => gateway.executions.waits === 0);
    const next = rawClient(port, execute);
    await until(() => gateway.executions.waits === 1);
    next.socket.destroy();
  });

  it('those over which nobody asks anything make room for who comes', async () => {
    await open({ maxConnections: 8 });
    const idle = [];
    for (let index = 0; index < 20; index += 1) {
      const client = rawClient(port, 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await client.until('"status"');
      idle.push(client);
    }
    for (const client of idle) client.socket.destroy();
  });
});

describe('a client that hangs up', () => {
  it('does not stop its execution, and nobody waits for it any more', async () => {
    await open();
    gateway.executions.held = true;
    const client = rawClient(port, execute);
    await until(() => gateway.executions.waits === 1);
    client.socket.destroy();
    await until(() => gateway.executions.waits === 0);
    const [id] = gateway.executions.ids();
    expect((await gateway.ask('GET', `/executions/${id}`)).json().status).toBe('queued');
    await until(() => gateway.logLines.some((line) => line.includes('"hungUp":true') && line.includes(String(id))));
    expect(gateway.logLines.join('')).not.toContain('"level":50');
  });

  it('ends the call of a tool it asked for', async () => {
    await open();
    gateway.tools.hangs = true;
    const client = rawClient(port, `${head('/tools/invoke/notes/read', 2)}{}`);
    await until(() => gateway.tools.invocations.length === 1);
    client.socket.destroy();
    await until(() => gateway.tools.aborted === 1);
    await until(() => gateway.logLines.some((line) => line.includes('"hungUp":true') && line.includes('"status":499')));
  });
});

describe('close()', () => {
  it('lets answers come that are waited for, and takes nothing new', async () => {
    await open({ shutdownGraceMs: 5_000 });
    gateway.executions.held = true;
    // First, so that its half has come when the whole request behind it is waited for.
    const idle = rawClient(port, execute.slice(0, 20));
    const client = rawClient(port, execute);
    await until(() => gateway.executions.waits === 1);
    const closed = gateway.app.close();
    await sleep(50);
    await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow();
    idle.socket.write(execute.slice(20));
    await idle.until('"code":"SHUTTING_DOWN"');
    expect(idle.received()).toMatch(/^HTTP\/1\.1 503 /);
    expect(idle.received()).toMatch(/retry-after: 5/i);
    gateway.executions.end(gateway.executions.ids()[0] ?? '', { resultJson: '7' });
    await client.until('"result":7');
    await closed;
    await Promise.all([client.closed, idle.closed]);
    expect(gateway.executions.submitted).toHaveLength(1);
  });

  it('ends what is still waited for after the grace, and says how to find the execution', async () => {
    await open({ shutdownGraceMs: 100 });
    gateway.executions.held = true;
    const client = rawClient(port, execute);
    await until(() => gateway.executions.waits === 1);
    await gateway.app.close();
    const [id] = gateway.executions.ids();
    await client.closed;
    expect(client.received()).toMatch(/^HTTP\/1\.1 503 /);
    expect(client.received()).toContain(`The execution was accepted: ask GET /executions/${id} in a few seconds.`);
    expect(client.received()).toContain(`"details":{"executionId":"${id}"}`);
  });

  it('does not wait for connections that say nothing', async () => {
    await open({ shutdownGraceMs: 200 });
    const client = rawClient(port, 'POST /execute HTTP/1.1\r\nHost: x');
    await sleep(50);
    const startedAt = performance.now();
    await gateway.app.close();
    await client.closed;
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`still not: ${condition}`);
    await sleep(5);
  }
}
