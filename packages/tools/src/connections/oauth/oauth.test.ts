import { DEFAULT_WORKSPACE_ID, type Principal } from '@code-executor/contracts';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type AuthorizationServerOptions,
  CONFIDENTIAL_CLIENT,
  startAuthorizationServer,
  type TestAuthorizationServer,
} from '../../testing/authorization-server.ts';
import { openTestConnections, type TestConnections, type TestProcess } from '../../testing/open-test-connections.ts';

const ADMIN: Principal = { id: 'key_admin', workspaceId: DEFAULT_WORKSPACE_ID, role: 'admin' };
const CALLBACK = 'http://127.0.0.1:9091/oauth/callback';
let server: TestAuthorizationServer;
let options: AuthorizationServerOptions;
let bed: TestConnections;
let process: TestProcess;
let count = 0;

beforeAll(async () => {
  options = {};
  server = await startAuthorizationServer(options);
  bed = await openTestConnections(`${server.url}/api`);
});
afterAll(async () => {
  await bed.close();
  await server.close();
});
beforeEach(async () => {
  process = await bed.open();
  count += 1;
});
afterEach(() => {
  for (const key of Object.keys(options)) delete options[key as keyof AuthorizationServerOptions];
  server.grants.length = 0;
});

const name = (): string => `c${count}`;
const tokenOf = async (from: TestProcess = process): Promise<string> =>
  (await from.credential(name()))?.headers.authorization?.replace('Bearer ', '') ?? '';

/** The connection of this test, authorized by a person. */
async function authorize(auth: Record<string, unknown> = {}): Promise<string> {
  const { id } = await process.add(name(), { type: 'oauth2', ...auth });
  const { url } = await process.administration.startAuthorization(ADMIN, id, CALLBACK);
  const end = await process.administration.finishAuthorization(Object.fromEntries((await server.consent(url)).searchParams));
  expect(end).toEqual({ outcome: 'done', message: expect.stringContaining('is authorized') });
  return id;
}

/** As time would do it. */
const age = (id: string) =>
  sql`update connection_grants set expires_at = now() - interval '1 second' where connection_id = ${id}`.execute(bed.db.query());

describe('an upstream that wants OAuth', () => {
  test('is found out with nothing but its address: metadata, registration, consent with PKCE, token', async () => {
    const id = await authorize();
    expect(server.isValid(await tokenOf())).toBe(true);
    expect(await process.administration.getConnection(ADMIN, id)).toMatchObject({
      status: 'active',
      expiresAt: expect.stringMatching(/^20/),
    });
    expect(await process.administration.validateConnection(ADMIN, id, AbortSignal.timeout(10_000))).toMatchObject({
      outcome: 'ok',
      status: 200,
    });
    expect(server.grants).toEqual(['authorization_code']);
  });

  test('is not called before somebody has consented, and the refusal says how', async () => {
    const { id, status } = await process.add(name(), { type: 'oauth2' });
    expect(status).toBe('needs_authorization');
    await expect(tokenOf()).rejects.toMatchObject({
      code: 'CONNECTION_BROKEN',
      message: expect.stringContaining(`POST /connections/${id}/oauth/start`),
    });
  });

  test('sends the browser back once: a second time, another state, a late one and a changed connection are refused', async () => {
    const { id } = await process.add(name(), { type: 'oauth2' });
    const begin = async () =>
      Object.fromEntries((await server.consent((await process.administration.startAuthorization(ADMIN, id, CALLBACK)).url)).searchParams);
    const finish = (parameters: Record<string, string>) => process.administration.finishAuthorization(parameters);
    const first = await begin();
    expect(await finish({ ...first, state: first.state?.replace(/./, 'x') ?? '' })).toMatchObject({ outcome: 'failed' });
    expect(await finish(first)).toMatchObject({ outcome: 'done' });
    expect(await finish(first)).toMatchObject({ outcome: 'failed', message: expect.stringContaining('used already') });
    expect(await finish({})).toMatchObject({ outcome: 'failed' });
    const late = await begin();
    await sql`update authorization_attempts set expires_at = now() - interval '1 second'`.execute(bed.db.query());
    expect(await finish(late)).toMatchObject({ outcome: 'failed' });
    const changed = await begin();
    await process.administration.changeConnection(ADMIN, id, { auth: { type: 'oauth2', scopes: ['read'] } });
    expect(await finish(changed)).toMatchObject({ outcome: 'failed' });
  });

  test('is refused where the answer comes from another issuer, or says no, and the page says why without the code', async () => {
    const { id } = await process.add(name(), { type: 'oauth2' });
    options.wrongIssuer = true;
    const { url } = await process.administration.startAuthorization(ADMIN, id, CALLBACK);
    const mixedUp = Object.fromEntries((await server.consent(url)).searchParams);
    const end = await process.administration.finishAuthorization(mixedUp);
    expect(end).toMatchObject({ outcome: 'failed', message: expect.stringContaining('iss') });
    expect(end.message).not.toContain(mixedUp.code);
    options.wrongIssuer = false;
    const again = await process.administration.startAuthorization(ADMIN, id, CALLBACK);
    const state = new URL(again.url).searchParams.get('state') ?? '';
    expect(
      await process.administration.finishAuthorization({ state, iss: server.url, error: 'access_denied', error_description: '<b>no</b>' }),
    ).toMatchObject({ outcome: 'failed', message: expect.stringContaining('access_denied: <b>no</b>') });
    expect(server.grants).toEqual([]);
  });

  test('that supports no PKCE, or registers nobody, is said to be so', async () => {
    const { id } = await process.add(name(), { type: 'oauth2' });
    options.pkceMethods = ['plain'];
    await expect(process.administration.startAuthorization(ADMIN, id, CALLBACK)).rejects.toThrow(/PKCE/);
    delete options.pkceMethods;
    options.registers = false;
    await expect(process.administration.startAuthorization(ADMIN, id, CALLBACK)).rejects.toThrow(/"clientId"/);
  });
});

describe('a token', () => {
  test('that ends is renewed before its use, and the new refresh token is the one that counts', async () => {
    const id = await authorize();
    const first = await tokenOf();
    for (let round = 0; round < 3; round += 1) {
      await age(id);
      const fresh = await tokenOf(await bed.open());
      expect(fresh).not.toBe(first);
      expect(server.isValid(fresh)).toBe(true);
    }
    expect(server.grants).toEqual(['authorization_code', 'refresh_token', 'refresh_token', 'refresh_token']);
  });

  test('is renewed once, however many calls of however many processes want it at the same moment', async () => {
    const id = await authorize();
    options.delayMs = 400;
    const processes = await Promise.all(Array.from({ length: 4 }, () => bed.open()));
    await age(id);
    const tokens = await Promise.all(Array.from({ length: 40 }, (_, index) => tokenOf(processes[index % 4])));
    expect(new Set(tokens).size).toBe(1);
    expect(server.isValid(tokens[0] ?? '')).toBe(true);
    expect(server.grants).toEqual(['authorization_code', 'refresh_token']);
  });

  test('that an upstream refuses is renewed for the next call, but not with every refusal', async () => {
    await authorize();
    const first = await process.credential(name());
    if (first === null) throw new Error('no credential');
    process.connections.rejected(first);
    const second = await process.credential(name());
    expect(second?.headers.authorization).not.toBe(first.headers.authorization);
    if (second !== null) process.connections.rejected(second);
    expect((await process.credential(name()))?.headers.authorization).toBe(second?.headers.authorization);
    expect(server.grants).toEqual(['authorization_code', 'refresh_token']);
  });

  test('whose consent was withdrawn makes the connection ask for a new one, which mends it', async () => {
    const id = await authorize();
    server.revokeAll();
    await age(id);
    const other = await bed.open();
    await expect(tokenOf(other)).rejects.toMatchObject({ code: 'CONNECTION_BROKEN', message: expect.stringContaining('oauth/start') });
    const record = await process.administration.getConnection(ADMIN, id);
    await process.connections.reload();
    expect(await process.administration.getConnection(ADMIN, id)).toMatchObject({
      status: 'needs_reauthorization',
      reason: expect.stringContaining('invalid_grant'),
    });
    expect(record.id).toBe(id);
    const { url } = await process.administration.startAuthorization(ADMIN, id, CALLBACK);
    await process.administration.finishAuthorization(Object.fromEntries((await server.consent(url)).searchParams));
    expect(server.isValid(await tokenOf())).toBe(true);
  });

  test('that cannot be renewed because the server is away refuses the call as one to repeat, and the connection stays as it is', async () => {
    const id = await authorize({ issuer: server.url, ...CONFIDENTIAL_CLIENT });
    const away = await startAuthorizationServer();
    await away.close();
    // The same server, under an address where nobody listens.
    await process.administration.changeConnection(ADMIN, id, {
      auth: {
        type: 'oauth2',
        authorizationUrl: `${away.url}/authorize`,
        tokenUrl: `${away.url}/token`,
        clientId: 'client-1',
        refreshToken: 'refresh-of-elsewhere',
      },
    });
    await expect(tokenOf()).rejects.toMatchObject({ code: 'CONNECTION_UNAVAILABLE' });
    expect((await process.administration.getConnection(ADMIN, id)).status).toBe('active');
  });

  test('of a client alone needs nobody, is shared by processes, and a wrong secret is said without it', async () => {
    const auth = { type: 'oauth2' as const, grant: 'client_credentials' as const, tokenUrl: `${server.url}/token`, ...CONFIDENTIAL_CLIENT };
    await process.add(name(), auth);
    const token = await tokenOf();
    expect(server.isValid(token)).toBe(true);
    expect(await tokenOf(await bed.open())).toBe(token);
    expect(server.grants).toEqual(['client_credentials']);
    const wrong = 'wrong-secret-51a3f7';
    await process.add(`${name()}-wrong`, { ...auth, clientSecret: wrong });
    const refused = await process.credential(`${name()}-wrong`).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'CONNECTION_BROKEN', message: expect.stringContaining('clientSecret') });
    expect(String(refused)).not.toContain(wrong);
    expect(bed.logLines.join('\n')).not.toContain(wrong);
  });

  test('lies in no row and in no log line in clear', async () => {
    await authorize();
    await tokenOf();
    const tables = ['connections', 'connection_grants', 'authorization_attempts'];
    const rows = await Promise.all(tables.map((table) => sql`select * from ${sql.table(table)}`.execute(bed.db.query())));
    const text = `${JSON.stringify(rows.map((result) => result.rows))}${bed.logLines.join('\n')}`;
    const secrets = [...server.issued.access, ...server.issued.refresh, ...server.issued.clientSecrets];
    expect(secrets.length).toBeGreaterThan(10);
    for (const secret of secrets) expect(text).not.toContain(secret);
  });
});
