import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auth, createMCPClient, type MCPClient, type OAuthClientProvider } from '@ai-sdk/mcp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recorded, recordingServer } from '../support/recording-entry.ts';
import { type Service, startService } from '../support/start-service.ts';
import { newLogin, openConsent } from './consent.ts';

/** A client library with a protocol and an OAuth of its own: it shares no code with the official ones. */
let directory: string;
let service: Service;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'second-client-'));
  mkdirSync(join(directory, 'data'));
  const mcpServers = {
    notes: recordingServer(join(directory, 'notes.txt')),
    // Not trusted and not read-only: each of its calls waits for a human.
    gated: recordingServer(join(directory, 'gated.txt'), { trust: false }),
  };
  writeFileSync(join(directory, 'data/mcp-servers.json'), JSON.stringify({ mcpServers }));
  service = await startService(join(directory, 'data'));
}, 150_000);
afterAll(async () => {
  await service?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const connect = (more: { query?: string; authProvider?: OAuthClientProvider; headers?: Record<string, string>; version?: string } = {}) =>
  createMCPClient({
    clientName: 'second',
    transport: {
      type: 'http',
      url: `${service.url}/mcp${more.query ?? ''}`,
      ...(more.authProvider === undefined ? {} : { authProvider: more.authProvider }),
      ...(more.headers === undefined ? {} : { headers: more.headers }),
      ...(more.version === undefined ? {} : { initialProtocolVersion: more.version }),
    },
  });
const withKey = () => ({ headers: { authorization: `Bearer ${service.key}` } });

/** What a tool answered, as a program reads it. */
async function call(client: MCPClient, name: string, args: Record<string, unknown>) {
  const answer = await client.callTool({ name, arguments: args });
  return answer as { content: { type: string; text?: string }[]; structuredContent?: Record<string, unknown>; isError?: boolean };
}

describe('the client of the AI SDK', () => {
  it('registers itself, is let in, finds a tool, runs a program, and brings home what a human approves', async () => {
    const { kept, authProvider } = newLogin<OAuthClientProvider>('AI SDK');
    const serverUrl = `${service.url}/mcp`;
    await expect(connect({ authProvider })).rejects.toThrow();
    const url = kept.url ?? new URL('about:blank');
    expect(Object.fromEntries(url.searchParams)).toMatchObject({ resource: serverUrl, code_challenge_method: 'S256', state: 'a state' });
    const letIn = await (await openConsent(service, url)).answer({ decision: 'approve', key: service.key, role: 'agent' });
    const back = new URL(String(letIn.headers.location));
    const authorizationCode = back.searchParams.get('code') ?? '';
    const iss = back.searchParams.get('iss') ?? '';
    expect(await auth(authProvider, { serverUrl, authorizationCode, callbackState: 'a state', callbackIssuer: iss })).toBe('AUTHORIZED');

    const client = await connect({ authProvider });
    try {
      expect(client.instructions).toContain('/workspace/servers/');
      expect(Object.keys(await client.tools())).toEqual(['execute', 'search_tools', 'describe_tool', 'resume']);
      expect((await call(client, 'search_tools', { query: 'write a note' })).content[0]?.text).toContain('"note"');
      const program = "import { note } from '/workspace/servers/notes/note.js'; return await note({ text: 'from another client' })";
      expect(await call(client, 'execute', { language: 'typescript', code: program })).toMatchObject({
        structuredContent: { status: 'succeeded', result: 'noted from another client' },
      });

      const gated = { language: 'python', code: "from servers.gated import note\nnote(text='with a yes')" };
      const paused = (await call(client, 'execute', gated)).structuredContent as {
        status: string;
        executionId: string;
        approval: { id: string };
      };
      expect(paused.status).toBe('paused');
      expect(recorded(join(directory, 'gated.txt'))).toEqual([]);
      const resumed = call(client, 'resume', { executionId: paused.executionId, approvalId: paused.approval.id });
      expect((await service.post(`/approvals/${paused.approval.id}`, { decision: 'approve' })).status).toBe(200);
      expect((await resumed).structuredContent).toMatchObject({ status: 'succeeded', result: 'noted with a yes' });
      expect(recorded(join(directory, 'gated.txt'))).toEqual(['note with a yes']);
    } finally {
      await client.close();
    }
  });

  it('gets new tokens by itself where the old ones are gone', async () => {
    const { kept, authProvider } = newLogin<OAuthClientProvider>('AI SDK, later');
    await connect({ authProvider }).catch(() => undefined);
    const letIn = await (await openConsent(service, kept.url ?? new URL('about:blank'))).answer({ decision: 'approve', key: service.key });
    const back = new URL(String(letIn.headers.location));
    await auth(authProvider, {
      serverUrl: `${service.url}/mcp`,
      authorizationCode: back.searchParams.get('code') ?? '',
      callbackState: 'a state',
      callbackIssuer: back.searchParams.get('iss') ?? '',
    });
    const first = kept.tokens as { access_token: string; refresh_token: string };
    kept.tokens = { ...first, access_token: 'gone' };
    const client = await connect({ authProvider });
    try {
      expect(await call(client, 'execute', { language: 'typescript', code: 'return 1 + 1' })).toMatchObject({
        structuredContent: { result: 2 },
      });
      const second = kept.tokens as { access_token: string; refresh_token: string };
      expect(second.access_token).not.toBe('gone');
      expect(second.refresh_token).not.toBe(first.refresh_token);
    } finally {
      await client.close();
    }
  });

  it('calls the real tools where they are passed through', async () => {
    const client = await connect({ ...withKey(), query: '?mode=passthrough&server=notes' });
    try {
      const tools = await client.tools();
      expect(Object.keys(tools)).toEqual(expect.arrayContaining(['note', 'count_notes']));
      expect(await call(client, 'note', { text: 'passed' })).toMatchObject({ content: [{ type: 'text', text: 'noted passed' }] });
      expect(await call(client, 'count_notes', { like: 'passed' })).toMatchObject({ structuredContent: { count: 1 } });
      expect(await call(client, 'note', { txt: 'wrong' })).toMatchObject({ isError: true });
    } finally {
      await client.close();
    }
  });
});
