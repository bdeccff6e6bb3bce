import type { Principal } from '@code-executor/contracts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ToolDomain } from '../index.ts';
import { type RemoteServer, startRemoteServer } from '../testing/remote-server.ts';
import { ADMIN, createTestBed, type TestBed } from '../testing/with-tool-domain.ts';

const TOKEN = 'mcp-server-token-1f6b29';
const OTHER: Principal = { id: 'key_other', workspaceId: 'wsp_default', role: 'operator' };
const NEVER = new AbortController().signal;
let bed: TestBed;
let server: RemoteServer;
let domain: ToolDomain;

beforeEach(async () => {
  bed = await createTestBed();
  server = await startRemoteServer('streamable', TOKEN);
  domain = await bed.restart({
    remote: { url: server.url, trust: true },
    local: { command: process.execPath, args: ['-e', '0'], lazy: true },
  });
});

afterEach(async () => {
  await bed.close();
  await server.close();
});

const greet = (address = 'remote', principal = ADMIN) => domain.invoke(principal, address, 'greet', {}, NEVER);
const bearer = (token: string) => ({ type: 'bearer' as const, token });

describe('a remote MCP server that wants a token', () => {
  test('is kept without one, says so, and works as soon as it has a connection', async () => {
    expect(domain.getIntegration(ADMIN, 'remote')).toMatchObject({
      state: 'broken',
      toolCount: 0,
      reason: expect.stringContaining('POST /connections'),
    });
    const made = await domain.addConnection(ADMIN, { integration: 'remote', name: 'main', owner: 'workspace', auth: bearer(TOKEN) });
    expect(made).toMatchObject({ default: true, status: 'active', address: 'remote@main' });
    await vi.waitFor(() => expect(domain.getIntegration(ADMIN, 'remote')).toMatchObject({ state: 'ready', toolCount: 1 }), 20_000);
    expect(await greet()).toEqual({ ok: true, value: 'hello' });
    expect(await domain.validateConnection(ADMIN, made.id, NEVER)).toMatchObject({ outcome: 'ok', status: 200 });
  });

  test('is called with each connection in a session of its own, and a wrong one is refused in words without it', async () => {
    await domain.addConnection(ADMIN, { integration: 'remote', name: 'main', owner: 'workspace', auth: bearer(TOKEN) });
    await vi.waitFor(() => expect(domain.getIntegration(ADMIN, 'remote').state).toBe('ready'), 20_000);
    const wrong = 'wrong-token-0d5c77e1';
    const bad = await domain.addConnection(ADMIN, { integration: 'remote', name: 'bad', owner: 'workspace', auth: bearer(wrong) });
    await domain.addConnection(ADMIN, { integration: 'remote', name: 'second', owner: 'workspace', auth: bearer(TOKEN) });
    expect(bad.default).toBe(false);
    expect(await greet('remote@second')).toEqual({ ok: true, value: 'hello' });
    const refused = await greet('remote@bad');
    expect(refused).toMatchObject({ ok: false, error: { code: 'UPSTREAM_UNAVAILABLE' } });
    const check = await domain.validateConnection(ADMIN, bad.id, NEVER);
    expect(check).toMatchObject({ outcome: 'refused', status: 401 });
    expect(JSON.stringify([refused, check])).not.toContain(wrong);
    expect(bed.log()).not.toContain(wrong);
    expect(bed.log()).not.toContain(TOKEN);
    expect(await greet('remote@thrid')).toMatchObject({
      ok: false,
      error: { code: 'CONNECTION_NOT_FOUND', details: { connections: ['main', 'bad', 'second'] } },
    });
  });

  test("is called with a principal's own default by that principal alone", async () => {
    await domain.addConnection(ADMIN, { integration: 'remote', name: 'main', owner: 'workspace', auth: bearer(TOKEN) });
    await vi.waitFor(() => expect(domain.getIntegration(ADMIN, 'remote').state).toBe('ready'), 20_000);
    const own = await domain.addConnection(OTHER, {
      integration: 'remote',
      name: 'mine',
      owner: 'principal',
      auth: bearer('not-a-good-token'),
    });
    expect(own).toMatchObject({ owner: 'principal', principalId: OTHER.id, default: true });
    expect(await greet('remote', OTHER)).toMatchObject({ ok: false });
    expect(await greet('remote', ADMIN)).toMatchObject({ ok: true });
    expect(await greet('remote@mine', ADMIN)).toMatchObject({ ok: false, error: { code: 'CONNECTION_NOT_FOUND' } });
    const patched = await domain.changeConnection(OTHER, own.id, { auth: bearer(TOKEN) });
    expect(patched.status).toBe('active');
    expect(await greet('remote', OTHER)).toMatchObject({ ok: true });
  });

  test('and a server that runs as a process takes none', async () => {
    await expect(
      domain.addConnection(ADMIN, { integration: 'local', name: 'main', owner: 'workspace', auth: bearer(TOKEN) }),
    ).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('"env"') });
    await expect(
      domain.addConnection(ADMIN, { integration: 'remoet', name: 'main', owner: 'workspace', auth: bearer(TOKEN) }),
    ).rejects.toMatchObject({ code: 'SERVER_NOT_FOUND', message: expect.stringContaining('remote') });
  });
});
