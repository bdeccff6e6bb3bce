import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ChaosFleet, openChaosFleet } from '../chaos/chaos-fleet.ts';
import { ask } from '../support/ask.ts';
import { dockerAnswers } from '../support/containers.ts';
import { describeIsolation, run, TAGS } from './isolation.ts';
import { startCallerTeller } from './tell-callers.ts';

const answers = await dockerAnswers();
const SOON = { timeout: 30_000, interval: 250 };

describe.skipIf(!answers)(`two workspaces of the fleet${answers ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let fleet: ChaosFleet;
  let upstream: Awaited<ReturnType<typeof startCallerTeller>>;
  const gateway = (number: number): string => fleet.gateways[number]?.url ?? '';

  beforeAll(async () => {
    upstream = await startCallerTeller(TAGS);
    fleet = await openChaosFleet(
      { gateways: 2, workers: 1, proxies: 2 },
      {},
      {
        ofProxies: {
          EXECUTOR_ADMIN_TOOLS: 'true',
          EXECUTOR_OUTBOUND_ALLOW: '127.0.0.1',
          EXECUTOR_SHIPPED_SKILLS: 'false',
          EXECUTOR_SECRET_CANARY: 'the-operators-own',
        },
      },
    );
  }, 240_000);
  afterAll(async () => {
    upstream?.close();
    await fleet?.close();
  }, 60_000);

  const { sides } = describeIsolation(() => ({
    ...{ url: gateway(0), key: fleet.key, upstream: upstream.url, hasSessions: true },
    settle: (check) => vi.waitFor(check, SOON),
  }));

  test('one with many programs waiting holds half of the slots at most, whichever gateway the other asks', async () => {
    const [home, other] = sides();
    const slow = 'await new Promise((resolve) => setTimeout(resolve, 500)); return 1';
    const flood = Array.from({ length: 40 }, () =>
      ask(other, 'POST', '/execute', { body: { language: 'typescript', code: slow, wait: false } }),
    );
    for (const { status, text } of await Promise.all(flood)) expect(status, text).toBe(202);
    const answer = await run({ url: gateway(1), key: home.key }, { language: 'typescript', code: 'return 7' });
    const waiting = (await ask(other, 'GET', '/executions?status=queued')).json() as { total: number };
    expect([answer.result, waiting.total > 0]).toEqual([7, true]);
    await vi.waitFor(
      async () => expect(((await ask(other, 'GET', '/executions?status=queued')).json() as { total: number }).total).toBe(0),
      { timeout: 90_000, interval: 500 },
    );
  }, 120_000);

  test('both are as they were when every process has been killed and started again', async () => {
    const before = sides();
    const processes = [...fleet.proxies, ...fleet.gateways, ...fleet.workers];
    await Promise.all(processes.map((process) => process.kill()));
    await Promise.all(processes.map((process) => process.start()));
    for (const [index, { key, tag, ids }] of before.entries()) {
      const side = { url: gateway(1), key };
      const code = `return [await tools.shared.whoCalls({}), await tools.skills.${tag}_sum({})]`;
      await vi.waitFor(async () => expect((await run(side, { language: 'typescript', code })).result).toEqual([{ caller: index }, tag]), {
        ...SOON,
        timeout: 90_000,
      });
      expect((await ask(side, 'GET', `/approvals/${ids.approvals}`)).json()).toMatchObject({ status: 'pending' });
    }
  }, 300_000);

  test('one that is removed through one gateway is nobody to the other and to the proxies, and what it runs is stopped', async () => {
    const [home, other] = sides();
    const operator = { url: gateway(0), key: home.key };
    const path = `/workspaces/${other.workspaceId}`;
    const running = await ask({ url: gateway(1), key: other.key }, 'POST', '/execute', {
      body: { language: 'typescript', code: 'await new Promise(() => setInterval(() => 0, 1000))', wait: false, timeoutMs: 300_000 },
    });
    expect(running.status, running.text).toBe(202);
    expect((await ask(operator, 'DELETE', path)).status).toBe(409);
    const removed = await ask(operator, 'DELETE', `${path}?everything=true`);
    expect(removed.status, removed.text).toBe(204);
    for (const at of [0, 1])
      await vi.waitFor(async () => {
        expect((await ask({ url: gateway(at), key: other.key }, 'GET', '/whoami')).status).toBe(401);
        expect((await ask({ url: gateway(at), key: home.key }, 'GET', path)).status).toBe(404);
      }, SOON);
    await vi.waitFor(
      async () => expect((await ask(operator, 'GET', '/health')).json()).toMatchObject({ queue: { running: 0, queued: 0 } }),
      { timeout: 60_000, interval: 500 },
    );
    const answer = await run(operator, { language: 'typescript', code: 'return await tools.shared.whoCalls({})' });
    expect(answer.result).toEqual({ caller: 0 });
  }, 120_000);
});
