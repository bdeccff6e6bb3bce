/**
 * Runs inside the worker's container, under whatever confinement that was given: prints that confinement, and what a first program of
 * each language answers out of a sandbox, as one line of JSON.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLogger } from '@code-executor/platform';
import { createSandboxPool, DEFAULT_LIMITS, IDENTITY_POSITIONS, openSandboxAdapter, runProgram } from '@code-executor/sandbox';

const PROGRAMS = {
  typescript: `export const __executionResult = [2 + 2, process.getuid?.() !== 0];`,
  python: 'import os\n[2 + 2, os.getuid() != 0]',
} as const;

const dataDir = process.env.EXECUTOR_DATA_DIR ?? '';
const snapshotsDir = join(dataDir, 'snapshots');
await mkdir(snapshotsDir, { recursive: true });
const log = createLogger({ level: 'silent', service: 'first-program' });
const adapter = await openSandboxAdapter({ adapter: 'auto', dataDir, snapshotsDir, log });
const pool = createSandboxPool({ adapter, targets: {}, log });
try {
  const status = await readFile('/proc/self/status', 'utf8');
  const field = (name: string): string | undefined => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1];
  const rootWrite = await writeFile('/app/written', '').then(
    () => 'written',
    (error: NodeJS.ErrnoException) => error.code,
  );
  const answer = {
    adapter: adapter.name,
    uid: field('Uid'),
    gid: field('Gid'),
    capabilities: field('CapBnd'),
    noNewPrivileges: field('NoNewPrivs'),
    seccomp: field('Seccomp'),
    rootWrite,
    typescript: await resultOf('typescript'),
    python: await resultOf('python'),
  };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
} finally {
  await pool.close();
  await adapter.close();
}

async function resultOf(runtime: keyof typeof PROGRAMS): Promise<unknown> {
  const signal = AbortSignal.timeout(30_000);
  const { sandbox } = await pool.claim({ runtime, snapshotDir: null, limits: DEFAULT_LIMITS }, signal);
  const outcome = await runProgram(
    sandbox,
    { code: PROGRAMS[runtime], args: {}, files: {}, promisesResult: true, positions: IDENTITY_POSITIONS, timeoutMs: 20_000 },
    {
      onCall: async () => ({ ok: false, error: { code: 'TOOL_FAILED', message: 'there are no tools' } }),
      onDiscover: async () => ({ ok: true, value: null }),
    },
    { signal },
  );
  return outcome.resultJson === null ? outcome.error : JSON.parse(outcome.resultJson);
}
