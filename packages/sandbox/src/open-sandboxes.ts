import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger, Open } from '@code-executor/platform';
import { createMemoryWatch } from './memory-watch/create-memory-watch.ts';
import { type AdapterChoice, openSandboxAdapter } from './open-adapter.ts';
import { createSandboxPool, type SandboxPool, type SandboxPoolOptions } from './pool/sandbox-pool.ts';
import { withSpares } from './pool/spares.ts';
import type { Sandbox, SandboxAdapter, SandboxLimits } from './port.ts';
import { type Program, type ProgramHooks, type ProgramOutcome, runProgram } from './program/run-program.ts';

export interface SandboxesOptions {
  readonly adapter: AdapterChoice['adapter'];
  readonly dataDir: string;
  /** Warm sandboxes by runtime. */
  readonly targets: SandboxPoolOptions['targets'];
  readonly limits: SandboxLimits;
  readonly pythonPackagesDir?: string | undefined;
  readonly containers?: AdapterChoice['containers'];
  /** Of the wrappers that warm sandboxes see at first; asked when the pool begins to boot them. */
  readonly snapshotDir?: (() => Promise<string>) | undefined;
  /** Whether these are the newest wrappers of another workspace; absent: there is no other. */
  readonly isNewestOfAnother?: ((snapshotDir: string) => boolean) | undefined;
  readonly log: Logger;
}

export interface Sandboxes {
  readonly adapter: SandboxAdapter;
  readonly pool: SandboxPool;
  /** Runs a program in a claimed sandbox, its memory watched. */
  run(sandbox: Sandbox, program: Program, hooks: ProgramHooks, signal: AbortSignal): Promise<ProgramOutcome>;
}

/** Where wrapper snapshots lie in a data directory. Made where it is missing. */
export async function makeSnapshotsDir(dataDir: string): Promise<string> {
  const snapshotsDir = join(dataDir, 'snapshots');
  await mkdir(snapshotsDir, { recursive: true, mode: 0o700 });
  return snapshotsDir;
}

/** Everything that makes, keeps warm and watches sandboxes, opened in order. Throws SANDBOX_UNAVAILABLE where none can be made. */
export async function openSandboxes(options: SandboxesOptions, open: Open): Promise<Sandboxes> {
  const {
    isNewestOfAnother: isNewest = () => false,
    adapter: choice,
    dataDir,
    pythonPackagesDir,
    containers,
    targets,
    limits,
    snapshotDir,
    log,
  } = options;
  const snapshotsDir = await makeSnapshotsDir(dataDir);
  const adapter = await openSandboxAdapter({ adapter: choice, dataDir, snapshotsDir, pythonPackagesDir, containers, log });
  open('sandboxes', adapter, (part) => part.close());
  const firstSnapshot = (await snapshotDir?.()) ?? null;
  const homePool = createSandboxPool({ adapter, targets, limits, snapshotDir: firstSnapshot, log });
  const pool = open('pool', withSpares(homePool, { adapter, limits, isNewest, log }), (part) => part.close());
  const memoryWatch = open('memory watch', createMemoryWatch({}), (part) => part.close());
  return { adapter, pool, run: (sandbox, program, hooks, signal) => runProgram(sandbox, program, hooks, { memoryWatch, signal }) };
}
