import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@code-executor/contracts';
import { createLogger, isAppError } from '@code-executor/platform';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { dockerAnswers, startRedis, type TestContainer } from '../../../../test/support/containers.ts';
import { createQueueConsumer, type QueueConsumer } from './bullmq-consumer.ts';
import { createQueueProducer, type QueueProducer } from './bullmq-producer.ts';

const log = createLogger({ level: 'silent', service: 'test' });
const reachable = await dockerAnswers();

describe.skipIf(!reachable)(`the queue of the fleet${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let redis: TestContainer;
  let producer: QueueProducer;
  const opened: { close(): Promise<void> }[] = [];
  beforeAll(async () => {
    redis = await startRedis();
    producer = createQueueProducer({ redis: redis.url, log });
    await healthy();
  });
  afterEach(async () => {
    for (const part of opened.splice(0)) await part.close();
  });
  afterAll(async () => {
    await producer?.close();
    await redis?.stop();
  });

  const healthy = () => vi.waitFor(() => expect(producer.reason()).toBeNull(), { timeout: 5_000, interval: 20 });
  const unhealthy = async (): Promise<number> => {
    const since = performance.now();
    await vi.waitFor(() => expect(producer.healthy()).toBe(false), { timeout: 5_000, interval: 20 });
    return performance.now() - since;
  };
  const configure = (name: string, value: string) =>
    redis.exec(['redis-cli', '--no-auth-warning', '-a', decodeURIComponent(new URL(redis.url).password), 'CONFIG', 'SET', name, value]);

  function take(handler: (id: string, signal: AbortSignal) => Promise<void>, concurrency = 2): QueueConsumer {
    const consumer = createQueueConsumer({ redis: redis.url, concurrency, log, handler });
    opened.push(consumer);
    consumer.start();
    return consumer;
  }
  function collect(): { readonly taken: string[]; readonly seen: (ids: readonly string[], timeoutMs?: number) => Promise<void> } {
    const taken: string[] = [];
    return {
      taken,
      seen: (ids, timeout = 5_000) =>
        vi.waitFor(() => expect(ids.filter((id) => !taken.includes(id))).toEqual([]), { timeout, interval: 10 }),
    };
  }

  test('an id is handed out once, however often it is added, and forgotten when it has been handled', async () => {
    const { taken, seen } = collect();
    const [first, second] = [newId('exe'), newId('exe')];
    await producer.add([first, second, first]);
    await producer.add([second]);
    expect(await producer.holds(first)).toBe(true);
    expect(await producer.depth()).toEqual({ waiting: 2, active: 0 });
    take(async (id) => void taken.push(id));
    await seen([first, second]);
    await vi.waitFor(async () => expect(await producer.depth()).toEqual({ waiting: 0, active: 0 }));
    expect(taken).toEqual([first, second]);
    expect(await producer.holds(first)).toBe(false);
  });

  test('an id that was removed is not handed out', async () => {
    const { taken, seen } = collect();
    const [kept, removed] = [newId('exe'), newId('exe')];
    await producer.add([removed, kept]);
    await producer.remove(removed);
    take(async (id) => void taken.push(id));
    await seen([kept]);
    expect(taken).toEqual([kept]);
    await producer.remove(newId('exe'));
  });

  test('a drained worker finishes what it has and leaves the rest to others', async () => {
    const first = collect();
    const second = collect();
    const ids = Array.from({ length: 6 }, () => newId('exe'));
    const slow = take(async (id) => {
      first.taken.push(id);
      await sleep(300);
    }, 2);
    await producer.add(ids);
    await vi.waitFor(() => expect(first.taken).toHaveLength(2));
    await slow.drain();
    expect(first.taken).toHaveLength(2);
    take(async (id) => void second.taken.push(id));
    await second.seen(ids.filter((id) => !first.taken.includes(id)));
    expect([...first.taken, ...second.taken].toSorted()).toEqual(ids.toSorted());
  });

  test('closing a worker aborts the signals of what it handles', async () => {
    const { taken, seen } = collect();
    const id = newId('exe');
    let reason: unknown = null;
    const consumer = take(async (executionId, signal) => {
      taken.push(executionId);
      await sleep(20_000, undefined, { signal }).catch(() => {
        reason = signal.reason;
      });
    });
    await producer.add([id]);
    await seen([id]);
    await consumer.close();
    expect(isAppError(reason, 'SHUTTING_DOWN')).toBe(true);
  });

  test('a worker closes within seconds while Redis is away, be it that it never came', async () => {
    const { taken, seen } = collect();
    const id = newId('exe');
    const met = take(async (executionId) => void taken.push(executionId));
    const never = createQueueConsumer({ redis: 'redis://127.0.0.1:1', concurrency: 1, log, handler: async () => undefined });
    never.start();
    await producer.add([id]);
    await seen([id]);
    await redis.kill();
    try {
      const since = performance.now();
      await sleep(300);
      await Promise.all([met.close(), never.close()]);
      expect(performance.now() - since).toBeLessThan(4_000);
    } finally {
      await redis.restart();
    }
    await healthy();
  });

  test('what a worker took and died with is not held any longer than its lock, and can be added again', async () => {
    const { taken, seen } = collect();
    const id = newId('exe');
    await producer.add([id]);
    const deadOpened = createDeadWorker(redis.url);
    await deadOpened.took(id);
    expect(await producer.holds(id)).toBe(true);
    const since = performance.now();
    await vi.waitFor(async () => expect(await producer.holds(id)).toBe(false), { timeout: 6_000, interval: 50 });
    expect(performance.now() - since).toBeLessThan(5_000);
    await producer.add([id]);
    take(async (executionId) => void taken.push(executionId));
    await seen([id]);
  });

  test('a sweep takes out what a dead worker left, and nothing that a living one holds', async () => {
    const left = newId('exe');
    await producer.add([left]);
    await createDeadWorker(redis.url).took(left);
    await vi.waitFor(
      async () => {
        await producer.sweep();
        expect(await producer.depth()).toEqual({ waiting: 0, active: 0 });
      },
      { timeout: 6_000, interval: 100 },
    );
    const held = newId('exe');
    const { taken, seen } = collect();
    take(async (executionId, signal) => {
      taken.push(executionId);
      await sleep(60_000, undefined, { signal }).catch(() => undefined);
    });
    await producer.add([held]);
    await seen([held]);
    await producer.sweep();
    expect(await producer.depth()).toEqual({ waiting: 0, active: 1 });
  });

  test('a Redis at its memory limit is noticed, refused and forgiven, by workers too', async () => {
    const { taken, seen } = collect();
    const handled = newId('exe');
    take(async (id) => void taken.push(id));
    try {
      await configure('maxmemory', '1');
      expect(await unhealthy()).toBeLessThan(1_500);
      expect(producer.reason()).toMatch(/OOM|memory/i);
      await expect(producer.add([newId('exe')])).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    } finally {
      await configure('maxmemory', '0');
    }
    await healthy();
    await producer.add([handled]);
    await seen([handled]);
  });

  test('a write that Redis refuses between two probes is an error at once, and the queue counts as down from then on', async () => {
    try {
      await configure('min-replicas-to-write', '1');
      const results = [];
      for (let index = 0; index < 3; index += 1) results.push(await producer.add([newId('exe')]).catch((error: unknown) => error));
      expect(results.every((error) => isAppError(error, 'QUEUE_UNAVAILABLE'))).toBe(true);
      expect(producer.healthy()).toBe(false);
    } finally {
      await configure('min-replicas-to-write', '0');
    }
    await healthy();
  });

  test('a killed Redis is noticed at once; after its restart ids flow again to workers that never were restarted', async () => {
    const { taken, seen } = collect();
    const [before, after] = [newId('exe'), newId('exe')];
    take(async (id) => void taken.push(id));
    await producer.add([before]);
    await seen([before]);
    await redis.kill();
    expect(await unhealthy()).toBeLessThan(1_000);
    const since = performance.now();
    await expect(producer.add([after])).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    expect(performance.now() - since).toBeLessThan(100);
    await sleep(4_000);
    await redis.restart();
    const back = performance.now();
    await healthy();
    await producer.add([after]);
    await seen([after]);
    expect(performance.now() - back).toBeLessThan(5_000);
  });

  test('a frozen Redis is noticed within two seconds and forgiven when it wakes', async () => {
    const { taken, seen } = collect();
    const after = newId('exe');
    take(async (id) => void taken.push(id));
    await redis.pause();
    try {
      expect(await unhealthy()).toBeLessThan(2_000);
    } finally {
      await redis.unpause();
    }
    await healthy();
    await producer.add([after]);
    await seen([after]);
  });
});

/** A worker in a process of its own that takes one id and is killed while it handles it. */
function createDeadWorker(url: string): { took(id: string): Promise<void> } {
  return {
    async took(id) {
      const { spawn } = await import('node:child_process');
      const program = `
        import { createQueueConsumer } from ${JSON.stringify(new URL('./bullmq-consumer.ts', import.meta.url).href)};
        import { createLogger } from '@code-executor/platform';
        createQueueConsumer({ redis: ${JSON.stringify(url)}, concurrency: 1, log: createLogger({ level: 'silent', service: 'test' }),
          handler: async (id) => { process.stdout.write(id); await new Promise(() => {}); } }).start();`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: ['ignore', 'pipe', 'inherit'],
        cwd: import.meta.dirname,
      });
      try {
        await new Promise<void>((resolve, reject) => {
          child.once('error', reject);
          child.once('exit', () => reject(new Error('the worker ended by itself')));
          child.stdout.once('data', (chunk) => (String(chunk) === id ? resolve() : reject(new Error(String(chunk)))));
        });
      } finally {
        child.removeAllListeners('exit');
        child.kill('SIGKILL');
      }
    },
  };
}
