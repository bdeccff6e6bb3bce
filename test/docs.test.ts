import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { startAuthorizationServer, type TestAuthorizationServer } from '../packages/tools/src/testing/authorization-server.ts';
import { type GraphqlUpstream, startGraphqlUpstream } from '../packages/tools/src/testing/graphql-upstream.ts';
import { startVault, type TestVault, VAULT_TOKEN } from '../packages/tools/src/testing/vault-server.ts';
import { openShell } from './support/cli.ts';
import { docsBlocks } from './support/docs-blocks.ts';
import { type Service, startService } from './support/start-service.ts';

/** The pages about governing and sources, typed as they stand; the hosts of the world are servers of this file. */
let directory: string;
let service: Service;
let shell: ReturnType<typeof openShell>;
let upstream: Server;
let origin: string;
let provider: TestAuthorizationServer;
let vault: TestVault;
let shop: GraphqlUpstream;

const SHOP = `type Money { onSale: Boolean } type Variant { sku: String } type Product { name: String pricing: Money variants: [Variant!] }
  type Query { product(slug: String, channel: String): Product }`;
const bearer = { components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } }, security: [{ token: [] }] };
const operation = (operationId: string, more: object = {}) => ({ operationId, responses: { 200: { description: 'done' } }, ...more });
const json = { content: { 'application/json': { schema: { type: 'object' } } } };
const query = (name: string, type = 'string') => ({ name, in: 'query', schema: { type } });

const documents: Record<string, (at: string) => object> = {
  github: (at) => ({
    openapi: '3.1.0',
    info: { title: 'GitHub', version: '1' },
    servers: [{ url: `${at}/github` }],
    ...bearer,
    paths: {
      '/issues': { post: operation('create_issue', { requestBody: json }) },
      '/repos/issues': { post: operation('issues/create', { parameters: [query('repo')], requestBody: json }) },
      '/orgs/{org}/repos': {
        get: operation('repos/list-for-org', {
          parameters: [
            { name: 'org', in: 'path', required: true, schema: { type: 'string' } },
            query('per_page', 'integer'),
            query('page', 'integer'),
          ],
        }),
      },
    },
  }),
  pets: (at) => ({
    openapi: '3.0.3',
    info: { title: 'Pets', version: '1' },
    servers: [{ url: `${at}/api/v3` }],
    paths: {
      '/pet/{petId}': {
        get: operation('getPetById', {
          tags: ['pet'],
          parameters: [{ name: 'petId', in: 'path', required: true, schema: { type: 'integer' } }],
        }),
      },
    },
  }),
};

/** Of the APIs that the pages speak of. */
function answer(request: IncomingMessage, response: ServerResponse): unknown {
  const url = new URL(request.url ?? '/', origin);
  const send = (body: unknown) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  const page = Number(url.searchParams.get('page') ?? 1);
  request.resume();
  if (url.pathname.endsWith('/openapi.json')) return send(documents.pets?.(origin));
  if (url.pathname.startsWith('/api/v3/pet/')) return send({ id: Number(url.pathname.split('/').at(-1)), name: 'Rex' });
  if (url.pathname.endsWith('/repos')) {
    if (page < 3) response.setHeader('link', `<${origin}${url.pathname}?page=${page + 1}>; rel="next"`);
    return send([{ name: `repo-${page}` }]);
  }
  return send({ done: url.pathname });
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'docs-'));
  mkdirSync(join(directory, 'data'));
  upstream = createServer(answer);
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  [provider, vault, shop] = await Promise.all([
    startAuthorizationServer(),
    startVault(),
    startGraphqlUpstream(SHOP, { product: { name: 'Apple Juice', pricing: { onSale: true }, variants: [{ sku: '43226647' }] } }),
  ]);
  vault.secrets.set('secret/github', { token: 'from-the-vault' });
  service = await startService(join(directory, 'data'), {
    EXECUTOR_ADMIN_TOOLS: 'true',
    EXECUTOR_OUTBOUND_ALLOW: '127.0.0.1',
    EXECUTOR_VAULT_ADDR: vault.url,
    EXECUTOR_VAULT_TOKEN: VAULT_TOKEN,
  });
  shell = openShell(directory, { EXECUTOR_URL: service.url, EXECUTOR_KEY: service.key });
  mkdirSync(join(directory, '.code-executor'));
  writeFileSync(join(directory, '.code-executor/admin.key'), service.key);
  writeFileSync(join(directory, 'pets.yaml'), stringify(documents.pets?.(origin)));
  const mail = { openapi: '3.1.0', info: { title: 'Linear', version: '1' }, paths: { '/api': { post: operation('ask') } } };
  for (const [slug, document, baseUrl] of [
    ['github', documents.github?.(origin), `${origin}/github`],
    ['linear', mail, provider.url],
  ] as const) {
    expect((await service.post('/integrations', { slug, document, baseUrl, trust: true })).status).toBe(201);
  }
}, 180_000);

afterAll(async () => {
  await service?.stop();
  await Promise.all([provider?.close(), vault?.close(), shop?.[Symbol.asyncDispose]()]);
  upstream?.close();
  rmSync(directory, { recursive: true, force: true });
});

const here = (code: string): string =>
  code
    .replaceAll('http://127.0.0.1:9091', service.url)
    .replaceAll('localhost:9091', new URL(service.url).host)
    .replaceAll('ghp_…', 'ghp_0123456789abcdef')
    .replaceAll('https://petstore3.swagger.io', origin)
    .replaceAll('https://api.example.com', origin)
    .replaceAll(/https:\/\/(new|pets)\.example\.com/g, origin)
    .replaceAll('https://shop.example.com/graphql/', `${shop.origin}/graphql/`);

/** Every sh block of the page in one shell, but those of deploy.sh, which test/deploy runs; no answer may be an error. */
async function typed(page: string): Promise<string> {
  const blocks = docsBlocks(page).filter(({ language, code }) => language === 'sh' && !code.startsWith('./deploy.sh'));
  expect(blocks.length).toBeGreaterThan(0);
  const script = blocks.map(({ code }) => here(code)).join('\n');
  // But for what a comment tells, whatever is left out makes a line no command.
  expect(script.replaceAll(/^#.*$|→.*$/gm, '')).not.toMatch(/_…|<[a-z]+>/);
  const { code, out, err } = await shell.bash(script);
  expect([code, err], out).toEqual([0, expect.not.stringMatching(/curl:|jq:|error/)]);
  expect(out).not.toContain('"error":{"code"');
  return out;
}

test('connections.md: one by hand, one out of Vault, one by a consent page', async () => {
  const out = await typed('connections.md');
  expect(out).toContain('"outcome":"ok"');
  expect(out).toMatch(/"provider":"vault","key":"secret\/github#token"/);
  const [, url = ''] = /"url":"([^"]+)","expiresAt"/.exec(out) ?? [];
  expect(new URL(url).origin).toBe(provider.url);
  const back = await provider.consent(url);
  expect((await fetch(`${service.url}${back.pathname}${back.search}`)).status).toBe(200);
  const { items } = (await service.get('/connections?integration=linear')).body as { items: { status: string }[] };
  expect(items).toMatchObject([{ status: 'active' }]);
});

test('approvals.md: a call waits, is approved, and its program ends', async () => {
  const out = await typed('approvals.md');
  expect(out).toContain('"status":"approved"');
  expect(out).toMatch(/"status":"succeeded".*"done":"\/github\/issues"/);
});

test('the webhook check of approvals.md tells what is genuine from what is not', async () => {
  const code = docsBlocks('approvals.md').find(({ language }) => language === 'js')?.code ?? '';
  const file = join(directory, 'webhook.mjs');
  writeFileSync(
    file,
    `${code}
const seconds = Math.floor(Date.now() / 1000);
const sign = (body, at = seconds) => 't=' + at + ',v1=' + createHmac('sha256', 's').update(at + '.' + body).digest('hex');
console.log([isGenuine(sign('{}'), '{}', 's'), isGenuine(sign('{}'), '{ }', 's'), isGenuine(sign('{}', seconds - 400), '{}', 's'), isGenuine('', '{}', 's')].join());`,
  );
  expect((await promisify(execFile)(process.execPath, [file])).stdout).toBe('true,false,false,false\n');
});

test('policies.md: rules are added, listed, and tried without a call', async () => {
  const out = await typed('policies.md');
  expect(out).toMatch(/"action":"allow".*"policyId":"pol_|"policyId":"pol_.*"action":"allow"/s);
  for (const { language, code } of docsBlocks('policies.md').filter((block) => block.language === 'json')) {
    expect([language, (await service.post('/policies', JSON.parse(code))).status]).toEqual(['json', 201]);
  }
});

test('audit.md: what was done is listed, exported and found whole', async () => {
  const out = await typed('audit.md');
  expect(out).toContain('"type":"policy.create"');
  expect(out).toMatch(/"(ok|valid|whole|intact)":true|"outcome":"ok"/);
  const record = readFileSync(join(directory, 'record.jsonl'), 'utf8').trim().split('\n');
  expect(record.every((line) => typeof JSON.parse(line) === 'object')).toBe(true);
});

test('roles.md: a key that may little is made and listed', async () => {
  const out = await typed('roles.md');
  expect(out).toMatch(/"scopes":\["execute","tools:read","servers:github"\]/);
});

test('sources.md: documents are found out, added, read anew and called, page after page', async () => {
  await service.post('/policies', { pattern: 'shop.*', action: 'allow' });
  const out = await typed('sources.md');
  expect(out).toContain('"kind":"openapi"');
  expect(out).toContain('"name":"Rex"');
  expect(out).toContain('"sku":"43226647"');
  const paged = docsBlocks('sources.md').find(({ language }) => language === 'ts')?.code ?? '';
  const { items } = (await service.get('/policies')).body as { items: { id: string; pattern: string }[] };
  for (const { id, pattern } of items)
    if (pattern.startsWith('github'))
      await fetch(`${service.url}/policies/${id}`, { method: 'DELETE', headers: { authorization: `Bearer ${service.key}` } });
  const ran = await service.post('/execute', { language: 'typescript', code: paged });
  expect(ran.body).toMatchObject({ error: null, result: ['repo-1', 'repo-2', 'repo-3'] });
});

test('skills.md: the skill of the page is saved and run', async () => {
  const [code = ''] = docsBlocks('skills.md')
    .filter(({ language }) => language === 'ts')
    .map((block) => block.code);
  writeFileSync(join(directory, 'add-up.ts'), code);
  expect(await typed('skills.md')).toMatch(/^3$/m);
});

test('administration-tools.md: a program sets itself up, with a yes to each step', async () => {
  const [code = ''] = docsBlocks('administration-tools.md')
    .filter(({ language }) => language === 'ts')
    .map((block) => block.code);
  const program = here(code).replaceAll("slug: 'pets'", "slug: 'pets2'").replaceAll("integration: 'pets'", "integration: 'pets2'");
  let { body } = (await service.post('/execute', { language: 'typescript', code: program })) as {
    body: { status: string; executionId: string; output: string; error: unknown; approval: { id: string } | null };
  };
  for (let step = 0; body.status === 'paused' && step < 4; step += 1) {
    expect((await service.post(`/approvals/${body.approval?.id}`, { decision: 'approve' })).status).toBe(200);
    body = (await service.post(`/executions/${body.executionId}/resume`, {})).body as typeof body;
  }
  expect(body).toMatchObject({
    status: 'succeeded',
    error: null,
    output: expect.stringMatching(/^Enter the token here: http.*\/connections\/handoffs\/hnd_/),
  });
});
