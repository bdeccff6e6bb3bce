import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { GatewayConfigInput } from '../../config.ts';
import { KEYS, type OpenGateway, openGateway } from '../../testing/open-gateway.ts';
import { type RawClient, rawClient } from '../../testing/raw-client.ts';

let gateway: OpenGateway;
afterEach(async () => {
  await gateway.app.close();
});

describe('GET /executions/:id/events', () => {
  it('follows a running program event by event and ends with it', async () => {
    const { id, open } = await held();
    const client = open();
    await client.until('retry: 1000');
    gateway.executions.emit(id, { type: 'status', data: { status: 'running', at: '2026-01-01T00:00:00Z' } });
    gateway.executions.emit(id, { type: 'output', data: { text: 'line 1\nline 2\r\n' } });
    await client.until('line 2');
    expect(client.received()).toMatch(/content-type: text\/event-stream/i);
    expect(client.received()).toContain('id: 2\nevent: output\ndata: {"text":"line 1\\nline 2\\r\\n"}\n\n');
    gateway.executions.end(id, {});
    await client.until('event: ended');
    await client.until(/\r\n0\r\n\r\n$/);
    client.socket.destroy();
    await settled();
  });

  it('goes on after the Last-Event-ID without gap or repetition', async () => {
    const { id, open } = await held();
    for (const text of ['a', 'b', 'c']) gateway.executions.emit(id, { type: 'output', data: { text } });
    gateway.executions.end(id, {});
    const client = open({ 'Last-Event-ID': '2' });
    await client.until(/\r\n0\r\n\r\n$/);
    expect([...client.received().matchAll(/^id: (\d+)$/gm)].map(([, at]) => at)).toEqual(['3', '4']);
  });

  it.each([['abc'], ['-1'], ['1.5'], ['99999999999999999999'], ['7']])(
    'refuses the Last-Event-ID %s before it streams',
    async (lastEventId) => {
      const { id } = await held();
      const answer = await gateway.ask('GET', `/executions/${id}/events`, { headers: { 'last-event-id': lastEventId } });
      expect([answer.status, answer.json().error.code]).toEqual([400, 'INVALID_EVENT_ID']);
      await settled();
    },
  );

  it('sends heartbeats while nothing happens', async () => {
    const { open } = await held({ heartbeatMs: 40 });
    await open().until(/(: heartbeat[^:]*){3}/);
  });

  it('ends at the next heartbeat after the key was revoked, also while a program never stops printing', async () => {
    const { id, open } = await held({ heartbeatMs: 60 });
    const client = open();
    await client.until('retry');
    const printing = setInterval(() => gateway.executions.emit(id, { type: 'output', data: { text: 'x' } }), 5);
    try {
      await client.until(': heartbeat');
      await gateway.ask('DELETE', `/keys/${gateway.records.agent.id}`, { key: KEYS.admin });
      await client.until(/event: error\ndata: \{"code":"UNAUTHENTICATED","message":"This key is unknown, expired or revoked\."\}/);
      await client.until(/\r\n0\r\n\r\n$/);
    } finally {
      clearInterval(printing);
    }
    expect((await gateway.ask('GET', `/executions/${id}`, { key: KEYS.operator })).json().status).toBe('queued');
    await settled();
  });

  it('lets go of a silent program too when the key was revoked', async () => {
    const { open } = await held({ heartbeatMs: 40 });
    const client = open();
    await client.until('retry');
    await gateway.ask('DELETE', `/keys/${gateway.records.agent.id}`, { key: KEYS.admin });
    await client.until('"code":"UNAUTHENTICATED"');
    await settled();
  });

  it('lets go when the client hangs up, and the execution goes on', async () => {
    const { id, open } = await held();
    const clients = [open(), open(), open()];
    for (const client of clients) await client.until('retry');
    expect(gateway.executions.openStreams).toBe(3);
    for (const client of clients) client.socket.destroy();
    await settled();
    expect((await gateway.ask('GET', `/executions/${id}`)).json().status).toBe('queued');
  });

  it('takes no more events than a client that does not read can be sent', async () => {
    const { id, open } = await held({ heartbeatMs: 50 });
    const client = open();
    await client.until('retry');
    client.socket.pause();
    const text = 'x'.repeat(64 * 1024);
    for (let count = 0; count < 1_000; count += 1) gateway.executions.emit(id, { type: 'output', data: { text } });
    await sleep(300);
    // 64 MB wait; what was taken of them lies in the buffers of the two sockets, a few MB each.
    expect(gateway.executions.eventsTaken).toBeLessThan(300);
    gateway.executions.end(id, {});
    client.socket.resume();
    await settled(30_000);
    expect(gateway.executions.eventsTaken).toBe(1_001);
  });

  it('cuts off a client that reads nothing for long', async () => {
    const { id, open } = await held({ stalledReaderTimeoutMs: 300, heartbeatMs: 100 });
    const client = open();
    await client.until('retry');
    client.socket.pause();
    const text = 'x'.repeat(64 * 1024);
    for (let count = 0; count < 400; count += 1) gateway.executions.emit(id, { type: 'output', data: { text } });
    await settled();
  });

  it('ends when the service stops', async () => {
    const { open } = await held();
    const client = open();
    await client.until('retry');
    const startedAt = performance.now();
    await gateway.app.close();
    await client.until('"code":"SHUTTING_DOWN"');
    await client.closed;
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});

/** A gateway with one execution that is under way, and a way to follow it. */
async function held(config: GatewayConfigInput = {}): Promise<{ id: string; open(headers?: Record<string, string>): RawClient }> {
  gateway = await openGateway(config);
  gateway.executions.held = true;
  const { port } = await gateway.listen();
  const { executionId: id } = (await gateway.ask('POST', '/execute', { body: { code: '1', language: 'python', wait: false } })).json();
  const open = (headers: Record<string, string> = {}) => {
    const lines = Object.entries({ Host: 'localhost', Authorization: `Bearer ${KEYS.agent}`, ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    return rawClient(port, `GET /executions/${id}/events HTTP/1.1\r\n${lines.join('')}\r\n`);
  };
  return { id, open };
}

/** No source of events is left open. */
async function settled(withinMs = 15_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (gateway.executions.openStreams > 0) {
    if (performance.now() > deadline) throw new Error(`${gateway.executions.openStreams} streams are still open`);
    await sleep(5);
  }
}
