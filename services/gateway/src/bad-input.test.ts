import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KEYS, type OpenGateway, openGateway } from './testing/open-gateway.ts';

let gateway: OpenGateway;
beforeEach(async () => {
  gateway = await openGateway();
});
afterEach(async () => {
  await gateway.app.close();
});

const code = 'return 1';
const language = 'typescript';
const TIMEOUT_RANGE = 'Field "timeoutMs" must be a whole number from 1 to 300000';

async function expectRefusal(
  asked: { status: number; text: string; headers: object; json(): unknown },
  status: number,
  errorCode: string,
  message: string | RegExp,
) {
  expect(asked.status, asked.text).toBe(status);
  const { error } = asked.json() as { error: Record<string, unknown> };
  expect(Object.keys(asked.json() as object)).toEqual(['error']);
  expect(error.code).toBe(errorCode);
  expect(error.message).toEqual(message instanceof RegExp ? expect.stringMatching(message) : message);
  expect(asked.headers).toMatchObject({ 'x-request-id': error.requestId, 'content-type': 'application/json; charset=utf-8' });
  expect(gateway.executions.submitted).toEqual([]);
}

describe('a bad execute request is refused with what to do, and nothing is queued', () => {
  it.each<[string, unknown, number, string, string | RegExp]>([
    ['no fields', {}, 400, 'INVALID_REQUEST', 'Field "code" is missing; it must be a string that is not empty. (and 1 more, see details)'],
    ['code of a wrong type', { code: 5, language }, 400, 'INVALID_REQUEST', 'Field "code" must be a string that is not empty, not 5.'],
    ['empty code', { code: '', language }, 400, 'INVALID_REQUEST', 'Field "code" must be a string that is not empty, not the string "".'],
    ['args as an array', { code, language, args: [] }, 400, 'INVALID_REQUEST', 'Field "args" must be an object, not an array.'],
    [
      'a file that is no text',
      { code, language, files: { 'a.ts': 1 } },
      400,
      'INVALID_REQUEST',
      /^Field "files\[\\"a\.ts\\"\]" must be a string, not 1\.$/,
    ],
    [
      'wait as a string',
      { code, language, wait: 'no' },
      400,
      'INVALID_REQUEST',
      'Field "wait" must be true or false, not the string "no".',
    ],
    [
      'an unknown field',
      { code, language, timeout: 5 },
      400,
      'INVALID_REQUEST',
      /^Unknown field "timeout" in the body\. Did you mean "timeoutMs"\? Known fields: code, /,
    ],
    ['a far unknown field', { code, language, zzz: 5 }, 400, 'INVALID_REQUEST', /^Unknown field "zzz" in the body\. Known fields: code, /],
    ['timeout 0', { code, language, timeoutMs: 0 }, 400, 'INVALID_REQUEST', `${TIMEOUT_RANGE}, not 0.`],
    ['timeout 1.5', { code, language, timeoutMs: 1.5 }, 400, 'INVALID_REQUEST', `${TIMEOUT_RANGE}, not 1.5.`],
    ['timeout -1', { code, language, timeoutMs: -1 }, 400, 'INVALID_REQUEST', `${TIMEOUT_RANGE}, not -1.`],
    ['timeout 300001', { code, language, timeoutMs: 300_001 }, 400, 'INVALID_REQUEST', `${TIMEOUT_RANGE}, not 300001.`],
    ['timeout as a string', { code, language, timeoutMs: '5' }, 400, 'INVALID_REQUEST', `${TIMEOUT_RANGE}, not the string "5".`],
    ['timeout null', { code, language, timeoutMs: null }, 400, 'INVALID_REQUEST', `${TIMEOUT_RANGE}, not null.`],
    [
      'an unknown language',
      { code, language: 'pyton' },
      400,
      'UNSUPPORTED_LANGUAGE',
      'There is no language "pyton"; there are typescript, python, node. Did you mean "python"?',
    ],
    ['an alias of a language', { code, language: 'JavaScript' }, 400, 'UNSUPPORTED_LANGUAGE', /Did you mean "typescript"\?$/],
    [
      'a language of Object.prototype',
      { code, language: 'constructor' },
      400,
      'UNSUPPORTED_LANGUAGE',
      /^There is no language "constructor"; there are typescript, python, node\.$/,
    ],
    [
      'a NUL in code',
      { code: 'a\0b', language },
      400,
      'INVALID_REQUEST',
      'There is a NUL in code at character 1 (counted from 0); remove it.',
    ],
    [
      '1 MB of code',
      { code: 'x'.repeat(1024 * 1024), language },
      413,
      'CODE_TOO_LARGE',
      /^The code has 1048576 bytes; at most 262144 are allowed\./,
    ],
    [
      'code of too many bytes, not characters',
      { code: 'ä'.repeat(131_073), language },
      413,
      'CODE_TOO_LARGE',
      /^The code has 262146 bytes/,
    ],
    ['an array', [], 400, 'INVALID_REQUEST', 'The body must be an object, not an array.'],
    ['a number', 7, 400, 'INVALID_REQUEST', 'The body must be an object, not 7.'],
    ['null', null, 400, 'INVALID_REQUEST', 'The body is empty; send a JSON object with `Content-Type: application/json`.'],
  ])('%s', async (_title, body, status, errorCode, message) => {
    await expectRefusal(await gateway.ask('POST', '/execute', { body }), status, errorCode, message);
  });

  it.each<[string, string | Buffer, number, string, RegExp]>([
    [
      'a duplicate key',
      '{"code":"1","code":"2","language":"typescript"}',
      400,
      'MALFORMED_JSON',
      /^The key "code" is given twice \(line 1, column 13/,
    ],
    [
      '__proto__ in args',
      '{"code":"1","language":"typescript","args":{"__proto__":{"x":1}}}',
      400,
      'INVALID_REQUEST',
      /^The key "__proto__" is not allowed .* at "args\.__proto__"/,
    ],
    [
      'a lone surrogate in code',
      '{"code":"\\ud800","language":"typescript"}',
      400,
      'INVALID_REQUEST',
      /^Half a surrogate pair is no character .* at "code"/,
    ],
    [
      'a lone surrogate in args',
      '{"code":"1","language":"typescript","args":{"a":["\\udfff"]}}',
      400,
      'INVALID_REQUEST',
      /at "args\.a\[0\]"/,
    ],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 400, 'MALFORMED_JSON', /^The body is not valid UTF-8: byte 2 /],
    ['malformed JSON', '{"code": }', 400, 'MALFORMED_JSON', /^The body is no JSON: unexpected "}" at line 1, column 10\.$/],
    ['a bomb of brackets', '['.repeat(100_000), 400, 'MALFORMED_JSON', /deeper than 64 levels/],
    ['an empty body', '', 400, 'INVALID_REQUEST', /^The body is empty/],
    [
      'a body of more than 8 MB',
      `{"code":"${'x'.repeat(8 * 1024 * 1024)}"}`,
      413,
      'BODY_TOO_LARGE',
      /^The body is larger than 8388608 bytes\.$/,
    ],
  ])('%s', async (_title, raw, status, errorCode, message) => {
    await expectRefusal(await gateway.ask('POST', '/execute', { raw }), status, errorCode, message);
  });

  it.each<[string, Record<string, string>, number, string, RegExp]>([
    [
      'text/plain',
      { 'content-type': 'text/plain' },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      /must be sent as `Content-Type: application\/json` \(UTF-8\), not with "text\/plain"\.$/,
    ],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'UNSUPPORTED_MEDIA_TYPE', /not with "application/],
    [
      'another charset',
      { 'content-type': 'application/json; charset=latin1' },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      /must be UTF-8, not "latin1"/,
    ],
    ['a compressed body', { 'content-encoding': 'gzip' }, 415, 'UNSUPPORTED_MEDIA_TYPE', /Content-Encoding "gzip" is not understood/],
    ['an Idempotency-Key with spaces', { 'idempotency-key': 'a b' }, 400, 'INVALID_REQUEST', /^Idempotency-Key must have 1 to 255 visible/],
    [
      'a long Idempotency-Key',
      { 'idempotency-key': 'a'.repeat(256) },
      400,
      'INVALID_REQUEST',
      /^Idempotency-Key must have 1 to 255 visible/,
    ],
  ])('%s', async (_title, headers, status, errorCode, message) => {
    await expectRefusal(await gateway.ask('POST', '/execute', { body: { code, language }, headers }), status, errorCode, message);
  });
});

describe('bad paths and queries', () => {
  it.each<['GET' | 'POST' | 'DELETE', string, number, string, RegExp]>([
    [
      'GET',
      '/excute',
      404,
      'NOT_FOUND',
      /^There is no route GET \/excute\. Did you mean POST \/execute\? GET \/openapi\.json lists all\.$/,
    ],
    ['POST', '/api/v1/execute', 404, 'NOT_FOUND', /Did you mean POST \/execute\?/],
    ['GET', '/nothing/like/it', 404, 'NOT_FOUND', /^There is no route GET \/nothing\/like\/it\. GET \/openapi\.json lists all\.$/],
    ['GET', '/execute', 405, 'METHOD_NOT_ALLOWED', /^\/execute takes POST, not GET\.$/],
    ['POST', '/executions/exe_1', 405, 'METHOD_NOT_ALLOWED', /^\/executions\/:id takes GET, not POST\.$/],
    ['GET', '/executions/exe_1', 404, 'EXECUTION_NOT_FOUND', /^There is no execution "exe_1"; ids look like exe_…/],
    ['GET', '/executions/%00', 404, 'EXECUTION_NOT_FOUND', /^There is no execution "\\u0000"/],
    ['GET', '/tools/info/%zz/x', 400, 'INVALID_REQUEST', /^The path is not valid/],
    ['GET', `/tools/info/${'x'.repeat(300)}/x`, 400, 'INVALID_REQUEST', /longer than 256 characters/],
    ['GET', '/tools/info/nots/read', 404, 'SERVER_NOT_FOUND', /Did you mean "notes"/],
    ['GET', '/tools/info/notes/raed', 404, 'TOOL_NOT_FOUND', /Did you mean "read"/],
    ['GET', '/tools?limit=0', 400, 'INVALID_REQUEST', /^Field "limit" must be a whole number from 1 to 1000, not the string "0"\.$/],
    ['GET', '/tools?limit=1e2', 400, 'INVALID_REQUEST', /^Field "limit" must be a whole number/],
    ['GET', '/tools?limit=1&limit=2', 400, 'INVALID_REQUEST', /^Field "limit" must be a whole number from 1 to 1000, not an array\.$/],
    ['GET', '/tools?limti=5', 400, 'INVALID_REQUEST', /^Unknown field "limti" in the query\. Did you mean "limit"\?/],
    [
      'GET',
      '/tools/search?detail=names',
      400,
      'INVALID_REQUEST',
      /^Field "detail" must be one of "name", "description", "full", not the string "names"\.$/,
    ],
    ['GET', '/executions?status=done', 400, 'INVALID_REQUEST', /^Field "status" must be one of "queued"/],
  ])('%s %s', async (method, url, status, errorCode, message) => {
    await expectRefusal(await gateway.ask(method, url), status, errorCode, message);
  });

  it('a 405 says in Allow what there is', async () => {
    expect((await gateway.ask('DELETE', '/policies', { key: KEYS.admin })).headers.allow).toBe('GET, POST');
  });
});

describe('bad administration', () => {
  it.each<[string, string, unknown, number, string, RegExp]>([
    ['/integrations', 'neither url nor command', { slug: 'x', kind: 'mcp' }, 400, 'INVALID_REQUEST', /either "url" or "command"/],
    [
      '/integrations',
      'both',
      { slug: 'x', kind: 'mcp', url: 'http://x/', command: 'y' },
      400,
      'INVALID_REQUEST',
      /either "url" or "command"/,
    ],
    [
      '/integrations',
      'env with a url',
      { slug: 'x', kind: 'mcp', url: 'http://x/', env: {} },
      400,
      'INVALID_REQUEST',
      /^Field "env" goes with "command"/,
    ],
    [
      '/integrations',
      'a bad slug',
      { slug: '../x', kind: 'mcp', command: 'y' },
      400,
      'INVALID_REQUEST',
      /^Field "slug" must be a string \(1 to 64 of/,
    ],
    [
      '/integrations',
      'a file url',
      { slug: 'x', kind: 'mcp', url: 'file:///etc/passwd' },
      400,
      'INVALID_REQUEST',
      /^Field "url" must be a URL/,
    ],
    ['/integrations', 'a slug there is', { slug: 'notes', kind: 'mcp', command: 'y' }, 409, 'INTEGRATION_EXISTS', /exists/],
    [
      '/policies',
      'an unknown action',
      { pattern: '*', action: 'deny' },
      400,
      'INVALID_REQUEST',
      /^Field "action" must be one of "allow", "require_approval", "block"/,
    ],
    [
      '/keys',
      'an unknown role',
      { name: 'x', role: 'root' },
      400,
      'INVALID_REQUEST',
      /^Field "role" must be one of "admin", "operator", "agent"/,
    ],
    [
      '/keys',
      'no date',
      { name: 'x', role: 'agent', expiresAt: 'tomorrow' },
      400,
      'INVALID_REQUEST',
      /^Field "expiresAt" must be a date and time/,
    ],
    [
      '/keys',
      'the past',
      { name: 'x', role: 'agent', expiresAt: '2020-01-01T00:00:00Z' },
      400,
      'INVALID_REQUEST',
      /^Field "expiresAt" must be in the future\.$/,
    ],
    [
      '/keys',
      'a name with control characters',
      { name: 'a\nb', role: 'agent' },
      400,
      'INVALID_REQUEST',
      /^Field "name" must be a string of 1 to 100 characters \(without control characters\)/,
    ],
    [
      '/tools/invoke/notes/read',
      'arguments not under args',
      { id: 1 },
      400,
      'INVALID_REQUEST',
      /^Unknown field "id" in the body\. Known fields: args\. The arguments of the tool go under "args"\.$/,
    ],
  ])('%s with %s', async (url, _title, body, status, errorCode, message) => {
    await expectRefusal(await gateway.ask('POST', url, { body, key: KEYS.admin }), status, errorCode, message);
  });
});

describe('faults of ours', () => {
  it('show nothing but the request id, and are in the log under it', async () => {
    gateway.executions.failure = new Error('password=hunter2 at /srv/secret');
    const answer = await gateway.ask('POST', '/execute', { body: { code, language } });
    await expectRefusal(answer, 500, 'INTERNAL', /^Something went wrong on our side\. The log has it under req_\w+\.$/);
    expect(answer.text).not.toContain('hunter2');
    const logged = gateway.logLines.filter((line) => line.includes('hunter2')).map((line) => JSON.parse(line));
    expect(logged).toHaveLength(1);
    expect(logged[0]).toMatchObject({ level: 50, requestId: answer.json().error.requestId });
  });
});
