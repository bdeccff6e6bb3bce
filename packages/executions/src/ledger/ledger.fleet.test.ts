import { setTimeout as sleep } from 'node:timers/promises';
import { openRedis } from '@code-executor/platform';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { dockerAnswers } from '../../../../test/support/containers.ts';
import { CHANNELS } from '../live-stream/fleet-channels.ts';
import { liveStreamKey } from '../live-stream/live-events.ts';
import { testLog } from '../testing/open-test-executions.ts';
import { acceptedExecution, endOf, openTestFleet, type TestFleet } from '../testing/open-test-fleet.ts';
import type { ClaimedByWorker, WorkerReport } from './port.ts';

const reachable = await dockerAnswers();
const report = (workerId: string): WorkerReport => ({
  workerId,
  slots: 4,
  running: 1,
  draining: false,
  pool: { hits: 0, misses: 0, warm: {} },
});

describe.skipIf(!reachable)(`the ledger of the fleet${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let fleet: TestFleet;
  beforeAll(async () => {
    fleet = await openTestFleet();
  });
  afterAll(async () => {
    await fleet?.close();
  });

  async function claimed(fields: Parameters<typeof acceptedExecution>[0] = {}, workerId = 'worker_1'): Promise<ClaimedByWorker> {
    const execution = acceptedExecution(fields);
    await fleet.fleet.submit(execution, 100);
    const claim = await fleet.ledger.claim(execution.id, { workerId });
    if (claim === null) throw new Error('nothing was claimed');
    return claim;
  }

  test('of many workers that claim one execution at once, one gets all of it; its retry gets the same claim, and later nobody', async () => {
    const execution = acceptedExecution({
      code: 'a\u0010b ü 😀',
      args: { text: '\u0000\ud800' },
      files: { 'lib/a.ts': 'x' },
      typecheck: true,
    });
    await fleet.fleet.submit(execution, 1);
    const workers = Array.from({ length: 8 }, (_, index) => `worker_${index}`);
    const claims = await Promise.all(workers.map((workerId) => fleet.ledger.claim(execution.id, { workerId })));
    const winner = workers[claims.findIndex((claim) => claim !== null)] ?? '';
    expect(claims.filter((claim) => claim !== null)).toMatchObject([{ execution: { ...execution, token: 1 }, catalogVersion: 'v1' }]);
    expect(await fleet.ledger.claim(execution.id, { workerId: winner })).toMatchObject({ execution: { token: 1 } });
    expect(await fleet.ledger.claim(execution.id, { workerId: 'worker_late' })).toBeNull();
  });

  test('an end is written once and told of; its retry gets the same answer, and a stale token none', async () => {
    const messages: string[] = [];
    const subscriber = openRedis({ url: fleet.redisContainer.url, name: 'listener', log: testLog, use: 'subscriber' });
    try {
      subscriber.on('message', (_, message) => void messages.push(message));
      await subscriber.subscribe(CHANNELS.ended);
      const claim = await claimed();
      const ended = endOf(claim, { resultJson: '"first"', output: 'printed\n', effects: 'some' });

      const first = await fleet.ledger.finish(ended, claim.grant);
      expect(first).toMatchObject({ written: true, record: { executionId: ended.id, resultJson: '"first"', effects: 'some' } });
      const stored = await fleet.store.find(ended.id, claim.execution);
      expect(first.record).toEqual(stored?.record);
      expect(await fleet.ledger.finish(ended, claim.grant)).toEqual(first);
      const other = endOf(claim, { resultJson: '"second"' });
      expect(await fleet.ledger.finish({ ...other, endedAt: new Date(0) }, claim.grant)).toMatchObject({
        written: false,
        record: first.record,
      });
      await expect(fleet.ledger.finish({ ...ended, token: 2 }, claim.grant)).rejects.toMatchObject({ code: 'STALE_CLAIM' });

      await vi.waitFor(() => expect(messages).toContain(JSON.stringify({ executionId: ended.id })));
      expect(fleet.ended.filter(({ executionId }) => executionId === ended.id)).toMatchObject([{ effects: 'some', resultBytes: 7 }]);
    } finally {
      subscriber.disconnect();
    }
  });

  test('a result of 10 MB comes back as it was', async () => {
    const claim = await claimed();
    const resultJson = JSON.stringify('ü😀x'.repeat(1_500_000));
    const since = performance.now();
    await fleet.ledger.finish(endOf(claim, { resultJson }), claim.grant);
    expect(performance.now() - since).toBeLessThan(5_000);
    const found = await fleet.store.find(claim.execution.id, claim.execution);
    expect(found?.record.resultJson === resultJson).toBe(true);
  });

  test('a renewal says what is lost, what is to be cancelled, and what the worker reported is seen by others', async () => {
    const [kept, cancelled, ended, stale] = [await claimed(), await claimed(), await claimed(), await claimed()];
    expect(await fleet.fleet.requestCancel(cancelled.execution.id, cancelled.execution)).toBe('requested');
    await fleet.ledger.finish(endOf(ended), ended.grant);
    const held = [kept, cancelled, ended].map(({ execution: { id, token } }) => ({ executionId: id, token }));
    expect(await fleet.ledger.renew(report('worker_1'), [...held, { executionId: stale.execution.id, token: 7 }])).toEqual({
      lost: [ended.execution.id, stale.execution.id],
      cancelled: [cancelled.execution.id],
      decided: [],
      catalogVersion: 'v1',
    });
    expect((await fleet.ledger.renew(report('worker_2'), held)).lost).toEqual(held.map(({ executionId }) => executionId));
    expect(JSON.parse((await fleet.redis.get('executor:worker:worker_1')) ?? '')).toEqual(report('worker_1'));
    expect(await fleet.redis.ttl('executor:worker:worker_1')).toBeGreaterThan(5);
  });

  test('one that waits is cancelled at once and never handed out, one of another principal is not found', async () => {
    const execution = acceptedExecution();
    await fleet.fleet.submit(execution, 1);
    const { workspaceId } = execution;
    expect(await fleet.fleet.requestCancel(execution.id, { workspaceId, principalId: 'key_other' })).toBeNull();
    expect(await fleet.fleet.requestCancel(execution.id, { workspaceId, principalId: 'key_test' })).toBe('ended');
    expect(await fleet.ledger.claim(execution.id, { workerId: 'worker_1' })).toBeNull();
    const found = await fleet.store.find(execution.id, execution);
    expect(found).toMatchObject({
      record: { status: 'cancelled', effects: 'not_started', error: { code: 'CANCELLED' } },
      eventsJson: `[["s","queued",${execution.createdAt.getTime()}]]`,
    });
    expect(await fleet.fleet.requestCancel(execution.id, { workspaceId })).toBeNull();
  });

  test('events that are sent twice are kept once, and only by whoever holds the claim', async () => {
    const [claim, other] = [await claimed(), await claimed()];
    const { id: executionId, token } = claim.execution;
    const events = [1, 2, 3].map((id) => ({ id, type: 'output' as const, data: { text: `${id}\n` } }));
    await fleet.ledger.publish({ executionId, token }, claim.grant, events.slice(0, 2));
    await fleet.ledger.publish({ executionId, token }, claim.grant, events);
    const entries = await fleet.redis.xrange(liveStreamKey(executionId), '-', '+');
    expect(entries.map(([id]) => id)).toEqual(['1-0', '2-0', '3-0']);
    await expect(fleet.ledger.publish({ executionId, token }, other.grant, events)).rejects.toMatchObject({ code: 'STALE_CLAIM' });
  });

  test('one that a worker was told of ahead of its row is claimed when the row is there and its turn has come, or by nobody', async () => {
    const workspaceId = acceptedExecution().workspaceId;
    const [first, second] = [acceptedExecution({ workspaceId }), acceptedExecution({ workspaceId })];
    const ahead = { workerId: 'worker_1', isAhead: true };
    const claim = fleet.ledger.claim(first.id, ahead);
    await sleep(50);
    expect(await fleet.fleet.submit(first, 1)).toBe(true);
    expect(await claim).toMatchObject({ execution: { id: first.id, token: 1 } });
    // Its answer was lost.
    expect(await fleet.ledger.claim(first.id, ahead)).toMatchObject({ execution: { id: first.id, token: 1 } });
    expect(await fleet.ledger.claim(first.id, { ...ahead, workerId: 'worker_2' })).toBeNull();

    expect(await fleet.fleet.submit(second, 1)).toBe(false);
    expect(await fleet.ledger.claim(second.id, ahead)).toBeNull();
    expect((await fleet.store.find(second.id, second))?.record.status).toBe('queued');
    expect(await fleet.ledger.claim(acceptedExecution().id, ahead)).toBeNull();
  });

  test('the end of one execution dispatches the next of its workspace, first in, first out', async () => {
    fleet.share = 2;
    const workspaceId = acceptedExecution().workspaceId;
    const all = Array.from({ length: 5 }, () => acceptedExecution({ workspaceId })).toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const dispatched = [];
    for (const execution of all) dispatched.push(await fleet.fleet.submit(execution, fleet.share));
    expect(dispatched).toEqual([true, true, false, false, false]);
    const [first, , third, fourth] = all.map(({ id }) => id);
    const claim = await fleet.ledger.claim(first ?? '', { workerId: 'worker_1' });
    if (claim === null) throw new Error('nothing was claimed');
    expect(await fleet.queue.holds(third ?? '')).toBe(false);
    await fleet.ledger.finish(endOf(claim), claim.grant);
    await vi.waitFor(async () => expect(await fleet.queue.holds(third ?? '')).toBe(true));
    expect(await fleet.queue.holds(fourth ?? '')).toBe(false);
    expect((await fleet.fleet.waiting()).get(workspaceId)).toBe(2);
  });

  test('an Idempotency-Key holds between gateways, and its execution counts to the share', async () => {
    const workspaceId = acceptedExecution().workspaceId;
    const request = { workspaceId, principalId: 'key_test', route: 'POST /execute', key: 'k', digest: 'd' };
    const expired = new Date(Date.now() - 86_400_000);
    const all = Array.from({ length: 10 }, () => acceptedExecution({ workspaceId }));
    const answers = await Promise.all(all.map((execution) => fleet.fleet.submitOnce(execution, 1, request, expired)));
    const written = all.filter((_, index) => 'dispatched' in (answers[index] ?? {}));
    expect(written).toHaveLength(1);
    expect(answers.filter((answer) => 'known' in answer)).toEqual(
      Array.from({ length: 9 }, () => ({ known: { executionId: written[0]?.id, digest: 'd' } })),
    );
    expect(await fleet.fleet.submit(acceptedExecution({ workspaceId }), 1)).toBe(false);
  });

  test('what waits for a person is let go of by the worker that holds it, as often as it says so, and by no other', async () => {
    const { execution } = await claimed();
    const held = { executionId: execution.id, token: execution.token };
    const pause = { checkpoint: '{}', waitsFor: ['apr_1'], executionMs: 1, effects: 'none' } as const;
    await fleet.ledger.setPaused(held, { workerId: 'worker_1' }, pause);
    await expect(fleet.ledger.release(held, { workerId: 'worker_2' })).rejects.toMatchObject({ code: 'STALE_CLAIM' });
    expect((await fleet.ledger.renew(report('worker_1'), [held])).lost).toEqual([]);
    await fleet.ledger.release(held, { workerId: 'worker_1' });
    await fleet.ledger.release(held, { workerId: 'worker_1' });
    expect((await fleet.ledger.renew(report('worker_1'), [held])).lost).toEqual([execution.id]);
  });

  test('live events that Redis does not take are refused as what may be sent again, and are taken when it is back', async () => {
    const { execution, grant } = await claimed();
    const held = { executionId: execution.id, token: 1 };
    const events = [{ id: 2, type: 'output', data: { text: 'late' } }] as const;
    await fleet.redisContainer.kill();
    try {
      await expect(fleet.ledger.publish(held, grant, events)).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE', retryable: true });
    } finally {
      await fleet.redisContainer.restart();
    }
    await vi.waitFor(() => fleet.ledger.publish(held, grant, events), { timeout: 10_000 });
    expect(await fleet.redis.xlen(liveStreamKey(execution.id))).toBe(1);
  });

  test('a PostgreSQL that is away is said to be, and an end that was tried meanwhile is written once it is back', async () => {
    const claim = await claimed();
    const ended = endOf(claim, { output: 'kept' });
    await fleet.postgres.kill();
    await expect(fleet.ledger.finish(ended, claim.grant)).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE', retryable: true });
    await expect(fleet.ledger.renew(report('worker_1'), [])).resolves.toMatchObject({ lost: [] });
    const held = [{ executionId: ended.id, token: ended.token }];
    await expect(fleet.ledger.renew(report('worker_1'), held)).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE' });
    await fleet.postgres.restart();
    await vi.waitFor(async () => expect((await fleet.ledger.finish(ended, claim.grant)).written).toBe(true), { timeout: 5_000 });
  }, 60_000);
});
