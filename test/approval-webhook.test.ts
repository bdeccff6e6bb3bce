import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, makeKey } from './support/ask.ts';
import { recorded, recordingServer } from './support/recording-entry.ts';
import { type Service, startService } from './support/start-service.ts';

const SECRET = 'a secret of the webhook';
let directory: string;
let notes: string;
let service: Service;
let receiver: Server;
/** What the receiver answers next; 200 when there is nothing. */
const answers: number[] = [];
const received: { readonly headers: IncomingHttpHeaders; readonly body: string }[] = [];
let environment: Record<string, string>;

beforeAll(async () => {
  receiver = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    received.push({ headers: request.headers, body });
    response.writeHead(answers.shift() ?? 200, { location: 'http://127.0.0.1:1/' }).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  directory = mkdtempSync(join(tmpdir(), 'webhook-'));
  notes = join(directory, 'notes');
  mkdirSync(join(directory, 'data'));
  const servers = { mcpServers: { notes: recordingServer(notes, { trust: 'annotations' }) } };
  writeFileSync(join(directory, 'data', 'mcp-servers.json'), JSON.stringify(servers));
  environment = {
    EXECUTOR_APPROVALS_BY_ANOTHER: 'true',
    EXECUTOR_PUBLIC_URL: 'https://executor.example/',
    EXECUTOR_APPROVAL_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`,
    EXECUTOR_APPROVAL_WEBHOOK_SECRET: SECRET,
  };
  service = await startService(join(directory, 'data'), environment);
}, 150_000);

afterAll(async () => {
  await service?.stop();
  receiver?.close();
  rmSync(directory, { recursive: true, force: true });
});

const run = async (text: string) =>
  (
    await ask(service, 'POST', '/execute', {
      body: { language: 'typescript', code: `return await tools.notes.note({ text: '${text}' });` },
    })
  ).json() as { executionId: string; status: string; approval: { id: string; url: string } };

test('each approval is posted, signed, until it is taken, also after a kill, and never once it is decided', async () => {
  answers.push(503, 302);
  const { executionId, approval } = await run('hook \\u202e me');
  expect(approval.url).toBe(`https://executor.example/approvals/${approval.id}`);
  await expect.poll(() => received.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(1);
  await service.stop('SIGKILL');
  service = await startService(join(directory, 'data'), environment);
  await expect.poll(() => received.length, { timeout: 60_000 }).toBe(3);
  for (const { headers, body } of received) {
    const [, seconds, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['x-code-executor-signature'])) ?? [];
    expect(mac).toBe(createHmac('sha256', SECRET).update(`${seconds}.${body}`).digest('hex'));
    expect(headers['x-code-executor-delivery']).toBe(approval.id);
    expect(JSON.parse(body)).toMatchObject({
      type: 'approval.requested',
      approval: { id: approval.id, executionId, tool: 'notes.note', arguments: { text: 'hook \\u{202e} me' }, url: approval.url },
    });
  }
  expect(received[0]?.body).not.toContain('\u202e');
}, 120_000);

test('nobody approves what was asked for with the same key where the operator forbids it', async () => {
  const { approval } = await run('self');
  const self = await ask(service, 'POST', `/approvals/${approval.id}`, { body: { decision: 'approve' } });
  expect(self.json()).toMatchObject({ error: { code: 'FORBIDDEN', message: expect.stringContaining('EXECUTOR_APPROVALS_BY_ANOTHER') } });
  const { key } = await makeKey(service, 'operator');
  expect((await ask(service, 'POST', `/approvals/${approval.id}`, { key, body: { decision: 'deny' } })).status).toBe(200);
});

test('an execution whose approval nobody decides on in time ends and says so, and nothing is called', async () => {
  await service.stop();
  service = await startService(join(directory, 'data'), { ...environment, EXECUTOR_APPROVAL_TTL_SECONDS: '2' });
  const { executionId, status, approval } = await run('expired');
  expect(status).toBe('paused');
  const state = async () => (await ask(service, 'GET', `/executions/${executionId}`)).json() as { status: string };
  await expect.poll(async () => (await state()).status, { timeout: 60_000 }).toBe('failed');
  expect(await state()).toMatchObject({ error: { code: 'APPROVAL_EXPIRED' }, effects: 'none' });
  const late = await ask(service, 'POST', `/approvals/${approval.id}`, { body: { decision: 'deny' } });
  expect([late.status, late.json()]).toMatchObject([409, { error: { code: 'APPROVAL_DECIDED', details: { status: 'expired' } } }]);
  expect(recorded(notes)).toEqual([]);
}, 120_000);
