import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ask } from './support/ask.ts';
import {
  BASIC_PAIR,
  CANARY,
  CANARY_CONNECTIONS,
  CANARY_SEEN,
  createHits,
  lookingProgram,
  needlesOf,
  TELLING_PATHS,
  WRONG_CONNECTIONS,
} from './support/canary.ts';
import { ECHO_DOCUMENT, ECHO_MODES, type EchoingUpstream, startEchoingUpstream } from './support/echoing-upstream.ts';
import { startRemoteServer } from './support/remote-server.ts';
import { serviceForThisFile } from './support/service-suite.ts';
import { startOtlpReceiver } from './traces/otlp-receiver.ts';

const needles = needlesOf([...Object.values(CANARY), BASIC_PAIR]);
const hitsIn = createHits(needles);

const filesDir = mkdtempSync(join(tmpdir(), 'canary-files-'));
writeFileSync(join(filesDir, 'canary'), `${CANARY.fromFile}\n`);
let upstream: EchoingUpstream;
const remote = await startRemoteServer('streamable', CANARY.mcpToken);
const collector = await startOtlpReceiver();
const { service, dataDir, typescript } = serviceForThisFile({
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  EXECUTOR_SECRET_CANARY: CANARY.fromEnvironment,
  EXECUTOR_SECRET_FILES_DIR: filesDir,
  EXECUTOR_OUTBOUND_ALLOW: '127.0.0.1',
});
/** Everything that came out, by where. */
const outputs: [string, string][] = [];

beforeAll(async () => {
  upstream = await startEchoingUpstream();
  await say('POST', '/integrations', { slug: 'echo', kind: 'openapi', document: ECHO_DOCUMENT, baseUrl: upstream.url });
  await say('POST', '/integrations', { slug: 'remote', kind: 'mcp', url: remote.url, trust: true });
  for (const [name, auth] of Object.entries(CANARY_CONNECTIONS))
    expect((await say('POST', '/connections', { integration: 'echo', name, owner: 'workspace', auth })).status, name).toBe(201);
  await say('POST', '/connections', {
    integration: 'remote',
    name: 'main',
    owner: 'workspace',
    auth: { type: 'bearer', token: CANARY.mcpToken },
  });
}, 180_000);
afterAll(async () => {
  await upstream.close();
  await remote.close();
  await collector.close();
  rmSync(filesDir, { recursive: true, force: true });
});

async function say(method: string, path: string, body?: unknown) {
  const reply = await ask(service(), method, path, body === undefined ? {} : { body });
  outputs.push([`${method} ${path}`, `${reply.text}\n${JSON.stringify(reply.headers)}`]);
  return reply;
}

describe('a secret that was given to a connection', () => {
  test('reaches its upstream, and comes back in no answer that the upstream makes of it', async () => {
    for (const name of Object.keys(CANARY_CONNECTIONS)) {
      for (const mode of ECHO_MODES) await say('POST', `/tools/invoke/${encodeURIComponent(`echo@${name}`)}/echo`, { args: { mode } });
    }
    const heard = [...upstream.seen];
    for (const secret of CANARY_SEEN)
      expect(
        heard.some((value) => value.startsWith(secret)),
        secret,
      ).toBe(true);
    const answered = outputs.filter(([where]) => where.includes('/tools/invoke/'));
    expect(answered.filter(([, text]) => text.includes('[secret]')).length).toBeGreaterThan(60);
    expect(answered.flatMap(([where, text]) => hitsIn(text).map((hit) => `${where}: ${hit}`))).toEqual([]);
  });

  test('is in no sandbox: neither its environment nor its files nor what calls give to the program', async () => {
    const answer = await typescript(lookingProgram(needles));
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
    expect(items).toHaveLength(Object.keys(CANARY_CONNECTIONS).length + 1);
    for (const { id } of items) {
      await say('GET', `/connections/${id}`);
      await say('POST', `/connections/${id}/validate`, {});
      await say('POST', `/connections/${id}/oauth/start`, {});
    }
    for (const body of WRONG_CONNECTIONS) expect((await say('POST', '/connections', body)).status).toBeGreaterThanOrEqual(400);
    await say('PATCH', `/connections/${items[0]?.id}`, { auth: { type: 'bearer', token: CANARY.bearer } });
    await say('GET', `/oauth/callback?state=${encodeURIComponent(CANARY.bearer)}&error=x`);
    for (const path of TELLING_PATHS) await say('GET', path);
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
    const sought = needles.map(([secret, needle]) => ({ secret, bytes: Buffer.from(needle) }));
    const found = files.flatMap((file) => {
      const content = readFileSync(file);
      return sought.filter(({ bytes }) => content.includes(bytes)).map(({ secret }) => `${file}: ${secret}`);
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
