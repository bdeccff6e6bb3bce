import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type OpenAdapter, openAdapter, runIn, spec } from '../boot/testing/open-adapter.ts';
import { DEFAULT_LIMITS } from '../port.ts';
import { createSandboxPool, type SandboxPool } from './sandbox-pool.ts';

const NEVER = new AbortController().signal;
const log = { warn: () => undefined };

describe.skipIf(process.getuid?.() === 0)('the sandbox pool (not as root)', () => {
  it('serves claims from stock, boots what is not in stock, and fills up again', async () => {
    await withPool({ typescript: 2, python: 1 }, async (pool) => {
      await until(() => pool.stats().warm.typescript === 2 && pool.stats().warm.python === 1);
      const claims = await Promise.all([1, 2, 3].map(() => pool.claim(spec('typescript'), NEVER)));
      expect(claims.map(({ warm }) => warm)).toEqual([true, true, false]);
      for (const { sandbox } of claims) expect((await runIn(sandbox, 'return 4')).result).toBe(4);
      const other = await pool.claim(spec('python', null, { ...DEFAULT_LIMITS, tmpMb: 1 }), NEVER);
      expect(other.warm).toBe(false);
      await runIn(other.sandbox, 'pass');
      await until(() => pool.stats().warm.typescript === 2);
      expect(pool.stats()).toMatchObject({
        hits: 2,
        misses: 2,
        bootFailures: 0,
        lastBootError: null,
        target: { typescript: 2, python: 1, node: 0 },
      });
    });
  });

  it('keeps half of the stock from those that yield', async () => {
    await withPool({ typescript: 4 }, async (pool) => {
      await until(() => pool.stats().warm.typescript === 4);
      const yielding = { ...spec('typescript'), yields: true };
      const many = await Promise.all([1, 2, 3].map(() => pool.claim(yielding, NEVER)));
      expect(many.map(({ warm }) => warm)).toEqual([true, true, false]);
      const first = await pool.claim(spec('typescript'), NEVER);
      expect(first.warm).toBe(true);
      for (const { sandbox } of [...many, first]) expect((await runIn(sandbox, 'return 4')).result).toBe(4);
      await until(() => pool.stats().warm.typescript === 4);
    });
  });

  it('replaces an idle sandbox that dies', async () => {
    await withPool({ python: 1 }, async (pool, { adapter }) => {
      await until(() => pool.stats().warm.python === 1);
      const { sandbox } = await pool.claim(spec('python'), NEVER);
      sandbox.kill();
      await until(() => pool.stats().warm.python === 1);
      await adapter.close();
      await until(() => pool.stats().warm.python === 0);
      expect(pool.stats().lastBootError).not.toBeNull();
    });
  });

  it('destroys idle sandboxes of an old snapshot and leaves claimed ones alone', async () => {
    await withPool({ python: 2 }, async (pool, { snapshotsDir }) => {
      const snapshot = join(snapshotsDir, 'next');
      await mkdir(snapshot);
      await until(() => pool.stats().warm.python === 2);
      const claimed = await pool.claim(spec('python'), NEVER);
      pool.retarget(snapshot);
      const old = await pool.claim(spec('python'), NEVER);
      expect(old.warm).toBe(false);
      await runIn(old.sandbox, 'pass');
      await until(() => pool.stats().warm.python === 2);
      const next = await pool.claim(spec('python', snapshot), NEVER);
      expect(next.warm).toBe(true);
      expect(next.sandbox.spec.snapshotDir).toBe(snapshot);
      expect((await runIn(claimed.sandbox, 'result = 1')).result).toBe(1);
      await runIn(next.sandbox, 'pass');
    });
  });

  it('shows boots that fail, tries them less and less often, and tells whoever claims', async () => {
    const open = await openAdapter('launcher', { runtimes: { typescript: '/usr/bin/false' } });
    const pool = createSandboxPool({ adapter: open.adapter, targets: { typescript: 2 }, log });
    try {
      await sleep(1500);
      await until(() => pool.stats().bootFailures > 1);
      const { bootFailures, lastBootError } = pool.stats();
      expect(bootFailures).toBeLessThan(16);
      expect(lastBootError).toContain('ended with code 1');
      await expect(pool.claim(spec('typescript'), NEVER)).rejects.toMatchObject({ code: 'SANDBOX_UNAVAILABLE' });
    } finally {
      await pool.close();
      await open.close();
    }
  });

  it('lets a claim be given up', async () => {
    await withPool({}, async (pool) => {
      const abort = new AbortController();
      const claims = Array.from({ length: 8 }, () => pool.claim(spec('python'), abort.signal));
      abort.abort(new Error('enough'));
      for (const claim of await Promise.allSettled(claims)) expect(claim.status).toBe('rejected');
      expect((await runIn((await pool.claim(spec('python'), NEVER)).sandbox, 'result = 1')).result).toBe(1);
    });
  });

  it('refuses claims once it is closed, and leaves no sandbox', async () => {
    await withPool({ python: 2 }, async (pool) => {
      await until(() => pool.stats().warm.python >= 1);
      await pool.close();
      expect(pool.stats().warm.python).toBe(0);
      await expect(pool.claim(spec('python'), NEVER)).rejects.toMatchObject({ code: 'SANDBOX_UNAVAILABLE' });
    });
  });
});

async function withPool(
  targets: { typescript?: number; python?: number },
  act: (pool: SandboxPool, open: OpenAdapter) => Promise<void>,
): Promise<void> {
  const open = await openAdapter('launcher');
  const pool = createSandboxPool({ adapter: open.adapter, targets, log });
  try {
    await act(pool, open);
  } finally {
    await pool.close();
    await open.close();
  }
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 25_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error('It did not happen within 25 seconds');
    await sleep(5);
  }
}
