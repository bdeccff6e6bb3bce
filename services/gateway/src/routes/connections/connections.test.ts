import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KEYS, type OpenGateway, openGateway } from '../../testing/open-gateway.ts';

let gateway: OpenGateway;
beforeEach(async () => {
  gateway = await openGateway();
});
afterEach(() => gateway.app.close());

const SECRET = 'hunter2-token';
const connection = { integration: 'notes', name: 'main', owner: 'workspace', auth: { type: 'bearer', token: SECRET } };
const post = (body: unknown) => gateway.ask('POST', '/connections', { key: KEYS.admin, body });

describe('a connection', () => {
  test('is made, listed, validated and removed; no answer has its value', async () => {
    const made = await post(connection);
    expect(made.status).toBe(201);
    const { id } = made.json();
    expect(made.headers.location).toBe(`/connections/${id}`);
    const answers = [
      made,
      await gateway.ask('GET', '/connections', { key: KEYS.operator }),
      await gateway.ask('GET', `/connections/${id}`, { key: KEYS.operator }),
      await gateway.ask('POST', `/connections/${id}/validate`, { key: KEYS.operator, body: {} }),
      await gateway.ask('GET', '/providers', { key: KEYS.operator }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 200, 200, 200, 200]);
    expect(answers.map(({ text }) => text).join('')).not.toContain(SECRET);
    expect(gateway.logLines.join('')).not.toContain(SECRET);
    expect((await gateway.ask('DELETE', `/connections/${id}`, { key: KEYS.admin })).status).toBe(204);
    expect((await gateway.ask('GET', `/connections/${id}`, { key: KEYS.operator })).json().error.code).toBe('CONNECTION_NOT_FOUND');
  });

  test('is no affair of agents, and its key no affair of operators', async () => {
    for (const [method, path] of [
      ['GET', '/connections'],
      ['POST', '/connections'],
      ['DELETE', '/connections/con_1'],
      ['POST', '/connections/con_1/oauth/start'],
      ['GET', '/providers'],
    ] as const)
      expect((await gateway.ask(method, path, { key: KEYS.agent, ...(method === 'POST' ? { body: {} } : {}) })).status).toBe(403);
    expect((await gateway.ask('POST', '/providers/sealed/rotate', { key: KEYS.operator, body: {} })).status).toBe(403);
    expect((await gateway.ask('POST', '/providers/sealed/rotate', { key: KEYS.admin, body: { newKey: true } })).json()).toMatchObject({
      keys: 1,
    });
  });

  test('that is written wrong is told what is wrong, and its value is not repeated', async () => {
    const wrong: [unknown, RegExp][] = [
      [
        { ...connection, auth: { type: 'bearer', tokn: SECRET } },
        /Unknown field "tokn" in "auth". Did you mean "token"\? Known fields: type, token./,
      ],
      [{ ...connection, auth: { type: 'baerer', token: SECRET } }, /"auth.type" must be one of "bearer", "apiKey", "api_key", "basic"/],
      [{ ...connection, auth: { type: 'basic', username: 'ann', password: 1234567 } }, /"auth.password" must be .*not a number/],
      [{ ...connection, auth: SECRET }, /"auth" must be .*not a string/],
      [{ ...connection, auth: { type: 'headers', headers: { 'X Y': SECRET } } }, /auth/],
      [{ ...connection, owner: 'me' }, /"owner" must be one of "workspace", "principal"/],
      [{ ...connection, name: 'Not A Name' }, /"name" must be a string \(1 to 64/],
    ];
    for (const [body, message] of wrong) {
      const answer = await post(body);
      expect([answer.status, answer.json().error.message]).toEqual([400, expect.stringMatching(message)]);
      expect(answer.text).not.toContain(SECRET);
      expect(answer.text).not.toContain('1234567');
    }
  });
});

describe('where an authorization server sends the browser back to', () => {
  test('is a page without scripts that says what came of it, whatever that holds', async () => {
    gateway.tools.callbackEnd = { outcome: 'failed', message: '<script>alert(1)</script> "quoted" & \'more\'' };
    const answer = await gateway.ask('GET', '/oauth/callback?state=abc&code=secret-code-1&iss=x', { key: null });
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(answer.headers['content-security-policy']).toMatch(/^default-src 'none'/);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['referrer-policy']).toBe('no-referrer');
    expect(answer.text).toContain('&#60;script&#62;');
    expect(answer.text).not.toMatch(/<script|secret-code/);
    expect(gateway.tools.callbacks).toEqual([{ state: 'abc', code: 'secret-code-1', iss: 'x' }]);
    expect(gateway.logLines.join('')).not.toContain('secret-code-1');
  });

  test('takes each parameter once, and is the address that clients are registered with', async () => {
    expect((await gateway.ask('GET', '/oauth/callback?state=a&state=b', { key: null })).status).toBe(400);
    expect(gateway.tools.callbacks).toEqual([]);
    const { id } = (await post(connection)).json();
    const begun = await gateway.ask('POST', `/connections/${id}/oauth/start`, { key: KEYS.admin, body: {} });
    expect(new URL(begun.json().url).searchParams.get('redirect_uri')).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/oauth\/callback$/);
  });
});
