/**
 * Prints what the launcher's sandboxes lack where this runs, and how long a program takes in a warm one from its code to its result:
 * `{ degradations, p50Ms: { typescript, python } }`. The tests run it in the worker's container and beside it.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '@code-executor/platform';
import { createMemoryWatch, DEFAULT_LIMITS, IDENTITY_POSITIONS, openSandboxAdapter, runProgram } from '@code-executor/sandbox';

const PROGRAMS = { typescript: 'export const __executionBody = async () => 40 + 2;', python: '40 + 2' } as const;
const ROUNDS = 5;
const WARM = 8;
const WARM_UP_MS = 500;

const dataDir = await mkdtemp(join(process.env.EXECUTOR_DATA_DIR ?? tmpdir(), 'measure-'));
const snapshotsDir = join(dataDir, 'snapshots');
await mkdir(snapshotsDir);
const adapter = await openSandboxAdapter({
  adapter: 'launcher',
  dataDir,
  snapshotsDir,
  log: createLogger({ level: 'silent', service: 'measure' }),
});
const memoryWatch = createMemoryWatch();
try {
  const p50Ms = { typescript: await measure('typescript'), python: await measure('python') };
  process.stdout.write(`${JSON.stringify({ degradations: adapter.degradations, p50Ms })}\n`);
} finally {
  await adapter.close();
  await memoryWatch.close();
  await rm(dataDir, { recursive: true, force: true });
}

async function measure(runtime: keyof typeof PROGRAMS): Promise<number> {
  const took: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const warm = Array.from({ length: WARM }, () => adapter.boot({ runtime, snapshotDir: null, limits: DEFAULT_LIMITS, waits: true }));
    const sandboxes = await Promise.all(warm);
    await sleep(WARM_UP_MS);
    for (const sandbox of sandboxes) {
      const startedMs = performance.now();
      const outcome = await runProgram(
        sandbox,
        { code: PROGRAMS[runtime], args: {}, files: {}, promisesResult: true, positions: IDENTITY_POSITIONS, timeoutMs: 10_000 },
        { onCall: async () => ({ ok: true, value: null }), onDiscover: async () => ({ ok: true, value: [] }) },
        { signal: new AbortController().signal, memoryWatch },
      );
      took.push(performance.now() - startedMs);
      if (outcome.resultJson !== '42') throw new Error(`${runtime}: ${outcome.error?.code} ${outcome.error?.message}`);
      sandbox.kill();
      await sandbox.ended;
    }
  }
  return took.sort((one, other) => one - other)[Math.floor(took.length / 2)] ?? Number.NaN;
}
