import type { Effects } from '@code-executor/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { dockerAnswers } from '../../../../test/support/containers.ts';
import type { AcceptedExecution } from '../execution.ts';
import { LEASE_MS } from '../ledger/lease.ts';
import type { WorkerReport } from '../ledger/port.ts';
import { testLog } from '../testing/open-test-executions.ts';
import { acceptedExecution, endOf, openTestFleet, type TestFleet } from '../testing/open-test-fleet.ts';
import { type Reconciler, startReconciler } from './start-reconciler.ts';

const reachable = await dockerAnswers();

describe.skipIf(!reachable)(`the reconciler${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let fleet: TestFleet;
  const effects = new Map<string, Effects>();
  const running: Reconciler[] = [];
  const beating: NodeJS.Timeout[] = [];
  beforeAll(async () => {
    fleet = await openTestFleet();
  });
  afterEach(async () => {
    for (const timer of beating.splice(0)) clearInterval(timer);
    for (const reconciler of running.splice(0)) await reconciler.stop();
  });
  afterAll(async () => {
    await fleet?.close();
  });

  function reconcile(count = 2): void {
    for (let index = 0; index < count; index += 1) {
      running.push(
        startReconciler({
          ...fleet,
          log: testLog,
          share: () => fleet.share,
          effectsOf: async (id) => effects.get(id) ?? 'none',
          onEnded: (event) => void fleet.ended.push(event),
        }),
      );
    }
  }

  async function claim(workerId: string, fields: Partial<AcceptedExecution> = {}) {
    const execution = acceptedExecution(fields);
    await fleet.fleet.submit(execution, 100);
    const claimed = await fleet.ledger.claim(execution.id, { workerId });
    if (claimed === null) throw new Error('nothing was claimed');
    return claimed;
  }

  /** A worker that lives: it renews every second, and goes on doing so whatever the answer. */
  function beat(workerId: string, held: { readonly id: string; readonly token: number }[], lost: Set<string>): void {
    const report: WorkerReport = { workerId, slots: 4, running: 1, draining: false, pool: { hits: 0, misses: 0, warm: {} } };
    const renew = async (): Promise<void> => {
      const renewal = await fleet.ledger.renew(
        report,
        held.map(({ id, token }) => ({ executionId: id, token })),
      );
      for (const id of renewal.lost) lost.add(id);
    };
    beating.push(setInterval(() => void renew().catch(() => undefined), 1_000));
  }

  const statusOf = async (execution: AcceptedExecution) => (await fleet.store.find(execution.id, execution))?.record.status;

  test('what a lost worker ran ends as WORKER_LOST with its true effects, once, within a lease and a look; its stale end is refused', async () => {
    reconcile();
    // Whoever judges has to have listened for a lease.
    await new Promise((resolve) => setTimeout(resolve, LEASE_MS + 500));
    const [dead, alive] = [await claim('worker_dead'), await claim('worker_alive')];
    const since = performance.now();
    beat('worker_alive', [alive.execution], new Set());
    effects.set(dead.execution.id, 'some');
    await vi.waitFor(async () => expect(await statusOf(dead.execution)).toBe('failed'), { timeout: 10_000, interval: 50 });
    const tookMs = performance.now() - since;
    process.stdout.write(`a lost worker was judged after ${Math.round(tookMs)} ms\n`);
    expect(tookMs).toBeGreaterThan(LEASE_MS - 100);
    expect(tookMs).toBeLessThan(5_500);
    const found = await fleet.store.find(dead.execution.id, dead.execution);
    expect(found?.record).toMatchObject({ error: { code: 'WORKER_LOST' }, effects: 'some' });
    expect(fleet.ended.filter(({ executionId }) => executionId === dead.execution.id)).toHaveLength(1);

    const late = await fleet.ledger.finish(endOf(dead, { resultJson: '"late"' }), dead.grant);
    expect(late).toMatchObject({ written: false, record: { status: 'failed', effects: 'some', resultJson: null } });
    expect(await statusOf(alive.execution)).toBe('running');
  });

  test('an execution whose id never reached the queue, or that the queue has lost, is queued again', async () => {
    reconcile();
    const execution = acceptedExecution();
    expect(await fleet.fleet.submit(execution, 1)).toBe(true);
    const since = performance.now();
    await vi.waitFor(async () => expect(await fleet.queue.holds(execution.id)).toBe(true), { timeout: 5_000, interval: 50 });
    expect(performance.now() - since).toBeLessThan(4_000);
    await fleet.queue.remove(execution.id);
    await vi.waitFor(async () => expect(await fleet.queue.holds(execution.id)).toBe(true), { timeout: 5_000, interval: 50 });
  });

  test('those that wait are dispatched when there is room and nobody else has done it', async () => {
    fleet.share = 0;
    const workspaceId = acceptedExecution().workspaceId;
    const waiting = Array.from({ length: 3 }, () => acceptedExecution({ workspaceId })).toSorted((a, b) => (a.id < b.id ? -1 : 1));
    for (const execution of waiting) expect(await fleet.fleet.submit(execution, 0)).toBe(false);
    fleet.share = 2;
    reconcile();
    await vi.waitFor(async () => expect((await fleet.fleet.waiting()).get(workspaceId)).toBe(1), { timeout: 5_000, interval: 50 });
    const held = await Promise.all(waiting.map(({ id }) => fleet.queue.holds(id)));
    expect(held).toEqual([true, true, false]);
  });

  test.for(['killed', 'frozen'] as const)(
    'workers that a %s PostgreSQL kept from renewing are not judged lost; a dead one is, after it',
    async (how) => {
      reconcile();
      const lost = new Set<string>();
      const [dead, alive] = [await claim('worker_dead'), await claim('worker_alive')];
      beat('worker_alive', [alive.execution], lost);
      await (how === 'killed' ? fleet.postgres.kill() : fleet.postgres.pause());
      await new Promise((resolve) => setTimeout(resolve, LEASE_MS + 2_000));
      await (how === 'killed' ? fleet.postgres.restart() : fleet.postgres.unpause());
      const since = performance.now();
      await vi.waitFor(async () => expect(await statusOf(dead.execution).catch(() => null)).toBe('failed'), {
        timeout: 10_000,
        interval: 50,
      });
      process.stdout.write(`after PostgreSQL was ${how} the dead were judged in ${Math.round(performance.now() - since)} ms\n`);
      expect(performance.now() - since).toBeLessThan(6_000);
      expect(await statusOf(alive.execution)).toBe('running');
      expect([...lost]).toEqual([]);
    },
  );

  test('a Redis that is away stops neither claims nor ends, and what it lost is queued again when it is back', async () => {
    reconcile();
    const [waiting, held] = [acceptedExecution(), await claim('worker_1')];
    await fleet.fleet.submit(waiting, 1);
    await fleet.redisContainer.kill();
    expect(await fleet.ledger.finish(endOf(held), held.grant)).toMatchObject({ written: true });
    await claim('worker_1');
    await fleet.redisContainer.restart();
    const since = performance.now();
    await vi.waitFor(async () => expect(await fleet.queue.holds(waiting.id).catch(() => false)).toBe(true), {
      timeout: 8_000,
      interval: 50,
    });
    expect(performance.now() - since).toBeLessThan(5_000);
  }, 60_000);
});
