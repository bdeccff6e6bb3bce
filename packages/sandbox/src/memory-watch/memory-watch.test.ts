import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { createMemoryWatch } from './create-memory-watch.ts';
import { measureExactly, measureQuickly, processesBelow } from './measure-tree.ts';

const MEGABYTE = 1024 * 1024;
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) {
    // The group: children that were forked live on otherwise.
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }
});

/** A real Python that prints a line when it is where the test wants it. */
async function python(code: string): Promise<number> {
  const child = spawn('/usr/bin/python3', ['-I', '-S', '-c', code], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  children.push(child);
  await once(child.stdout, 'data');
  return child.pid ?? 0;
}

describe('memory of a tree of processes', () => {
  test('is the sum over children of children, shared pages counted once', async () => {
    const pid = await python(`
import os, time
data = bytearray(os.urandom(1 << 20)) * 60
read, write = os.pipe()
for _ in range(2):
    if os.fork() == 0:
        if os.fork() == 0: os.write(write, b'x'); time.sleep(60)
        time.sleep(60)
for _ in range(2): os.read(read, 1)
print('ready', flush=True)
time.sleep(60)`);
    expect(processesBelow(pid)).toHaveLength(5);
    const [quick, exact] = [measureQuickly(pid), measureExactly(pid)];
    expect(exact).toBeGreaterThan(60 * MEGABYTE);
    expect(exact).toBeLessThan(100 * MEGABYTE);
    expect(quick).toBeGreaterThan(exact);
  });

  test('is nothing once it is gone', () => {
    expect([measureQuickly(2 ** 22 - 1), measureExactly(2 ** 22 - 1)]).toEqual([0, 0]);
  });
});

describe('the watch', () => {
  test('tells once that the limit is exceeded, and what the highest use was', async () => {
    const watch = createMemoryWatch({ intervalMs: 5 });
    try {
      const pid = await python(
        "import sys, time\nprint('ready', flush=True)\nsys.stdin.readline()\ndata = b'x' * (120 << 20)\ntime.sleep(60)",
      );
      const told: number[] = [];
      const watched = watch.watch(pid, 80 * MEGABYTE, (bytes) => told.push(bytes));
      await expect.poll(() => watched.peakBytes()).toBeGreaterThan(MEGABYTE);
      expect(told).toEqual([]);
      children.at(-1)?.stdin?.write('go\n');
      await expect.poll(() => told.length, { timeout: 15_000 }).toBe(1);
      expect(told[0]).toBeGreaterThan(80 * MEGABYTE);
      expect(watched.peakBytes()).toBeGreaterThanOrEqual(told[0] ?? 0);
      watched.stop();
    } finally {
      await watch.close();
    }
  });

  test('says nothing of children that only share their memory, nor after it was stopped', async () => {
    const watch = createMemoryWatch({ intervalMs: 5 });
    try {
      const pid = await python(
        "import os, time\ndata = bytearray(50 << 20)\nfor _ in range(4):\n    if os.fork() == 0: time.sleep(60)\nprint('ready', flush=True)\ntime.sleep(60)",
      );
      const told: number[] = [];
      const watched = watch.watch(pid, 100 * MEGABYTE, (bytes) => told.push(bytes));
      await expect.poll(() => watched.peakBytes()).toBeGreaterThan(40 * MEGABYTE);
      const stopped = watch.watch(pid, MEGABYTE, (bytes) => told.push(bytes));
      stopped.stop();
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(told).toEqual([]);
    } finally {
      await watch.close();
    }
  });
});
