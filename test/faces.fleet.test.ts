import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CONFIDENTIAL_CLIENT,
  startAuthorizationServer,
  type TestAuthorizationServer,
} from '../packages/tools/src/testing/authorization-server.ts';
import { type ChaosFleet, openChaosFleet } from './chaos/chaos-fleet.ts';
import { connectClient } from './mcp/client.ts';
import { ask, makeKey } from './support/ask.ts';
import { dockerAnswers } from './support/containers.ts';

interface Answer {
  executionId: string;
  status: string;
  result: unknown;
  error: { code: string; message: string } | null;
  approval: { id: string } | null;
}

const answers = await dockerAnswers();
const POLL = { timeout: 30_000, interval: 100 };

/** Two of each that people and agents reach: what one was told has to hold at the other. */
describe.skipIf(!answers)(
  `skills, administration and passed answers in the fleet${answers ? '' : ' (skipped: no Docker engine answers)'}`,
  () => {
    let fleet: ChaosFleet;
    let agent: string;
    let provider: TestAuthorizationServer;

    beforeAll(async () => {
      provider = await startAuthorizationServer();
      const demanding = {
        command: process.execPath,
        args: [fileURLToPath(new URL('./mcp/demanding-upstream.ts', import.meta.url))],
        trust: true,
      };
      const settings = { EXECUTOR_ADMIN_TOOLS: 'true', EXECUTOR_SHIPPED_SKILLS: 'true', EXECUTOR_OUTBOUND_ALLOW: '127.0.0.1' };
      fleet = await openChaosFleet({ gateways: 2, workers: 1, proxies: 2 }, {}, { servers: { demanding }, ofProxies: settings });
      agent = (await makeKey({ url: gateway(0), key: fleet.key } as Parameters<typeof makeKey>[0], 'agent')).key;
      await expectSoon(async () => (await json('GET', '/tools', undefined, agent, 1)).status, 200);
    }, 240_000);
    afterAll(async () => {
      await fleet?.close();
      await provider?.close();
    }, 60_000);

    const gateway = (number: number): string => fleet.gateways[number]?.url ?? '';
    const json = async (method: string, path: string, body?: unknown, key: string = agent, at = 0) => {
      const answer = await ask({ url: gateway(at), key: fleet.key }, method, path, { key, body });
      return { status: answer.status, body: (answer.text === '' ? null : answer.json()) as unknown };
    };
    const run = async (language: string, code: string, at = 0): Promise<Answer> =>
      (await json('POST', '/execute', { language, code }, agent, at)).body as Answer;
    /** Polls outside a test too, where `expect.poll` does not. */
    async function expectSoon(look: () => Promise<unknown>, wanted: unknown): Promise<void> {
      const deadline = Date.now() + POLL.timeout;
      while (Date.now() < deadline && (await look()) !== wanted) await new Promise((resolve) => setTimeout(resolve, POLL.interval));
      expect(await look()).toBe(wanted);
    }
    const resultOf = async (language: string, code: string, at = 0): Promise<unknown> => {
      const { result, error } = await run(language, code, at);
      return error === null ? result : `${error.code}: ${error.message}`;
    };

    test('a skill that one gateway took is found, imported and called by programs of either language, and over HTTP and MCP, at the other', async () => {
      const parameters = { type: 'object', properties: { numbers: { type: 'array', items: { type: 'number' } } }, required: ['numbers'] };
      const total = { language: 'typescript', code: 'let sum = 0; for (const n of args.numbers) sum += n; return sum;' };
      const saved = await json(
        'POST',
        '/skills',
        { name: 'total', description: 'Totals up a list of figures', parameters, ...total },
        fleet.key,
      );
      expect(saved.status).toBe(201);
      const mean = { language: 'python', code: 'numbers = args["numbers"]\nsum(numbers) / len(numbers)' };
      expect(
        (await json('POST', '/skills', { name: 'mean', description: 'The mean of figures', parameters, ...mean }, fleet.key)).status,
      ).toBe(201);
      expect((await json('POST', '/skills', { name: 'mine', description: 'x', ...total })).status).toBe(403);

      const found = async () => JSON.stringify((await json('GET', '/tools/search?q=total+up+figures', undefined, agent, 1)).body);
      await expect.poll(found, POLL).toContain('"total"');
      const imports = "import { total } from '/workspace/skills/total.js'; return await total({ numbers: [1, 2, 39] })";
      await expect.poll(() => resultOf('typescript', imports, 1), POLL).toBe(42);
      await expect.poll(() => resultOf('python', 'from skills import mean\nmean(numbers=[1, 2, 3])', 1), POLL).toBe(2);
      expect((await json('POST', '/tools/invoke/skills/total', { args: { numbers: [20, 22] } }, agent, 1)).body).toMatchObject({
        result: 42,
      });
      expect(await resultOf('typescript', "return await tools.skills.total({ numbers: 'none' })", 1)).toMatch(/INVALID_ARGUMENTS/);
      expect(await resultOf('python', "from skills import summarize_rows\nlen(str(summarize_rows(csv='a,b\\n1,2'))) > 2")).toBe(true);

      const { client, close } = await connectClient({ url: gateway(1), key: agent }, { query: '?mode=passthrough&server=skills' });
      try {
        expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(expect.arrayContaining(['total', 'mean']));
        expect((await client.callTool({ name: 'total', arguments: { numbers: [40, 2] } })).content).toEqual([{ type: 'text', text: '42' }]);
      } finally {
        await close();
      }

      const next = { ...total, code: 'return -1' };
      expect((await json('POST', '/skills', { name: 'total', description: 'Another', parameters, ...next }, fleet.key, 1)).status).toBe(
        201,
      );
      await expect.poll(() => resultOf('typescript', imports), POLL).toBe(-1);
      expect((await json('DELETE', '/skills/total', undefined, fleet.key)).status).toBe(204);
      await expect.poll(() => resultOf('typescript', 'return Object.keys(tools.skills).includes("total")', 1), POLL).not.toBe(-1);
      await expect.poll(async () => (await json('POST', '/tools/invoke/skills/total', { args: {} }, agent, 1)).status, POLL).toBe(404);
    }, 180_000);

    const call = (tool: string, args: unknown = {}): string => `tools.executor[${JSON.stringify(tool)}](${JSON.stringify(args)})`;
    /** Asked for at one gateway, decided at the other. */
    async function approved(code: string): Promise<unknown> {
      const paused = await run(
        'typescript',
        `try { return await ${code} } catch (error) { return { code: error.code, message: error.message } }`,
      );
      expect(paused).toMatchObject({ status: 'paused' });
      const decision = await json('POST', `/approvals/${paused.approval?.id}`, { decision: 'approve' }, fleet.key, 1);
      expect(decision.status, JSON.stringify(decision.body)).toBe(200);
      return ((await json('POST', `/executions/${paused.executionId}/resume`, { wait: true }, agent, 1)).body as Answer).result;
    }

    test('an agent sets itself up with a person’s yes: an API, its login at the provider, and a rule', async () => {
      expect(await resultOf('typescript', `return (await ${call('integrations.list')}).map(({ slug }) => slug)`)).toEqual(
        expect.arrayContaining(['demanding']),
      );
      const flow = { authorizationUrl: `${provider.url}/authorize`, tokenUrl: `${provider.url}/token`, scopes: { read: 'reads' } };
      const document = JSON.stringify({
        openapi: '3.1.0',
        info: { title: 'Mail', version: '1' },
        servers: [{ url: provider.url }],
        components: { securitySchemes: { login: { type: 'oauth2', flows: { authorizationCode: flow } } } },
        security: [{ login: ['read'] }],
        paths: { '/api': { post: { operationId: 'ask', responses: { 200: { description: 'an answer' } } } } },
      });
      expect(await approved(call('integrations.add', { slug: 'mail', document, baseUrl: provider.url }))).toMatchObject({
        slug: 'mail',
        toolCount: 1,
      });
      expect(await approved(call('policies.add', { pattern: 'mail.*', action: 'allow' }))).toMatchObject({ pattern: 'mail.*' });

      const handoff = { integration: 'mail', name: 'work', auth: { type: 'oauth2', scopes: ['read'] } };
      const { url } = (await approved(call('connections.createHandoff', handoff))) as { url: string };
      const path = new URL(url, gateway(1)).pathname;
      const made = await json('POST', path, { values: CONFIDENTIAL_CLIENT }, fleet.key, 1);
      expect(made).toMatchObject({ status: 201, body: { status: 'needs_authorization' } });
      const { id } = made.body as { id: string };
      const begun = await json('POST', `/connections/${id}/oauth/start`, {}, fleet.key);
      const back = await provider.consent((begun.body as { url: string }).url);
      const page = await ask({ url: gateway(1), key: fleet.key }, 'GET', back.pathname + back.search, { key: null });
      expect(page.status).toBe(200);

      await expect
        .poll(
          () => resultOf('typescript', `return (await ${call('connections.list')}).map((one) => one.address + ' ' + one.status)`, 1),
          POLL,
        )
        .toEqual(['mail@work active']);
      await expect.poll(() => resultOf('python', "str(tools.mail.ask()) != ''"), POLL).toBe(true);
      expect(provider.isValid(provider.issued.access[0] ?? '')).toBe(true);
      const audit = JSON.stringify((await json('GET', '/audit?limit=200', undefined, fleet.key, 1)).body);
      expect(audit).toContain('handoff.create');
      for (const secret of [...provider.issued.access, ...provider.issued.refresh, CONFIDENTIAL_CLIENT.clientSecret])
        expect(audit).not.toContain(secret);
    }, 180_000);

    test('what a server answers comes through gateway and proxy as it is', async () => {
      const { client, close } = await connectClient({ url: gateway(1), key: agent }, { query: '?mode=passthrough&server=demanding' });
      try {
        expect(await client.callTool({ name: 'structured_and_image', arguments: {} })).toMatchObject({
          content: [{ type: 'text' }, { type: 'image', annotations: { priority: 1 } }],
          structuredContent: { width: 1 },
          _meta: { 'example.com/cost': 3 },
        });
        expect(await client.callTool({ name: 'failing_with_image', arguments: {} })).toMatchObject({
          isError: true,
          content: [{ type: 'text', text: 'broken' }, { type: 'image' }],
          structuredContent: { reason: 'broken' },
        });
        expect((await client.callTool({ name: 'ask_model', arguments: {} })).content).toMatchObject([
          { text: expect.stringMatching(/^refused -32601/) },
        ]);
      } finally {
        await close();
      }
    }, 60_000);
  },
);
