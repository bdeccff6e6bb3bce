import type { Principal } from '@code-executor/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ToolDomain } from '../index.ts';
import { parseAllowRules } from '../outbound/allow-rules.ts';
import { createOutboundHttp } from '../outbound/outbound-http.ts';
import { startAuthorizationServer, type TestAuthorizationServer } from '../testing/authorization-server.ts';
import { type RemoteServer, startRemoteServer } from '../testing/remote-server.ts';
import { ADMIN, createTestBed, type TestBed } from '../testing/with-tool-domain.ts';

const TOKEN = 'mcp-server-token-1f6b29';
const OTHER: Principal = { id: 'key_other', workspaceId: 'wsp_default', role: 'operator' };
const NEVER = new AbortController().signal;
let bed: TestBed;
let server: RemoteServer;
let domain: ToolDomain;

let login: TestAuthorizationServer;
let protectedServer: RemoteServer;
const outbound = createOutboundHttp({ allow: parseAllowRules('127.0.0.1'), strict: false });

beforeAll(async () => {
  bed = await createTestBed();
  login = await startAuthorizationServer();
  server = await startRemoteServer('streamable', TOKEN);
  protectedServer = await startRemoteServer('streamable', login.isValid, 0, login.url);
  domain = await bed.restart(
    {
      remote: { url: server.url, trust: true },
      protected: { url: protectedServer.url, trust: true },
      local: { command: process.execPath, args: ['-e', '0'], lazy: true },
    },
    { outbound },
  );
}, 120_000);

afterEach(async () => {
  for (const { id } of (await domain.listConnections(ADMIN, { limit: 100 })).items) await domain.removeConnection(ADMIN, id);
  await vi.waitFor(async () => expect((await domain.getIntegration(ADMIN, 'remote')).state).toBe('broken'), 20_000);
});

afterAll(async () => {
  await bed.close();
  await Promise.all([server, protectedServer, login].map((each) => each.close()));
  await outbound.close();
});

const greet = (address = 'remote', principal = ADMIN) => domain.invoke(principal, address, 'greet', {}, NEVER);
const bearer = (token: string) => ({ type: 'bearer' as const, token });

describe('a remote MCP server that wants a token', () => {
  test('is kept without one, says so, and works as soon as it has a connection', async () => {
    expect(await domain.getIntegration(ADMIN, 'remote')).toMatchObject({
      state: 'broken',
      toolCount: 0,
      reason: expect.stringContaining('POST /connections'),
    });
    const made = await domain.addConnection(ADMIN, { integration: 'remote', name: 'main', owner: 'workspace', auth: bearer(TOKEN) });
    expect(made).toMatchObject({ default: true, status: 'active', address: 'remote@main' });
    await vi.waitFor(
      async () => expect(await domain.getIntegration(ADMIN, 'remote')).toMatchObject({ state: 'ready', toolCount: 1 }),
      20_000,
    );
    expect(await greet()).toEqual({ ok: true, value: 'hello' });
    expect(await domain.validateConnection(ADMIN, made.id, NEVER)).toMatchObject({ outcome: 'ok', status: 200 });
  });

  test('is called with each connection in a session of its own, and a wrong one is refused in words without it', async () => {
    await domain.addConnection(ADMIN, { integration: 'remote', name: 'main', owner: 'workspace', auth: bearer(TOKEN) });
    await vi.waitFor(async () => expect((await domain.getIntegration(ADMIN, 'remote')).state).toBe('ready'), 20_000);
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
    await vi.waitFor(async () => expect((await domain.getIntegration(ADMIN, 'remote')).state).toBe('ready'), 20_000);
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

test('a protected MCP server is authorized by a person, and its token is renewed without a break', async () => {
  const { id } = await domain.addConnection(ADMIN, { integration: 'protected', name: 'me', owner: 'workspace', auth: { type: 'oauth2' } });
  const { url } = await domain.startAuthorization(ADMIN, id, 'http://127.0.0.1:9091/oauth/callback');
  expect(new URL(url).searchParams.get('resource')).toBe(protectedServer.url);
  const end = await domain.finishAuthorization(Object.fromEntries((await login.consent(url)).searchParams));
  expect(end.outcome).toBe('done');
  await vi.waitFor(() => expect(domain.getIntegration(ADMIN, 'protected')).toMatchObject({ state: 'ready', toolCount: 1 }), 20_000);
  expect(await greet('protected')).toEqual({ ok: true, value: 'hello' });
  // As if the token had been withdrawn early: the request is sent again with a new one.
  const before = login.grants.length;
  login.forget();
  expect(await greet('protected')).toEqual({ ok: true, value: 'hello' });
  expect(login.grants.slice(before)).toEqual(['refresh_token']);
  for (const secret of [...login.issued.access, ...login.issued.refresh]) expect(bed.log()).not.toContain(secret);
});
