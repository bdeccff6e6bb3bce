import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createInProcessQueue } from './in-process-queue.ts';

/** A handler whose runs end when told to. */
function steppedHandler() {
  const order: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    order,
    handler: (id: string) => {
      order.push(id);
      return new Promise<void>((resolve) => ends.set(id, resolve));
    },
    async end(id: string) {
      ends.get(id)?.();
      await sleep(0);
    },
  };
}

test('within a workspace the first comes first, and workspaces take turns', async () => {
  const queue = createInProcessQueue();
  const { order, handler, end } = steppedHandler();
  for (const id of ['a1', 'a2', 'a3', 'a4']) queue.add(id, { workspaceId: 'a' });
  for (const id of ['b1', 'b2']) queue.add(id, { workspaceId: 'b' });
  queue.add('c1', { workspaceId: 'c' });
  queue.process(handler, { concurrency: 1 });
  for (const id of ['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4']) {
    expect(order.at(-1)).toBe(id);
    await end(id);
  }
  expect(queue.depth()).toEqual({ queued: 0, running: 0 });
});

test('no more run side by side than it was told', async () => {
  const queue = createInProcessQueue();
  const { order, handler, end } = steppedHandler();
  queue.process(handler, { concurrency: 2 });
  for (const id of ['a1', 'a2', 'a3']) queue.reserve('a').add(id);
  expect(order).toEqual(['a1', 'a2']);
  expect(queue.depth()).toEqual({ queued: 1, running: 2 });
  await end('a2');
  expect(order).toEqual(['a1', 'a2', 'a3']);
});

test('a place that starts at once holds its worker until it is used or given back', async () => {
  const queue = createInProcessQueue();
  const { order, handler } = steppedHandler();
  queue.process(handler, { concurrency: 1 });
  const held = queue.reserve('a');
  expect(held.startsAtOnce).toBe(true);
  const waiting = queue.reserve('a');
  expect(waiting.startsAtOnce).toBe(false);
  waiting.add('a2');
  expect(order).toEqual([]);
  held.release();
  held.release();
  expect(order).toEqual(['a2']);
});

test('room that was reserved and not used can be taken by another, and a workspace that has none left takes none from the others', () => {
  const queue = createInProcessQueue({ maximumDepth: 1 });
  const place = queue.reserve('a');
  expect(() => queue.reserve('a')).toThrow(expect.objectContaining({ code: 'QUEUE_FULL' }));
  place.release();
  queue.reserve('a').add('a1');
  expect(() => queue.reserve('a')).toThrow(
    expect.objectContaining({ code: 'QUEUE_FULL', details: { retryAfterSeconds: expect.any(Number) } }),
  );
  queue.reserve('b').add('b1');
  expect(queue.depth()).toEqual({ queued: 2, running: 0 });
});

test('where there are several workspaces, none holds more than half of the workers, be the others idle', async () => {
  let isShared = false;
  const queue = createInProcessQueue({ isShared: () => isShared });
  const { order, handler, end } = steppedHandler();
  queue.process(handler, { concurrency: 4 });
  for (const id of ['a1', 'a2', 'a3']) queue.reserve('a').add(id);
  expect(order).toEqual(['a1', 'a2', 'a3']);
  isShared = true;
  const waiting = queue.reserve('a');
  expect(waiting.startsAtOnce).toBe(false);
  waiting.add('a4');
  await end('a1');
  expect(order).toEqual(['a1', 'a2', 'a3']);
  const other = queue.reserve('b');
  expect(other.startsAtOnce).toBe(true);
  other.add('b1');
  expect(order.at(-1)).toBe('b1');
  await end('a2');
  expect(order.at(-1)).toBe('a4');
  queue.add('a5', { workspaceId: 'a' });
  queue.add('b2', { workspaceId: 'b' });
  expect(order.at(-1)).toBe('b2');
  expect(queue.depth()).toEqual({ queued: 1, running: 4 });
  await end('a3');
  expect(order.at(-1)).toBe('a5');
});

test('what is removed is not handed out, and what was handed out cannot be removed', async () => {
  const queue = createInProcessQueue();
  const { order, handler, end } = steppedHandler();
  queue.process(handler, { concurrency: 1 });
  for (const id of ['a1', 'a2', 'a3']) queue.add(id, { workspaceId: 'a' });
  expect(queue.remove('a2')).toBe(true);
  expect(queue.remove('a2')).toBe(false);
  expect(queue.remove('a1')).toBe(false);
  await end('a1');
  expect(order).toEqual(['a1', 'a3']);
});

test('closing waits for what runs and hands out nothing more', async () => {
  const queue = createInProcessQueue();
  const { order, handler, end } = steppedHandler();
  queue.process(handler, { concurrency: 1 });
  queue.add('a1', { workspaceId: 'a' });
  queue.add('a2', { workspaceId: 'a' });
  let closed = false;
  const closing = queue.close().then(() => {
    closed = true;
  });
  await sleep(5);
  expect(closed).toBe(false);
  await end('a1');
  await closing;
  expect(order).toEqual(['a1']);
});
