import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Principal } from '@code-executor/contracts';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { dockerAnswers } from '../../../test/support/containers.ts';
import { journalOf, openTestFleet, server, type TestFleet, type TestProxy } from './testing/open-test-fleet.ts';

const reachable = await dockerAnswers();
const ADMIN: Principal = { id: 'key_test', workspaceId: 'wsp_default', role: 'admin' };
const NEVER = new AbortController().signal;

describe.skipIf(!reachable)(`MCP proxies that come and go${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let fleet: TestFleet;
  beforeAll(async () => {
    fleet = await openTestFleet({ plain: server() });
  });
  afterAll(() => fleet?.close());

  const dispatched = (executionId: string, calls: number) =>
    vi.waitFor(async () => expect(await journalOf(fleet.db, executionId)).toHaveLength(calls), { timeout: 10_000, interval: 20 });

  test('a call that was under way when its proxy was killed is not made again, and its effects are unknown', async () => {
    const proxy = await fleet.spawnProxy();
    const claim = await fleet.claim(proxy.url);
    const tools = fleet.tools(proxy.url, 30_000);
    const calling = tools.callTool(claim.grantForTools, { callNumber: 1, tool: 'plain.slow', args: { ms: 60_000 } }, NEVER);
    await dispatched(claim.execution.id, 1);
    const killedAt = performance.now();
    proxy.kill('SIGKILL');
    await proxy.close();
    const next = await fleet.spawnProxy(proxy.port);
    expect(await calling).toMatchObject({ reply: { ok: false, error: { code: 'UPSTREAM_LOST' } }, effects: 'unknown' });
    expect(performance.now() - killedAt).toBeLessThan(20_000);
    expect(await journalOf(fleet.db, claim.execution.id)).toEqual([{ tool: 'slow', outcome: null }]);
    await next.close();
  });

  test('a call that no proxy has heard waits for one, and is made', async () => {
    const proxy = await fleet.spawnProxy();
    const claim = await fleet.claim(proxy.url);
    fleet.held.delete(claim.execution.id);
    const tools = fleet.tools(proxy.url, 30_000);
    expect(await tools.callTool(claim.grantForTools, { callNumber: 1, tool: 'plain.echo', args: {} }, NEVER)).toMatchObject({
      effects: 'some',
    });
    proxy.kill('SIGKILL');
    await proxy.close();
    const calling = tools.callTool(claim.grantForTools, { callNumber: 2, tool: 'plain.echo', args: { value: 2 } }, NEVER);
    const next = await fleet.spawnProxy(proxy.port);
    // The claim may have lapsed over the start of the other one; dispatched twice it was not in any case.
    const { reply } = await calling;
    expect(reply.ok ? 'made' : reply.error.code).toMatch(/^(made|STALE_CLAIM)$/);
    await next.close();
  });

  test('a call that no proxy hears in time was not made, and says so', async () => {
    const grant = { executionId: 'exe_1', workspaceId: 'wsp_default', principalId: 'key_test', bearer: 'a.b.c' };
    const tools = fleet.tools('http://127.0.0.1:9', 200);
    expect(await tools.callTool(grant, { callNumber: 1, tool: 'plain.echo', args: {} }, NEVER)).toMatchObject({
      reply: { error: { code: 'TOOLS_UNAVAILABLE' } },
      effects: 'none',
    });
    expect(await tools.discover(grant, 'list_servers', {})).toMatchObject({ error: { code: 'TOOLS_UNAVAILABLE' } });
    await expect(tools.fetchCatalog('x')).rejects.toMatchObject({ code: 'TOOLS_UNAVAILABLE' });
  });

  describe('a connection that breaks', () => {
    let proxy: TestProxy;
    beforeAll(async () => {
      proxy = await fleet.startProxy();
    });

    test('after the call was dispatched leaves its effects unknown, and the server is asked once', async () => {
      const claim = await fleet.claim(proxy.url);
      const breaking = await breakingOnce(proxy.url, 'after the question');
      const call = { callNumber: 1, tool: 'plain.echo', args: { value: 1 } };
      const outcome = await fleet.tools(breaking.url).callTool(claim.grantForTools, call, NEVER);
      expect(outcome).toMatchObject({ reply: { error: { code: 'UPSTREAM_LOST' } }, effects: 'unknown' });
      expect(await journalOf(fleet.db, claim.execution.id)).toHaveLength(1);
      expect(breaking.questions()).toBe(2);
      await breaking.close();
    });

    test('before the call has reached the proxy is no reason not to make it', async () => {
      const claim = await fleet.claim(proxy.url);
      const breaking = await breakingOnce(proxy.url, 'before the question');
      const call = { callNumber: 1, tool: 'plain.echo', args: { value: 'made' } };
      const outcome = await fleet.tools(breaking.url).callTool(claim.grantForTools, call, NEVER);
      expect(outcome).toMatchObject({ reply: { ok: true, value: { value: 'made' } }, effects: 'some' });
      expect(await journalOf(fleet.db, claim.execution.id)).toHaveLength(1);
      await breaking.close();
    });

    test('leaves the effects unknown where asking again fails for another reason, since the first question may have been acted upon', async () => {
      const claim = await fleet.claim(proxy.url);
      const breaking = await breakingOnce(proxy.url, 'before the question');
      const call = { callNumber: 1, tool: 'plain.echo', args: { wrong: 1 } };
      const outcome = await fleet.tools(breaking.url).callTool(claim.grantForTools, call, NEVER);
      expect(outcome).toMatchObject({ reply: { error: { code: 'INVALID_ARGUMENTS' } }, effects: 'unknown' });
      await breaking.close();
    });
  });

  test('one that is stopped finishes the calls under way and takes no more', async () => {
    const proxy = await fleet.startProxy();
    const claim = await fleet.claim(proxy.url);
    const tools = fleet.tools(proxy.url, 100);
    const [short, long] = [
      tools.callTool(claim.grantForTools, { callNumber: 1, tool: 'plain.slow', args: { ms: 1_000 } }, NEVER),
      tools.callTool(claim.grantForTools, { callNumber: 2, tool: 'plain.slow', args: { ms: 60_000 } }, NEVER),
    ];
    await dispatched(claim.execution.id, 2);
    const closing = proxy.close();
    await sleep(100);
    expect(await tools.callTool(claim.grantForTools, { callNumber: 3, tool: 'plain.echo', args: {} }, NEVER)).toMatchObject({
      reply: { error: { code: 'TOOLS_UNAVAILABLE' } },
      effects: 'none',
    });
    expect(await short).toMatchObject({ reply: { ok: true, value: 'done' } });
    expect(await long).toMatchObject({ reply: { error: { code: 'CALL_ABORTED' } }, effects: 'unknown' });
    await closing;
    expect(await journalOf(fleet.db, claim.execution.id)).toEqual([
      { tool: 'slow', outcome: 'ok' },
      { tool: 'slow', outcome: 'CALL_ABORTED' },
    ]);
  });

  test('one without Redis is not ready until Redis is back, and makes calls all the same', async () => {
    const proxy = await fleet.startProxy();
    const claim = await fleet.claim(proxy.url);
    await fleet.redis.kill();
    const readiness = async () => (await fleet.ask(`${proxy.url}/health/ready`, { method: 'GET' })).text;
    await vi.waitFor(async () => expect(await readiness()).toContain('redis'), { timeout: 10_000 });
    expect(await fleet.ask(`${proxy.url}/health`, { method: 'GET' })).toMatchObject({ status: 200 });
    const outcome = await fleet.tools(proxy.url).callTool(claim.grantForTools, { callNumber: 1, tool: 'plain.echo', args: {} }, NEVER);
    expect(outcome).toMatchObject({ reply: { ok: true } });
    await fleet.redis.restart();
    await vi.waitFor(async () => expect(await readiness()).toContain('"ready":true'), { timeout: 10_000 });
    await proxy.close();
  });

  describe('two of them', () => {
    /** The most that one may be behind the other. */
    const SOON = { timeout: 1_000, interval: 20 };

    test('agree on a policy, an integration and a catalog within a second of its change on either', async () => {
      const [one, two] = [await fleet.startProxy(), await fleet.startProxy()];
      const [first, second] = [fleet.administration(one.url), fleet.administration(two.url)];
      const claim = await fleet.claim(two.url);
      const viaTwo = fleet.tools(two.url);
      let callNumber = 0;
      const codeOf = async (tool: string): Promise<string> => {
        callNumber += 1;
        const { reply } = await viaTwo.callTool(claim.grantForTools, { callNumber, tool, args: {} }, NEVER);
        return reply.ok ? 'ok' : reply.error.code;
      };
      const versionAt = async (url: string): Promise<string> =>
        (await fleet.ask(`${url}/health`, { method: 'GET' })).json<{ catalogVersion: string }>().catalogVersion;

      expect(await codeOf('plain.echo')).toBe('ok');
      const { id } = await first.addPolicy(ADMIN, { pattern: 'plain.echo', action: 'block' });
      await vi.waitFor(async () => expect(await codeOf('plain.echo')).toBe('TOOL_BLOCKED'), SOON);
      expect(await second.listPolicies(ADMIN)).toMatchObject([{ id, pattern: 'plain.echo', action: 'block' }]);
      await vi.waitFor(async () => expect(await versionAt(two.url)).toBe(await versionAt(one.url)), SOON);
      await first.removePolicy(ADMIN, id);
      await vi.waitFor(async () => expect(await codeOf('plain.echo')).toBe('ok'), SOON);

      const definition = { ...server('plain', { env: { API_TOKEN: 'sealed' } }), slug: 'added', kind: 'mcp' as const };
      await first.addIntegration(ADMIN, definition);
      await vi.waitFor(
        async () => expect(await second.getIntegration(ADMIN, 'added')).toMatchObject({ origin: 'api', toolCount: 17 }),
        SOON,
      );
      // The other one has to start its own process of it first, and the call waits for that.
      expect(await codeOf('added.echo')).toBe('ok');
      await vi.waitFor(async () => expect(await versionAt(two.url)).toBe(await versionAt(one.url)), SOON);
      await expect(second.addIntegration(ADMIN, definition)).rejects.toMatchObject({ code: 'INTEGRATION_EXISTS' });
      expect(await codeOf('added.echo')).toBe('ok');

      // A look at the rows changes nothing of what is the same there: the process that runs stays.
      const { restarts } = await first.getIntegration(ADMIN, 'added');
      const { id: other } = await second.addPolicy(ADMIN, { pattern: 'plain.late', action: 'allow' });
      await vi.waitFor(async () => expect(await first.listPolicies(ADMIN)).toHaveLength(1), SOON);
      expect(await first.getIntegration(ADMIN, 'added')).toMatchObject({ state: 'ready', restarts });
      await second.removePolicy(ADMIN, other);

      await second.removeIntegration(ADMIN, 'added');
      await vi.waitFor(async () => expect((await first.listIntegrations(ADMIN)).map(({ slug }) => slug)).toEqual(['plain']), SOON);
      expect(await codeOf('added.echo')).toBe('SERVER_NOT_FOUND');
      await vi.waitFor(async () => expect(await versionAt(two.url)).toBe(await versionAt(one.url)), SOON);
    });

    test('let only one of them add an integration that both are asked for at once', async () => {
      const [one, two] = [await fleet.startProxy(), await fleet.startProxy()];
      const definition = { ...server(), slug: 'contested', kind: 'mcp' as const };
      const both = [one, two].map(({ url }) => fleet.administration(url).addIntegration(ADMIN, definition));
      const outcomes = await Promise.allSettled(both);
      expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(outcomes).toContainEqual(expect.objectContaining({ reason: expect.objectContaining({ code: 'INTEGRATION_EXISTS' }) }));
      for (const { url } of [one, two]) {
        const tools = fleet.administration(url);
        await vi.waitFor(async () => expect(await tools.getIntegration(ADMIN, 'contested')).toMatchObject({ toolCount: 17 }), {
          timeout: 5_000,
        });
      }
      await fleet.administration(one.url).removeIntegration(ADMIN, 'contested');
    });

    test('find after an outage of Redis what was changed during it', async () => {
      const [one, two] = [await fleet.startProxy(), await fleet.startProxy()];
      await fleet.redis.kill();
      const { id } = await fleet.administration(one.url).addPolicy(ADMIN, { pattern: 'plain.slow', action: 'block' });
      await fleet.redis.restart();
      const second = fleet.administration(two.url);
      await vi.waitFor(async () => expect(await second.listPolicies(ADMIN)).toHaveLength(1), { timeout: 5_000 });
      await second.removePolicy(ADMIN, id);
    });
  });
});

/** Passes connections on to a proxy, and breaks the first of them: when the proxy answers, or when it is asked. */
async function breakingOnce(url: string, when: 'before the question' | 'after the question') {
  const sockets = new Set<Socket>();
  let questions = 0;
  const listener = createServer((near) => {
    const far = connect(Number(new URL(url).port), '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        near.destroy();
        far.destroy();
      });
    }
    near.on('data', (chunk) => {
      questions += 1;
      if (questions === 1 && when === 'before the question') near.destroy();
      else far.write(chunk);
    });
    far.on('data', (chunk) => {
      if (questions === 1) near.destroy();
      else near.write(chunk);
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    questions: () => questions,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
