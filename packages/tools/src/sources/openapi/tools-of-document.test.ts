import { describe, expect, test } from 'vitest';
import { documentOf, parseText, toolOf } from './testing/parse-text.ts';

describe('tools of a document', () => {
  test('arguments of one name in several places are told apart, whoever is declared first', async () => {
    const at = (place: string) => ({ name: 'id', in: place, required: true, schema: { type: 'string' } });
    const body = { requestBody: { content: { 'application/json': { schema: { type: 'object' } } } } };
    const parameters = [at('cookie'), at('header'), at('query'), at('path'), { ...at('query'), name: 'body' }];
    const tool = await toolOf(documentOf({ parameters, ...body }, {}, 'post /things/{id}'));
    const byPlace = Object.fromEntries(
      tool.binding.parameters.map((parameter) => [`${parameter.in} ${parameter.name}`, parameter.argument]),
    );
    expect(byPlace).toEqual({
      'path id': 'id',
      'query id': 'id_query',
      'header id': 'id_header',
      'cookie id': 'id_cookie',
      'query body': 'body_query',
    });
    const turned = await toolOf(documentOf({ parameters: parameters.toReversed(), ...body }, {}, 'post /things/{id}'));
    expect(turned.binding.parameters.map(({ argument }) => argument).sort()).toEqual(Object.values(byPlace).sort());
  });

  test('headers that are not the document’s to set, and places of the credential, are no arguments', async () => {
    const header = (name: string) => ({ name, in: 'header', required: true, schema: { type: 'string' } });
    const parameters = [
      'Host',
      'Authorization',
      'Cookie',
      'Content-Length',
      'Transfer-Encoding',
      'Connection',
      'Proxy-Authorization',
      'Accept',
      'X-Key',
      'a\r\nb',
      'X-Fine',
    ].map(header);
    const components = { securitySchemes: { key: { type: 'apiKey', in: 'header', name: 'x-key' } } };
    const tool = await toolOf(documentOf({ parameters }, { components }));
    expect(tool.binding.parameters.map(({ name }) => name)).toEqual(['X-Fine']);
  });

  test('a credential that an operation takes as a parameter is not asked of the agent', async () => {
    const parameters = [{ name: 'token', in: 'query', required: true, schema: { type: 'string' } }];
    const tool = await toolOf(documentOf({ parameters, security: [{ oauth: [] }] }));
    expect(tool.inputSchema).not.toHaveProperty('required');
  });

  test('a path parameter that nobody declares is an argument all the same', async () => {
    const tool = await toolOf(documentOf({}, {}, 'get /things/{id}/parts/{part}'));
    expect(tool.inputSchema).toMatchObject({ required: ['id', 'part'], properties: { id: { type: 'string' } } });
  });

  test('methods say what they may do', async () => {
    const { tools } = await parseText({
      openapi: '3.0.0',
      paths: { '/a': { get: {}, head: {}, options: {}, post: {}, put: {}, patch: {}, delete: {} } },
    });
    const hints = Object.fromEntries(tools.map(({ binding, annotations }) => [binding.method, annotations]));
    expect(hints).toEqual({
      GET: { readOnlyHint: true },
      HEAD: { readOnlyHint: true },
      OPTIONS: { readOnlyHint: true },
      POST: { readOnlyHint: false },
      PATCH: { readOnlyHint: false },
      PUT: { readOnlyHint: false, idempotentHint: true },
      DELETE: { readOnlyHint: false, idempotentHint: true, destructiveHint: true },
    });
  });

  test('descriptions are bounded, without markup, and say what is deprecated', async () => {
    const tool = await toolOf(
      documentOf({ summary: 'Makes.', description: `<p>Makes a <b>thing</b>\u202e.</p>${'x'.repeat(1e6)}`, deprecated: true }),
    );
    expect(tool.description).toMatch(/^Deprecated\.\n\nMakes\.?\n?/);
    expect(tool.description).toContain('Makes a thing');
    expect(tool.description).not.toContain('\u202e');
    expect(tool.description.length).toBeLessThan(2_000);
  });

  test('security schemes become what a connection can take', async () => {
    const securitySchemes = {
      header: { type: 'apiKey', in: 'header', name: 'X-Key' },
      cookie: { type: 'apiKey', in: 'cookie', name: 'sid' },
      bearer: { type: 'http', scheme: 'Bearer' },
      basic: { type: 'http', scheme: 'basic' },
      oidc: { type: 'openIdConnect', openIdConnectUrl: 'https://id.example' },
      oauth: {
        type: 'oauth2',
        flows: {
          implicit: { scopes: {} },
          authorizationCode: { authorizationUrl: '/authorize', tokenUrl: 'https://id.example/token', scopes: { read: '' } },
        },
      },
      digest: { type: 'http', scheme: 'digest' },
    };
    const parsed = await parseText(
      documentOf({ security: [{ header: [], cookie: [] }, { oauth: ['read'] }] }, { components: { securitySchemes } }),
    );
    expect(parsed.securitySchemes).toEqual([
      { name: 'header', type: 'apiKey', in: 'header', parameter: 'X-Key' },
      { name: 'cookie', type: 'apiKey', in: 'cookie', parameter: 'sid' },
      { name: 'bearer', type: 'bearer' },
      { name: 'basic', type: 'basic' },
      { name: 'oidc', type: 'bearer' },
      {
        name: 'oauth',
        type: 'oauth2',
        authorizationUrl: 'https://api.example/authorize',
        tokenUrl: 'https://id.example/token',
        scopes: ['read'],
      },
    ]);
    expect(parsed.warnings).toEqual([expect.stringContaining('"digest"')]);
    expect(parsed.tools[0]?.binding.security).toEqual([['header', 'cookie'], ['oauth']]);
  });
});
