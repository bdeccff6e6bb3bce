import { type ExecutionEvent, newId } from '@code-executor/contracts';
import { closeRedis, openRedis } from '@code-executor/platform';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { dockerAnswers, startRedis, type TestContainer } from '../../../../test/support/containers.ts';
import { testLog } from '../testing/open-test-executions.ts';
import { forgetLiveLogs } from './forget-live-logs.ts';
import { liveStreamKey } from './live-events.ts';
import { createLiveReader } from './live-reader.ts';
import { createLiveWriter } from './live-writer.ts';

const reachable = await dockerAnswers();
/** Head and tail, and one event that does not fit any more. */
const KEPT_BYTES = 2 * 64 * 1024 + 16 * 1024;

describe.skipIf(!reachable)(`live events in Redis${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let container: TestContainer;
  let redis: Redis;
  beforeAll(async () => {
    container = await startRedis();
    redis = openRedis({ url: container.url, name: 'test', log: testLog });
    await vi.waitFor(() => redis.ping(), { timeout: 20_000 });
  });
  afterAll(async () => {
    if (redis !== undefined) closeRedis(redis);
    await container?.stop();
  });

  test.each([
    ['plain text', 'x'],
    ['control characters, six bytes each', '\u0001'],
    ['signs of three bytes', '語'],
  ])('of a program that prints much take no more room for %s', async (_, sign) => {
    const id = newId('exe');
    const live = createLiveWriter(redis);
    const text = sign.repeat(2_000);
    for (let event = 2; event < 402; event += 1) await live.publish(id, [{ id: event, type: 'output', data: { text } }]);
    expect(await keptBytes(id)).toBeLessThanOrEqual(KEPT_BYTES);
    const first = await createLiveReader(redis).read(id, 1);
    expect(first[0]).toEqual({ id: 2, type: 'output', data: { text } });
  });

  test('of a program that asks for tools by long names take no more room either', async () => {
    const id = newId('exe');
    const live = createLiveWriter(redis);
    const data = { tool: 'x'.repeat(900), outcome: 'TOOL_NOT_FOUND', durationMs: 1 };
    const events = Array.from({ length: 1_000 }, (_, index): ExecutionEvent => ({ id: index + 2, type: 'tool_call', data }));
    await live.publish(id, events);
    expect(await keptBytes(id)).toBeLessThanOrEqual(KEPT_BYTES);
  });

  test('are gone seconds after their execution has ended, and not for as long as it may run', async () => {
    const id = newId('exe');
    const live = createLiveWriter(redis);
    const text = 'x'.repeat(8_000);
    await live.publish(
      id,
      Array.from({ length: 30 }, (_, index): ExecutionEvent => ({ id: index + 2, type: 'output', data: { text } })),
    );
    const keys = [liveStreamKey(id), `${liveStreamKey(id)}:tail`];
    for (const key of keys) expect(await redis.ttl(key)).toBeGreaterThan(300);
    await live.ended(id);
    for (const key of keys) expect(await redis.ttl(key)).toBeLessThanOrEqual(5);
    await vi.waitFor(async () => expect(await redis.exists(...keys)).toBe(0), { timeout: 20_000, interval: 200 });
  });

  test('of what was cancelled while it waited for a person go, and of what still waits or runs stay', async () => {
    const [cancelled, waits, runs] = [newId('exe'), newId('exe'), newId('exe')];
    const live = createLiveWriter(redis);
    const at = new Date().toISOString();
    for (const id of [cancelled, waits, runs]) await live.publish(id, [{ id: 2, type: 'output', data: { text: 'x' } }]);
    for (const id of [cancelled, waits]) await live.publish(id, [{ id: 3, type: 'status', data: { status: 'paused', at } }]);
    expect(await redis.ttl(liveStreamKey(cancelled))).toBeGreaterThan(24 * 60 * 60);
    const asked: string[] = [];
    await forgetLiveLogs({
      redis,
      live,
      async endedAmong(ids) {
        asked.push(...ids);
        return ids.filter((id) => id === cancelled);
      },
    });
    expect(asked).toEqual(expect.arrayContaining([cancelled, waits, runs]));
    expect(await redis.ttl(liveStreamKey(cancelled))).toBeLessThanOrEqual(5);
    expect(await redis.ttl(liveStreamKey(waits))).toBeGreaterThan(24 * 60 * 60);
    expect(await redis.ttl(liveStreamKey(runs))).toBeGreaterThan(300);
  });

  async function keptBytes(id: string): Promise<number> {
    const entries = await redis.xrange(liveStreamKey(id), '-', '+');
    return entries.reduce((sum, [, fields]) => sum + Buffer.byteLength(fields.join('')), 0);
  }
});
