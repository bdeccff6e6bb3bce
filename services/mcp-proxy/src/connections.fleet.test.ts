import type { Principal } from '@code-executor/contracts';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startAuthorizationServer, type TestAuthorizationServer } from '../../../packages/tools/src/testing/authorization-server.ts';
import { type RemoteServer, startRemoteServer } from '../../../packages/tools/src/testing/remote-server.ts';
import { dockerAnswers } from '../../../test/support/containers.ts';
import { openTestFleet, type TestFleet, type TestProxy } from './testing/open-test-fleet.ts';

const reachable = await dockerAnswers();
const ADMIN: Principal = { id: 'key_test', workspaceId: 'wsp_default', role: 'admin' };
const NEVER = new AbortController().signal;
const TOKEN = 'fleet-bearer-6fc1e02a94';

describe.skipIf(!reachable)(`connections of a fleet${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let fleet: TestFleet;
  let login: TestAuthorizationServer;
  let plain: RemoteServer;
  let guarded: RemoteServer;
  let proxies: TestProxy[];
  const administration = (index: number) => fleet.administration(proxies[index]?.url ?? '');
  const greet = (index: number, address: string) => administration(index).invoke(ADMIN, address, 'greet', {}, NEVER);

  beforeAll(async () => {
    login = await startAuthorizationServer();
    plain = await startRemoteServer('streamable', TOKEN);
    guarded = await startRemoteServer('streamable', login.isValid, 0, login.url);
    fleet = await openTestFleet(
      { plain: { url: plain.url, trust: true }, guarded: { url: guarded.url, trust: true } },
      { EXECUTOR_OUTBOUND_ALLOW: '127.0.0.1' },
    );
    proxies = [await fleet.startProxy(), await fleet.startProxy()];
  }, 180_000);
  afterAll(async () => {
    await fleet?.close();
    await Promise.all([login, plain, guarded].map((each) => each?.close()));
  });

  test('are made through one proxy and used, changed and removed through another, and no row or answer has the value', async () => {
    const made = await administration(0).addConnection(ADMIN, {
      integration: 'plain',
      name: 'main',
      owner: 'workspace',
      auth: { type: 'bearer', token: TOKEN },
    });
    await vi.waitFor(async () => expect(await greet(1, 'plain')).toEqual({ ok: true, value: 'hello' }), 30_000);
    expect(await administration(1).validateConnection(ADMIN, made.id, NEVER)).toMatchObject({ outcome: 'ok' });
    const shown = [await administration(1).listConnections(ADMIN, { limit: 10 }), await administration(0).getConnection(ADMIN, made.id)];
    const rows = await sql`select * from connections`.execute(fleet.db.query());
    expect(JSON.stringify([made, shown, rows.rows])).not.toContain(TOKEN);
    await expect(administration(1).getConnection({ ...ADMIN, role: 'agent' }, made.id)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await administration(1).changeConnection(ADMIN, made.id, { auth: { type: 'bearer', token: 'not-good-any-more' } });
    await vi.waitFor(async () => expect(await greet(0, 'plain')).toMatchObject({ ok: false }), 30_000);
    await administration(1).removeConnection(ADMIN, made.id);
    await vi.waitFor(async () => {
      expect(await greet(0, 'plain@main')).toMatchObject({ ok: false, error: { code: 'CONNECTION_NOT_FOUND' } });
    }, 15_000);
  });

  test('are authorized through one proxy, come back through another, and are renewed once by both together', async () => {
    const { id } = await administration(0).addConnection(ADMIN, {
      integration: 'guarded',
      name: 'me',
      owner: 'workspace',
      auth: { type: 'oauth2' },
    });
    const { url } = await administration(0).startAuthorization(ADMIN, id, 'https://gateway.example/oauth/callback');
    const back = Object.fromEntries((await login.consent(url)).searchParams);
    expect(await administration(1).finishAuthorization(back)).toMatchObject({ outcome: 'done' });
    expect(await administration(0).finishAuthorization(back)).toMatchObject({ outcome: 'failed' });
    for (const index of [0, 1]) await vi.waitFor(async () => expect(await greet(index, 'guarded')).toMatchObject({ ok: true }), 30_000);
    login.options.delayMs = 500;
    login.forget();
    const before = login.grants.length;
    const answers = await Promise.all(Array.from({ length: 16 }, (_, index) => greet(index % 2, 'guarded')));
    expect(answers.filter(({ ok }) => !ok)).toEqual([]);
    expect(login.grants.slice(before)).toEqual(['refresh_token']);
  });

  test('keep working while the seal key is rotated', async () => {
    const answer = await administration(0).resealSecrets(ADMIN, true);
    expect(answer).toMatchObject({ keys: 2 });
    const rows = await sql<{
      sealed: string;
    }>`select sealed_tokens as sealed from connection_grants where sealed_tokens is not null`.execute(fleet.db.query());
    expect(rows.rows.every(({ sealed }) => sealed.startsWith(`v2.${answer.keyId}.`))).toBe(true);
    for (const index of [0, 1]) expect(await greet(index, 'guarded')).toMatchObject({ ok: true });
    // The proxy that has not rotated seals with the new key, too.
    await administration(1).addConnection(ADMIN, {
      integration: 'plain',
      name: 'late',
      owner: 'workspace',
      auth: { type: 'bearer', token: 'x1' },
    });
    const late = await sql<{ sealed: string }>`select sealed_values as sealed from connections where name = 'late'`.execute(
      fleet.db.query(),
    );
    expect(late.rows[0]?.sealed.startsWith(`v2.${answer.keyId}.`)).toBe(true);
  });
});
