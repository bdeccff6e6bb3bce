import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openAdapter, runIn, spec } from '../boot/testing/open-adapter.ts';
import { DEFAULT_LIMITS } from '../port.ts';
import { createSandboxPool } from './sandbox-pool.ts';
import { withSpares } from './spares.ts';

const NEVER = new AbortController().signal;
const log = { warn: () => undefined };

describe.skipIf(process.getuid?.() === 0)('spare sandboxes (not as root)', () => {
  it('a workspace that has just run something finds one ready with its own wrappers, and no other workspace does', async () => {
    await withTwo(async ({ pool, one, other }) => {
      const run = async (dir: string) => {
        const { sandbox, warm } = await pool.claim(spec('python', dir), NEVER);
        expect(sandbox.spec.snapshotDir).toBe(dir);
        expect((await runIn(sandbox, 'result = 1')).result).toBe(1);
        return warm;
      };
      expect(await run(one)).toBe(false);
      // The spare is booted behind the program; whoever comes before it is there boots one.
      const warm = await untilWarm(() => run(one));
      expect(warm).toBe(true);
      expect(await run(other)).toBe(false);
      expect(pool.stats().hits).toBeGreaterThan(0);
    });
  });

  it('who comes while one is being booted for its workspace waits for that one, and boots no other', async () => {
    await withTwo(async ({ pool, one, boots }) => {
      const first = await pool.claim(spec('python', one), NEVER);
      await runIn(first.sandbox, 'pass');
      const end = performance.now() + 25_000;
      while (boots() < 2 && performance.now() < end) await sleep(1);
      const given = new AbortController();
      const givenUp = pool.claim(spec('python', one), given.signal);
      given.abort(new Error('enough'));
      await expect(givenUp).rejects.toThrow('enough');
      const second = await pool.claim(spec('python', one), NEVER);
      expect([second.warm, boots()]).toEqual([true, 2]);
      expect((await runIn(second.sandbox, 'result = 1')).result).toBe(1);
    });
  });

  it('none is kept of wrappers that are not the newest any more', async () => {
    await withTwo(async ({ pool, one, newest }) => {
      newest.delete(one);
      for (let round = 0; round < 4; round += 1) {
        const { sandbox, warm } = await pool.claim(spec('python', one), NEVER);
        await runIn(sandbox, 'pass');
        expect(warm).toBe(false);
        await sleep(200);
      }
    });
  });
});

async function withTwo(
  act: (at: { pool: ReturnType<typeof withSpares>; one: string; other: string; newest: Set<string>; boots: () => number }) => Promise<void>,
): Promise<void> {
  const open = await openAdapter('launcher');
  const [one, other] = [join(open.snapshotsDir, 'one'), join(open.snapshotsDir, 'other')];
  await mkdir(one);
  await mkdir(other);
  const newest = new Set([one, other]);
  let boots = 0;
  const adapter: typeof open.adapter = {
    ...open.adapter,
    boot(...asked) {
      boots += 1;
      return open.adapter.boot(...asked);
    },
  };
  const pool = withSpares(createSandboxPool({ adapter, targets: {}, log }), {
    ...{ adapter, limits: DEFAULT_LIMITS, log },
    isNewest: (dir) => newest.has(dir),
  });
  try {
    await act({ pool, one, other, newest, boots: () => boots });
  } finally {
    await pool.close();
    await open.close();
  }
}

async function untilWarm(claim: () => Promise<boolean>): Promise<boolean> {
  const end = performance.now() + 25_000;
  while (performance.now() < end) {
    if (await claim()) return true;
    await sleep(100);
  }
  return false;
}
