import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ask } from '../support/ask.ts';
import { type Service, startService } from '../support/start-service.ts';
import { describeIsolation, run, TAGS } from './isolation.ts';
import { startCallerTeller } from './tell-callers.ts';

let directory: string;
let service: Service;
let upstream: Awaited<ReturnType<typeof startCallerTeller>>;
const start = () =>
  startService(join(directory, 'data'), {
    EXECUTOR_ADMIN_TOOLS: 'true',
    EXECUTOR_OUTBOUND_ALLOW: new URL(upstream.url).host,
    EXECUTOR_SECRET_CANARY: 'the-operators-own',
    EXECUTOR_CONCURRENCY: '4',
  });

beforeAll(async () => {
  upstream = await startCallerTeller(TAGS);
  directory = mkdtempSync(join(tmpdir(), 'workspaces-'));
  mkdirSync(join(directory, 'data'));
  service = await start();
}, 150_000);
afterAll(async () => {
  await service?.stop();
  upstream?.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('two workspaces of the embedded form', () => {
  const { sides } = describeIsolation(() => ({
    ...{ url: service.url, key: service.key, upstream: upstream.url, hasSessions: true },
    settle: (check) => check(),
  }));

  test('one that has a hundred programs waiting delays the other by no more than what runs', async () => {
    const [home, other] = sides();
    const { url, key } = other;
    const slow = 'await new Promise((resolve) => setTimeout(resolve, 300)); return 1';
    const flood = Array.from({ length: 60 }, () =>
      ask({ url, key }, 'POST', '/execute', { body: { language: 'typescript', code: slow, wait: false } }),
    );
    for (const { status, text } of await Promise.all(flood)) expect(status, text).toBe(202);
    const answer = await run(home, { language: 'typescript', code: 'return 7' });
    const waiting = (await ask(other, 'GET', '/executions?status=queued&limit=100')).json() as { total: number };
    expect(answer.result).toBe(7);
    // It was first in its own line: most of the others' were still waiting when it had its answer.
    expect(waiting.total).toBeGreaterThan(20);
    await vi.waitFor(
      async () => expect(((await ask(other, 'GET', '/executions?status=queued')).json() as { total: number }).total).toBe(0),
      { timeout: 60_000, interval: 250 },
    );
  }, 120_000);

  test('both are as they were after a restart', async () => {
    const before = sides();
    await service.stop();
    service = await start();
    for (const [index, { key, ids, tag }] of before.entries()) {
      const side = { url: service.url, key };
      const answer = await run(side, {
        language: 'typescript',
        code: `return [await tools.shared.whoCalls({}), await tools.skills.${tag}_sum({})]`,
      });
      expect(answer.result, JSON.stringify(answer)).toEqual([{ caller: index }, tag]);
      const decided = await ask(side, 'POST', `/approvals/${ids.approvals}`, { body: { decision: 'approve' } });
      expect(decided.status, decided.text).toBe(200);
      const resumed = await ask(side, 'POST', `/executions/${ids.paused}/resume`, { body: { wait: true } });
      expect(resumed.json(), resumed.text).toMatchObject({ status: 'succeeded', result: { caller: expect.any(Number) } });
    }
  }, 150_000);

  test('a key that expires makes no admin key that would outlive it', async () => {
    const [home, other] = sides();
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const made = await ask({ url: service.url, key: home.key }, 'POST', '/keys', { body: { name: 'guest', role: 'admin', expiresAt } });
    const guest = { url: service.url, key: (made.json() as { key: string }).key };
    for (const path of ['/workspaces', `/workspaces/${other.workspaceId}/keys`]) {
      const refused = await ask(guest, 'POST', path, { body: { name: 'mine' } });
      expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('This key expires at')]);
    }
  });

  test('one is removed when it is empty or by force, and nothing of it is left but the record', async () => {
    const [home, other] = sides();
    const operator = { url: service.url, key: home.key };
    const path = `/workspaces/${other.workspaceId}`;
    const refused = await ask(operator, 'DELETE', path);
    expect([refused.status, refused.json()], refused.text).toMatchObject([
      409,
      { error: { code: 'WORKSPACE_NOT_EMPTY', details: { integrations: 2, connections: 1, policies: 1, skills: 1 } } },
    ]);
    expect((await ask({ url: service.url, key: other.key }, 'GET', '/whoami')).status).toBe(200);
    expect((await ask(operator, 'DELETE', '/workspaces/wsp_default?everything=true')).status).toBe(409);
    const endless = 'await new Promise(() => setInterval(() => 0, 1000))';
    const running = await ask({ url: service.url, key: other.key }, 'POST', '/execute', {
      body: { language: 'typescript', code: endless, wait: false, timeoutMs: 300_000 },
    });
    expect(running.status, running.text).toBe(202);
    const removed = await ask(operator, 'DELETE', `${path}?everything=true`);
    expect(removed.status, removed.text).toBe(204);
    for (const key of [other.key, other.accessToken]) expect((await ask({ url: service.url, key }, 'GET', '/whoami')).status).toBe(401);
    expect((await ask(operator, 'GET', path)).status).toBe(404);
    expect((await ask(operator, 'DELETE', path)).status).toBe(404);
    await vi.waitFor(
      async () => {
        expect((await ask(operator, 'GET', '/health')).json()).toMatchObject({ queue: { running: 0, queued: 0 } });
        expect(readdirSync(join(directory, 'data/snapshots')).filter((name) => name.startsWith('wsp_'))).toEqual([]);
      },
      { timeout: 30_000, interval: 250 },
    );
    const again = await ask(operator, 'POST', '/workspaces', { body: { name: 'Team B' } });
    expect(again.status, again.text).toBe(201);
    const { id, key } = again.json() as { id: string; key: string };
    expect(id).not.toBe(other.workspaceId);
    expect((await ask({ url: service.url, key }, 'GET', '/integrations')).json()).toMatchObject({ items: [] });
    expect((await ask(operator, 'DELETE', `/workspaces/${id}`)).status).toBe(204);
    const answer = await run(operator, { language: 'typescript', code: 'return await tools.shared.whoCalls({})' });
    expect(answer.result).toEqual({ caller: 0 });
  }, 120_000);
});
