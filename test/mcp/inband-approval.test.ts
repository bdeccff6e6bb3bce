import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask, makeKey } from '../support/ask.ts';
import { recorded, recordingServer } from '../support/recording-entry.ts';
import { type Service, startService } from '../support/start-service.ts';

let directory: string;
let notes: string;
let service: Service;
let trusted: { key: string; id: string };
let other: { key: string; id: string };

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'inband-'));
  notes = join(directory, 'notes');
  const dataDir = join(directory, 'data');
  mkdirSync(dataDir);
  writeFileSync(notes, '');
  writeFileSync(join(dataDir, 'mcp-servers.json'), JSON.stringify({ mcpServers: { notes: recordingServer(notes, { trust: false }) } }));
  const first = await startService(dataDir);
  trusted = await makeKey(first, 'agent');
  other = await makeKey(first, 'agent');
  await first.stop();
  service = await startService(dataDir, { EXECUTOR_MCP_INBAND_APPROVAL: trusted.id });
}, 150_000);

afterAll(async () => {
  await service?.stop();
  rmSync(directory, { recursive: true, force: true });
});

interface Paused {
  executionId: string;
  status: string;
  approval: { id: string };
}

const pausedBy = async (key: string, text: string): Promise<Paused> => {
  const code = `return await tools.notes.note({ text: ${JSON.stringify(text)} });`;
  const paused = (await ask(service, 'POST', '/execute', { key, body: { language: 'typescript', code } })).json() as Paused;
  expect(paused.status).toBe('paused');
  return paused;
};

/** What a client of the 2025 versions posts when its human has filled in the form that it was sent. */
const answerInband = (key: string, approvalId: string) =>
  ask(service, 'POST', '/mcp', {
    key,
    headers: { accept: 'application/json, text/event-stream' },
    body: { jsonrpc: '2.0', id: `inband-${approvalId}`, result: { action: 'accept', content: { decision: 'approve' } } },
  });

it('a key that may decide through its own client decides on what it asked for itself', async () => {
  const { executionId, approval } = await pausedBy(trusted.key, 'own');
  expect((await answerInband(trusted.key, approval.id)).status).toBe(202);
  const resumed = await ask(service, 'POST', `/executions/${executionId}/resume`, { key: trusted.key, body: { wait: true } });
  expect(resumed.json()).toMatchObject({ status: 'succeeded', result: 'noted own' });
});

it('and on nothing that another key asked for, whichever approval it names', async () => {
  const { executionId, approval } = await pausedBy(other.key, 'another');
  expect((await answerInband(trusted.key, approval.id)).text).toContain('APPROVAL_NOT_FOUND');
  expect((await answerInband(other.key, approval.id)).text).toContain('FORBIDDEN');
  expect((await ask(service, 'GET', `/executions/${executionId}`)).json()).toMatchObject({ status: 'paused' });
  expect(recorded(notes)).not.toContain('note another');
});
