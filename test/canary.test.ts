import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ask } from './support/ask.ts';
import { ECHO_DOCUMENT, ECHO_MODES, type EchoingUpstream, encodings, startEchoingUpstream } from './support/echoing-upstream.ts';
import { startRemoteServer } from './support/remote-server.ts';
import { serviceForThisFile } from './support/service-suite.ts';
import { startOtlpReceiver } from './traces/otlp-receiver.ts';

const BEARER = 'canary-bearer-Zq8vXw2Lr5tN';
const HEADER_KEY = 'canary-header-H7+pQ/m3Kd9s';
const QUERY_KEY = 'canary-query-u4Jc~T6y b1Ge';
const COOKIE_KEY = 'canary-cookie-R0nf5aWk8ZiV';
const USERNAME = 'canary-user-as-key-Bx3hM9oS7q';
const PASSWORD = 'canary-password-"e2Dl%6P&j';
const ORG = 'canary-org-C5tz8Ug1YvIw';
const OAUTH_SECRET = 'canary-client-secret-kN4r7Fb0';
const FROM_ENV = 'canary-from-env-Oa9sE3xj6Hd2';
const MCP_TOKEN = 'canary-mcp-token-Lw1kQ8fG5mZ0';
const SECRETS = [BEARER, HEADER_KEY, QUERY_KEY, COOKIE_KEY, USERNAME, PASSWORD, ORG, OAUTH_SECRET, FROM_ENV, MCP_TOKEN];

const CONNECTIONS: Record<string, object> = {
  bearer: { type: 'bearer', token: BEARER },
  header: { type: 'apiKey', value: HEADER_KEY, in: 'header', name: 'X-API-Key' },
  query: { type: 'api_key', key: QUERY_KEY, in: 'query', name: 'api_key' },
  cookie: { type: 'apiKey', token: COOKIE_KEY, in: 'cookie', name: 'sid' },
  basic: { type: 'basic', username: USERNAME, password: PASSWORD },
  headers: { type: 'headers', headers: { Authorization: `Token ${BEARER}`, 'X-Org': ORG } },
  env: { type: 'bearer', token: { provider: 'env', key: 'CANARY' } },
  oauth: { type: 'oauth2', grant: 'client_credentials', tokenUrl: 'http://127.0.0.1:9/token', clientId: 'c', clientSecret: OAUTH_SECRET },
};

let upstream: EchoingUpstream;
const remote = await startRemoteServer('streamable', MCP_TOKEN);
const collector = await startOtlpReceiver();
const { service, dataDir, typescript } = serviceForThisFile({
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  EXECUTOR_SECRET_CANARY: FROM_ENV,
  EXECUTOR_OUTBOUND_ALLOW: '127.0.0.1',
});
/** Everything that came out, by where. */
const outputs: [string, string][] = [];

beforeAll(async () => {
  upstream = await startEchoingUpstream();
  await say('POST', '/integrations', { slug: 'echo', kind: 'openapi', document: ECHO_DOCUMENT, baseUrl: upstream.url });
  await say('POST', '/integrations', { slug: 'remote', kind: 'mcp', url: remote.url, trust: true });
  for (const [name, auth] of Object.entries(CONNECTIONS))
    expect((await say('POST', '/connections', { integration: 'echo', name, owner: 'workspace', auth })).status, name).toBe(201);
  await say('POST', '/connections', {
    integration: 'remote',
    name: 'main',
    owner: 'workspace',
    auth: { type: 'bearer', token: MCP_TOKEN },
  });
}, 180_000);
afterAll(async () => {
  await upstream.close();
  await remote.close();
  await collector.close();
});

async function say(method: string, path: string, body?: unknown) {
  const reply = await ask(service(), method, path, body === undefined ? {} : { body });
  outputs.push([`${method} ${path}`, `${reply.text}\n${JSON.stringify(reply.headers)}`]);
  return reply;
}

/** Pieces by which a secret would be recognised in a text, however it is spelt; twelve characters from the middle of the base64 of longer texts. */
const NEEDLES: [string, string][] = [...SECRETS, `${USERNAME}:${PASSWORD}`].flatMap((secret) =>
  encodings(secret).map((text, index): [string, string] => [secret, index < 7 ? text : text.slice(16, 16 + 12)]),
);

/** The program that looks for them must not hold them itself. */
const backwards = (text: string): string => [...text].reverse().join('');
const hitsIn = (text: string): string[] =>
  NEEDLES.filter(([, needle]) => text.includes(needle)).map(([secret, needle]) => `${secret} as ${needle}`);

describe('a secret that was given to a connection', () => {
  test('reaches its upstream, and comes back in no answer that the upstream makes of it', async () => {
    for (const name of Object.keys(CONNECTIONS)) {
      for (const mode of ECHO_MODES) await say('POST', `/tools/invoke/${encodeURIComponent(`echo@${name}`)}/echo`, { args: { mode } });
    }
    const heard = [...upstream.seen];
    for (const secret of [
      BEARER,
      HEADER_KEY,
      QUERY_KEY,
      COOKIE_KEY,
      ORG,
      FROM_ENV,
      Buffer.from(`${USERNAME}:${PASSWORD}`).toString('base64').replace(/=+$/, ''),
    ])
      expect(
        heard.some((value) => value.startsWith(secret)),
        secret,
      ).toBe(true);
    const answered = outputs.filter(([where]) => where.includes('/tools/invoke/'));
    expect(answered.filter(([, text]) => text.includes('[secret]')).length).toBeGreaterThan(30);
    expect(answered.flatMap(([where, text]) => hitsIn(text).map((hit) => `${where}: ${hit}`))).toEqual([]);
  });

  test('is in no sandbox: neither its environment nor its files nor what calls give to the program', async () => {
    const code = `
      const fs = await import('node:fs');
      const out = [JSON.stringify(process.env)];
      const walk = (dir) => { for (const entry of fs.readdirSync(dir, { withFileTypes: true })) { const path = dir + '/' + entry.name;
        if (entry.isDirectory()) walk(path); else if (entry.isFile()) out.push(fs.readFileSync(path, 'latin1')); } };
      for (const dir of ['/workspace', '/tmp', '/etc']) try { walk(dir); } catch (error) { out.push(String(error)); }
      for (const file of ['/proc/self/environ', '/proc/1/environ', '/proc/1/cmdline', '/proc/self/mountinfo']) try { out.push(fs.readFileSync(file, 'latin1')); } catch (error) { out.push(String(error)); }
      const replies = [];
      for (const mode of ${JSON.stringify(ECHO_MODES)})
        replies.push(await tools.echo.echo({ mode }).catch((error) => ({ code: error.code, message: error.message, details: error.details })));
      console.log(JSON.stringify(replies));
      const text = out.join('\\n');
      return { length: text.length, hits: ${JSON.stringify(NEEDLES.map(([, needle]) => backwards(needle)))}
        .filter((needle) => text.includes([...needle].reverse().join(''))) };`;
    const answer = await typescript(code);
    outputs.push(['execution', JSON.stringify(answer)]);
    expect(answer.error).toBeNull();
    expect(answer.result).toMatchObject({ hits: [], length: expect.any(Number) });
    expect((answer.result as { length: number }).length).toBeGreaterThan(10_000);
    expect(hitsIn(answer.output)).toEqual([]);
    await say('GET', `/executions/${answer.executionId}`);
    await say('GET', `/executions/${answer.executionId}/events`);
  });

  test('is in no answer of any other route, in no error for what is wrong with it, and in no page', async () => {
    const listed = await say('GET', '/connections');
    expect(listed.status, listed.text).toBe(200);
    const { items } = listed.json() as { items: { id: string }[] };
    expect(items).toHaveLength(Object.keys(CONNECTIONS).length + 1);
    for (const { id } of items) {
      await say('GET', `/connections/${id}`);
      await say('POST', `/connections/${id}/validate`, {});
      await say('POST', `/connections/${id}/oauth/start`, {});
    }
    const wrong = [
      { integration: 'echo', name: 'x', owner: 'workspace', auth: { type: 'bearer', tokens: BEARER } },
      {
        integration: 'echo',
        name: 'x',
        owner: 'workspace',
        auth: { type: 'basic', username: USERNAME, password: { provider: 'no', key: PASSWORD } },
      },
      { integration: 'echo', name: 'x', owner: 'workspace', auth: BEARER },
      { integration: 'echo', name: 'x', owner: 'workspace', auth: { type: 'bearer', token: `${BEARER}\n` } },
      { integration: 'echo', name: 'bearer', owner: 'workspace', auth: { type: 'bearer', token: BEARER } },
      { integration: 'nothing', name: 'x', owner: 'workspace', auth: { type: 'bearer', token: BEARER } },
    ];
    for (const body of wrong) expect((await say('POST', '/connections', body)).status).toBeGreaterThanOrEqual(400);
    await say('PATCH', `/connections/${items[0]?.id}`, { auth: { type: 'bearer', token: BEARER } });
    await say('GET', `/oauth/callback?state=${encodeURIComponent(BEARER)}&error=x`);
    for (const path of [
      ...['/integrations', '/integrations/echo', '/integrations/remote', '/providers', '/policies', '/approvals', '/audit', '/keys'],
      ...[
        '/tools',
        '/tools/info/echo/echo',
        '/tools/search?q=echo&detail=full',
        '/tools/export/openapi',
        '/executions',
        '/executions/export',
      ],
      ...['/health', '/health/ready', '/metrics', '/openapi.json'],
    ])
      await say('GET', path);
    expect((await say('POST', '/providers/sealed/rotate', { newKey: true })).json()).toMatchObject({ keys: 2 });
    const others = outputs.filter(([where]) => !where.includes('oauth/callback'));
    expect(others.flatMap(([where, text]) => hitsIn(text).map((hit) => `${where}: ${hit}`))).toEqual([]);
  });

  test('is in clear in no file that the service keeps: database, log, wrappers, keys', async () => {
    const files = readdirSync(dataDir(), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    const database = files.filter((file) => file.includes('/database/'));
    expect(database.length).toBeGreaterThan(100);
    const needles = NEEDLES.map(([secret, needle]) => ({ secret, bytes: Buffer.from(needle) }));
    const found = files.flatMap((file) => {
      const content = readFileSync(file);
      return needles.filter(({ bytes }) => content.includes(bytes)).map(({ secret }) => `${file}: ${secret}`);
    });
    expect(found).toEqual([]);
    // What is looked for would be found: names of connections are in clear.
    expect(
      database.some((file) => readFileSync(file).includes(Buffer.from('echo@')) || readFileSync(file).includes(Buffer.from('cookie'))),
    ).toBe(true);
    expect(statSync(service().logFile).size).toBeGreaterThan(1_000);
  });

  test('is in no trace', async () => {
    await vi.waitFor(
      () => expect(collector.spans.some(({ attributes }) => attributes['code_executor.tool.server'] === 'echo')).toBe(true),
      20_000,
    );
    expect(collector.bodies.flatMap(hitsIn)).toEqual([]);
  });
});
