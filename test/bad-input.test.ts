import { describe, expect, test } from 'vitest';
import { ask } from './support/ask.ts';
import { followEvents } from './support/events.ts';
import { refusalsOf } from './support/expect-refusal.ts';
import { serviceForThisFile } from './support/service-suite.ts';

const { service, typescript } = serviceForThisFile();
const expectRefusal = refusalsOf(service);

const code = 'return 1';
const language = 'typescript';
const LIMIT_BYTES = 256 * 1024;

describe('a body that does not fit is refused by name, and nothing is queued', () => {
  const range = /"timeoutMs" must be a whole number from 1 to 300000, not /;
  test.each<[string, unknown, number, string, RegExp]>([
    ['no code', { language }, 400, 'INVALID_REQUEST', /"code" is missing; it must be a string/],
    ['no language', { code }, 400, 'INVALID_REQUEST', /"language" is missing/],
    ['code as a number', { code: 5, language }, 400, 'INVALID_REQUEST', /"code" must be a string that is not empty, not 5/],
    ['code as an array', { code: ['1'], language }, 400, 'INVALID_REQUEST', /"code" must be a string .* not an array/],
    ['empty code', { code: '', language }, 400, 'INVALID_REQUEST', /"code" must be a string that is not empty/],
    ['language as null', { code, language: null }, 400, 'INVALID_REQUEST', /"language" must be .* not null/],
    ['args as a list', { code, language, args: [1] }, 400, 'INVALID_REQUEST', /"args" must be an object, not an array/],
    ['args as text', { code, language, args: '{}' }, 400, 'INVALID_REQUEST', /"args" must be an object, not the string/],
    ['files as a list', { code, language, files: ['a.ts'] }, 400, 'INVALID_REQUEST', /"files" must be an object, not an array/],
    ['a file that is no text', { code, language, files: { 'a.ts': 1 } }, 400, 'INVALID_REQUEST', /a\.ts.* must be a string, not 1/],
    ['typecheck as text', { code, language, typecheck: 'yes' }, 400, 'INVALID_REQUEST', /"typecheck" must be true or false/],
    ['wait as a number', { code, language, wait: 0 }, 400, 'INVALID_REQUEST', /"wait" must be true or false, not 0/],
    ['a session by a name that is none', { code, language, sessionId: 'a b' }, 400, 'INVALID_REQUEST', /sessionId/],
    ['a type check of Python', { code, language: 'python', typecheck: true }, 400, 'INVALID_REQUEST', /typecheck is for TypeScript only/],
    ['a near miss', { code, language, timeout: 5 }, 400, 'INVALID_REQUEST', /Unknown field "timeout".*Did you mean "timeoutMs"\?/],
    ['another near miss', { code, languge: 'python' }, 400, 'INVALID_REQUEST', /Unknown field "languge".*Did you mean "language"\?/],
    [
      'a field far from any',
      { code, language, zzz: 1 },
      400,
      'INVALID_REQUEST',
      /Unknown field "zzz".*Known fields: code, language, timeoutMs/,
    ],
    ['timeout 0', { code, language, timeoutMs: 0 }, 400, 'INVALID_REQUEST', range],
    ['timeout 1.5', { code, language, timeoutMs: 1.5 }, 400, 'INVALID_REQUEST', range],
    ['timeout -1', { code, language, timeoutMs: -1 }, 400, 'INVALID_REQUEST', range],
    ['timeout 300001', { code, language, timeoutMs: 300_001 }, 400, 'INVALID_REQUEST', range],
    ['timeout "5"', { code, language, timeoutMs: '5' }, 400, 'INVALID_REQUEST', range],
    ['timeout null', { code, language, timeoutMs: null }, 400, 'INVALID_REQUEST', range],
    ['timeout 1e400', { code, language, timeoutMs: 1e15 }, 400, 'INVALID_REQUEST', range],
    [
      'an unknown language',
      { code, language: 'ruby' },
      400,
      'UNSUPPORTED_LANGUAGE',
      /no language "ruby"; there are typescript, python, node/,
    ],
    ['a misspelt language', { code, language: 'pyhton' }, 400, 'UNSUPPORTED_LANGUAGE', /Did you mean "python"\?/],
    ['an alias of a language', { code, language: 'js' }, 400, 'UNSUPPORTED_LANGUAGE', /Did you mean "typescript"\?/],
    ['a NUL in code', { code: 'return "a\0b"', language }, 400, 'INVALID_REQUEST', /NUL in code at character 9.*remove it/],
    ['a NUL in a file', { code, language, files: { 'a.ts': 'a\0' } }, 400, 'INVALID_REQUEST', /files\["a\.ts"\].*NUL/],
    ['1 MB of code', { code: 'x'.repeat(1024 * 1024), language }, 413, 'CODE_TOO_LARGE', /1048576 bytes; at most 262144 are allowed/],
    ['256 KB of code and one byte', { code: ' '.repeat(LIMIT_BYTES + 1), language }, 413, 'CODE_TOO_LARGE', /262145 bytes; at most 262144/],
    ['code counted in bytes', { code: 'ä'.repeat(LIMIT_BYTES / 2 + 1), language }, 413, 'CODE_TOO_LARGE', /262146 bytes/],
    [
      'code and files that are too large together',
      { code, language, files: { 'a.txt': 'x'.repeat(LIMIT_BYTES / 2), 'b.txt': 'x'.repeat(LIMIT_BYTES / 2) } },
      413,
      'CODE_TOO_LARGE',
      /code and files have 262152 bytes; 262144 are allowed/,
    ],
    [
      '65 files',
      { code, language, files: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`f${n}.ts`, ''])) },
      400,
      'INVALID_REQUEST',
      /files has 65 entries; 64 are allowed/,
    ],
    ['a list', [], 400, 'INVALID_REQUEST', /body must be an object, not an array/],
    ['a number', 7, 400, 'INVALID_REQUEST', /body must be an object, not 7/],
  ])('%s', async (_, body, status, errorCode, says) => {
    await expectRefusal(['POST', '/execute', { body }], status, errorCode, says);
  });

  test('the advice for code that is too large can be followed', async () => {
    const reply = await ask(service(), 'POST', '/execute', { body: { code: ' '.repeat(LIMIT_BYTES + 1), language } });
    expect(reply.text).not.toContain('files');
    const answer = await typescript('return args.text.length', { args: { text: 'x'.repeat(LIMIT_BYTES * 2) } });
    expect(answer).toMatchObject({ status: 'succeeded', result: LIMIT_BYTES * 2 });
  });

  test.each<[string, string, RegExp]>([
    ['a parent', '../a.ts', /"\." or "\.\." segments/],
    ['a parent further in', 'lib/../../a.ts', /"\." or "\.\." segments/],
    ['the folder itself', './a.ts', /"\." or "\.\." segments/],
    ['an absolute path', '/etc/passwd', /must be relative to \/workspace/],
    ['an empty segment', 'lib//a.ts', /empty/],
    ['an empty name', '', /empty/],
    ['a folder', 'lib/', /empty/],
    ['a backslash', 'lib\\a.ts', /letters, digits and/],
    ['a line break', 'a\n.ts', /letters, digits and/],
    ['a bidi control', 'a\u202e.ts', /letters, digits and/],
    ['a hidden file', '.bashrc', /letters, digits and/],
    ['a long name', `${'x'.repeat(201)}.ts`, /longer than 200 characters/],
    ['a wrapper', 'servers/filesystem/read_file.ts', /would shadow a file of the service/],
    ['wrappers in other case', 'Servers/a.ts', /would shadow/],
    ['the module of the wrappers', 'servers.py', /would shadow/],
    ['what Python imports by itself', 'sitecustomize.py', /would shadow/],
    ['settings of the runtime', 'bunfig.toml', /would shadow/],
    ['packages', 'node_modules/zod/index.js', /would shadow/],
    ['the runner’s own', '__main__.py', /would shadow/],
  ])('a file name that is %s', async (_, name, says) => {
    await expectRefusal(['POST', '/execute', { body: { code, language, files: { [name]: '1' } } }], 400, 'INVALID_REQUEST', says);
  });

  test.each<[string, string[], RegExp]>([
    ['in case only', ['lib/a.ts', 'lib/A.ts'], /"lib\/a\.ts" and "lib\/A\.ts", which differ in case only/],
    ['as file and folder', ['lib', 'lib/a.ts'], /"lib" as a file and as a folder/],
  ])('file names that collide %s', async (_, names, says) => {
    const files = Object.fromEntries(names.map((name) => [name, '1']));
    await expectRefusal(['POST', '/execute', { body: { code, language, files } }], 400, 'INVALID_REQUEST', says);
  });

  const withArgs = (args: string): string => `{"code":"return 1","language":"typescript","args":${args}}`;
  test.each<[string, string | Buffer, number, string, RegExp]>([
    ['malformed JSON', '{"code": }', 400, 'MALFORMED_JSON', /no JSON: unexpected "}" at line 1, column 10/],
    ['half a body', '{"code":"return 1"', 400, 'MALFORMED_JSON', /no JSON/],
    ['JSON with a comment', '{/* */}', 400, 'MALFORMED_JSON', /no JSON/],
    ['two values', '{} {}', 400, 'MALFORMED_JSON', /no JSON/],
    ['a number that JSON has not', withArgs('{"a":NaN}'), 400, 'MALFORMED_JSON', /no JSON/],
    ['a key given twice', '{"code":"1","language":"python","code":"2"}', 400, 'MALFORMED_JSON', /key "code" is given twice/],
    ['a key given twice in args', withArgs('{"a":{"b":1,"b":2}}'), 400, 'MALFORMED_JSON', /key "b" is given twice/],
    ['a key given twice in two spellings', withArgs('{"a":1,"\\u0061":2}'), 400, 'MALFORMED_JSON', /key "a" is given twice/],
    ['__proto__ in args', withArgs('{"__proto__":{"admin":true}}'), 400, 'INVALID_REQUEST', /"__proto__" is not allowed.*args/],
    ['__proto__ deep in args', withArgs('{"a":[{"__proto__":1}]}'), 400, 'INVALID_REQUEST', /"__proto__" is not allowed/],
    ['__proto__ spelt with an escape', withArgs('{"\\u005f_proto__":1}'), 400, 'INVALID_REQUEST', /"__proto__" is not allowed/],
    ['a lone surrogate in code', '{"code":"\\ud800","language":"python"}', 400, 'INVALID_REQUEST', /[Hh]alf a surrogate pair.*code/],
    ['a lone surrogate in args', withArgs('{"a":"\\udc00"}'), 400, 'INVALID_REQUEST', /[Hh]alf a surrogate pair.*args\.a/],
    ['a lone surrogate in a key', withArgs('{"\\udc00":1}'), 400, 'INVALID_REQUEST', /[Hh]alf a surrogate pair/],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 400, 'MALFORMED_JSON', /not valid UTF-8/],
    ['a hundred thousand brackets', withArgs(`{"a":${'['.repeat(100_000)}`), 400, 'MALFORMED_JSON', /deeper than 64 levels/],
    ['no body', '', 400, 'INVALID_REQUEST', /body is empty; send a JSON object/],
    ['a body over 8 MB', withArgs(`{"a":"${'x'.repeat(8 * 1024 * 1024)}"}`), 413, 'BODY_TOO_LARGE', /larger than 8388608 bytes/],
  ])('%s', async (_, raw, status, errorCode, says) => {
    await expectRefusal(['POST', '/execute', { raw }], status, errorCode, says);
  });

  test.each<[string, Record<string, string>, number, string, RegExp]>([
    ['text/plain', { 'content-type': 'text/plain' }, 415, 'UNSUPPORTED_MEDIA_TYPE', /Content-Type: application\/json/],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'UNSUPPORTED_MEDIA_TYPE', /Content-Type: application\/json/],
    ['another charset', { 'content-type': 'application/json; charset=utf-16' }, 415, 'UNSUPPORTED_MEDIA_TYPE', /must be UTF-8/],
    ['a compressed body', { 'content-encoding': 'gzip' }, 415, 'UNSUPPORTED_MEDIA_TYPE', /send the body as it is/],
    ['an Idempotency-Key with a space', { 'idempotency-key': 'a b' }, 400, 'INVALID_REQUEST', /Idempotency-Key must have 1 to 255 visible/],
    ['an empty Idempotency-Key', { 'idempotency-key': '' }, 400, 'INVALID_REQUEST', /Idempotency-Key must have 1 to 255 visible/],
    ['an Idempotency-Key of 256 characters', { 'idempotency-key': 'k'.repeat(256) }, 400, 'INVALID_REQUEST', /Idempotency-Key/],
    ['another Host', { host: 'evil.example' }, 403, 'HOST_NOT_ALLOWED', /"evil\.example"; use 127\.0\.0\.1, or add the name to/],
    ['a Host that looks like ours', { host: '127.0.0.1.evil.example' }, 403, 'HOST_NOT_ALLOWED', /add the name to/],
    ['another Origin', { origin: 'https://evil.example' }, 403, 'HOST_NOT_ALLOWED', /pages of "https:\/\/evil\.example" are not answered/],
    ['a null Origin', { origin: 'null' }, 403, 'HOST_NOT_ALLOWED', /are not answered/],
    ['an Origin of another port', { origin: 'http://127.0.0.1:1' }, 403, 'HOST_NOT_ALLOWED', /are not answered/],
  ])('%s', async (_, headers, status, errorCode, says) => {
    const { headers: answered } = await expectRefusal(['POST', '/execute', { body: { code, language }, headers }], status, errorCode, says);
    expect(Object.keys(answered).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test.each<[string, string, number, string, RegExp]>([
    ['GET', '/execute', 405, 'METHOD_NOT_ALLOWED', /\/execute takes POST, not GET/],
    ['PUT', '/executions', 405, 'METHOD_NOT_ALLOWED', /\/executions takes DELETE, GET, not PUT/],
    ['POST', '/excute', 404, 'NOT_FOUND', /no route POST \/excute\. Did you mean POST \/execute\?/],
    ['POST', '/api/v1/execute', 404, 'NOT_FOUND', /Did you mean POST \/execute\?/],
    ['GET', '/nowhere', 404, 'NOT_FOUND', /GET \/openapi\.json lists all/],
    ['GET', '/executions/%zz', 400, 'INVALID_REQUEST', /path is not valid/],
    ['GET', '/executions/exe_1', 404, 'EXECUTION_NOT_FOUND', /no execution "exe_1"; ids look like exe_…/],
    ['GET', "/executions/exe_'; drop table executions;--", 404, 'EXECUTION_NOT_FOUND', /no execution/],
    ['GET', '/executions?limit=0', 400, 'INVALID_REQUEST', /"limit" must be a whole number from 1 to 200/],
    ['GET', '/executions?status=done', 400, 'INVALID_REQUEST', /"status" must be one of "queued"/],
    ['GET', '/executions?cursor=abc', 400, 'INVALID_REQUEST', /cursor must be the nextCursor of an earlier page/],
    ['GET', '/tools?cursor=x', 400, 'INVALID_REQUEST', /use the nextCursor of the page before/],
    ['GET', '/tools/search?details=full', 400, 'INVALID_REQUEST', /Unknown field "details" in the query\. Did you mean "detail"\?/],
    ['GET', '/tools?server=nowhere', 404, 'SERVER_NOT_FOUND', /nowhere/],
    ['GET', '/tools/info/nowhere/x', 404, 'SERVER_NOT_FOUND', /nowhere/],
    ['GET', '/keys/x', 405, 'METHOD_NOT_ALLOWED', /takes DELETE/],
    ['DELETE', '/keys/key_1', 404, 'KEY_NOT_FOUND', /GET \/keys lists them/],
    ['DELETE', '/policies/pol_1', 404, 'POLICY_NOT_FOUND', /GET \/policies lists them/],
    ['DELETE', '/integrations/nowhere', 404, 'SERVER_NOT_FOUND', /nowhere/],
  ])('%s %s', async (method, path, status, errorCode, says) => {
    await expectRefusal([method, path.replaceAll(' ', '%20'), {}], status, errorCode, says);
  });

  test.each<[string, unknown, number, string, RegExp]>([
    ['/tools/invoke/nowhere/x', { args: {} }, 404, 'SERVER_NOT_FOUND', /nowhere/],
    ['/tools/invoke/nowhere/x', { path: '/' }, 400, 'INVALID_REQUEST', /arguments of the tool go under "args"/],
    ['/keys', { name: 'x', role: 'root' }, 400, 'INVALID_REQUEST', /"role" must be one of "admin", "operator", "agent"/],
    ['/keys', { name: 'x', role: 'agent', expiresAt: '2001-01-01T00:00:00Z' }, 400, 'INVALID_REQUEST', /"expiresAt" must be in the future/],
    ['/policies', { pattern: 'a b', action: 'allow' }, 400, 'INVALID_REQUEST', /"pattern" must be .*without spaces/],
    [
      '/policies',
      { pattern: 'a.b', action: 'deny' },
      400,
      'INVALID_REQUEST',
      /"action" must be one of "allow", "require_approval", "block"/,
    ],
    ['/integrations', { slug: 'x', kind: 'mcp' }, 400, 'INVALID_REQUEST', /either "url" or "command"/],
    [
      '/integrations',
      { slug: 'x', kind: 'soap', url: 'http://x/' },
      400,
      'INTEGRATION_INVALID',
      /there is no "soap" here; there are mcp, .*openapi/,
    ],
    ['/integrations', { slug: '../x', kind: 'mcp', command: 'x' }, 400, 'INVALID_REQUEST', /"slug" must be/],
  ])('POST %s of %j', async (path, body, status, errorCode, says) => {
    await expectRefusal(['POST', path, { body }], status, errorCode, says);
    expect((await service().get('/integrations')).body).toMatchObject({ total: 0 });
    expect((await service().get('/policies')).body).toMatchObject({ total: 0 });
  });
});

test('what is data and not a mistake is taken as it is', async () => {
  const args = { nul: 'a\0b', constructor: 1, emoji: '🦀', deep: { toString: null } };
  const answer = await typescript('return { ...args, prototype: Object.getPrototypeOf(args) === Object.prototype }', { args });
  expect(answer).toMatchObject({ status: 'succeeded', result: { ...args, prototype: true } });
  expect(await typescript('return 1', { timeoutMs: 300_000 })).toMatchObject({ status: 'succeeded', result: 1 });
  expect(await typescript('for (;;) {}', { timeoutMs: 1 })).toMatchObject({ status: 'timed_out', error: { code: 'TIMEOUT' } });
  expect(await typescript(`${' '.repeat(LIMIT_BYTES - code.length)}${code}`)).toMatchObject({ status: 'succeeded', result: 1 });
});

test('an unknown tool or server in a program is a catchable error that names what there is', async () => {
  const answer = await typescript(`
    const caught = async (act: () => unknown) => { try { return await act() } catch (error: any) { return [error.name, error.code, error.message] } };
    return await caught(() => (tools as any).nowhere.read({}));`);
  expect(answer).toMatchObject({
    status: 'succeeded',
    effects: 'none',
    result: ['ToolError', 'SERVER_NOT_FOUND', expect.stringContaining('nowhere')],
  });
});

test('an import of a server that is not there names servers, and nothing that only lies beside them', async () => {
  const { error } = (await typescript("import { x } from '/workspace/servers/nowhere/x.js';\nreturn x")) as { error: { message: string } };
  expect(error).toMatchObject({ code: 'UNCAUGHT', line: 1, message: expect.stringContaining("There is no server 'nowhere'.") });
  expect(error.message).not.toMatch(/'runtime'|'aio'|'discovery/);
});

describe('Last-Event-ID', () => {
  test.each<[string, string, number, string, RegExp]>([
    ['beyond the last', '99999', 400, 'INVALID_EVENT_ID', /no event of this execution; its events are 1 to \d+/],
    ['of another service', 'abc', 400, 'INVALID_EVENT_ID', /whole numbers from 1\. Leave it out to start at the first/],
    ['below nothing', '-1', 400, 'INVALID_EVENT_ID', /Leave it out/],
    ['broken', '1.5', 400, 'INVALID_EVENT_ID', /Leave it out/],
    ['huge', '9'.repeat(40), 400, 'INVALID_EVENT_ID', /Leave it out/],
  ])('one that is %s', async (_, id, status, errorCode, says) => {
    const { executionId } = await typescript("console.log('a')");
    await expectRefusal(['GET', `/executions/${executionId}/events`, { headers: { 'last-event-id': id } }], status, errorCode, says);
  });

  test('one of events that were dropped from a long output', async () => {
    const { executionId, truncated } = await typescript("for (let n = 0; n < 400; n++) console.log(n, 'x'.repeat(1_000))");
    expect(truncated).toBe(true);
    const stream = await followEvents(service(), executionId);
    const ids = (await stream.ended).map(({ id }) => id ?? 0);
    const gap = ids.find((id, index) => index > 0 && id > (ids[index - 1] ?? 0) + 1) ?? 0;
    expect(gap).toBeGreaterThan(0);
    const headers = { 'last-event-id': String(gap - 2) };
    await expectRefusal(
      ['GET', `/executions/${executionId}/events`, { headers }],
      410,
      'EVENTS_GONE',
      /Connect again without Last-Event-ID/,
    );
  });
});
