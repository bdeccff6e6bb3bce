import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, type Logger, messageOf } from '@code-executor/platform';
import { createBubblewrapAdapter } from './bubblewrap/bubblewrap-adapter.ts';
import { createContainerAdapter } from './container/container-adapter.ts';
import { buildLauncher } from './launcher/build-launcher.ts';
import { createLauncherAdapter } from './launcher/launcher-adapter.ts';
import { DEFAULT_LIMITS, type SandboxAdapter } from './port.ts';
import { findOrBuildRunners } from './program/build-runners.ts';
import { runtimePaths } from './rootfs/runtime-paths.ts';

const RUNNERS_SOURCE_DIR = join(import.meta.dirname, '../../../sandbox-image/runners');

export interface AdapterChoice {
  /** `auto` takes the first that really boots a sandbox here. */
  readonly adapter: 'auto' | SandboxAdapter['name'];
  /** Holds `build/` (the launcher, kept between starts; nothing where the image has it) and `run/` (sockets, emptied by who opens it). */
  readonly dataDir: string;
  readonly snapshotsDir: string;
  readonly pythonPackagesDir?: string | undefined;
  /** The service that makes single-use containers, where there is one. */
  readonly containers?: { readonly socketPath: string; readonly key: string } | undefined;
  readonly log: Logger;
}

/**
 * The adapter this host can use, proven by one sandbox that booted. Throws SANDBOX_UNAVAILABLE with the reason of each that
 * was tried; there is no unisolated fallback.
 */
export async function openSandboxAdapter(choice: AdapterChoice): Promise<SandboxAdapter> {
  if (process.getuid?.() === 0)
    throw new AppError('SANDBOX_UNAVAILABLE', 'Sandboxes are not made by root; start the service as another user');
  const reasons: string[] = [];
  for (const name of choice.adapter === 'auto' ? candidates(choice) : [choice.adapter]) {
    let adapter: SandboxAdapter | null = null;
    try {
      adapter = await create(name, choice);
      await prove(adapter);
      for (const degradation of adapter.degradations)
        choice.log.warn({ adapter: name, degradation }, `sandboxes are degraded here: ${degradation}`);
      return adapter;
    } catch (error) {
      await adapter?.close();
      reasons.push(`${name}: ${messageOf(error)}`);
      choice.log.warn({ adapter: name, err: error }, `the ${name} adapter does not work on this host: ${messageOf(error)}`);
    }
  }
  throw new AppError('SANDBOX_UNAVAILABLE', `No sandbox can be made on this host; ./deploy.sh doctor says why.\n  ${reasons.join('\n  ')}`);
}

/** Quickest first. */
const candidates = ({ containers }: AdapterChoice): readonly SandboxAdapter['name'][] =>
  containers === undefined ? ['launcher', 'bubblewrap'] : ['launcher', 'bubblewrap', 'container'];

async function create(name: SandboxAdapter['name'], choice: AdapterChoice): Promise<SandboxAdapter> {
  if (name === 'container') return createContainers(choice);
  const runDir = join(choice.dataDir, 'run', name);
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  const { snapshotsDir, pythonPackagesDir, log } = choice;
  const runtimes = runtimePaths();
  const outDir = join(choice.dataDir, 'build', 'runners');
  const runnersDir = await findOrBuildRunners({ sourceDir: RUNNERS_SOURCE_DIR, outDir, bunPath: runtimes.typescript });
  const sources = { runDir, runtimes, runnersDir, pythonPackagesDir, snapshotsDir, log };
  if (name === 'bubblewrap') return createBubblewrapAdapter(sources);
  return createLauncherAdapter({ ...sources, launcherPath: await buildLauncher({ outDir: join(choice.dataDir, 'build') }) });
}

function createContainers({ containers, pythonPackagesDir }: AdapterChoice): SandboxAdapter {
  if (containers === undefined) {
    const message = 'no service that makes containers is known: EXECUTOR_CONTAINER_SOCKET and EXECUTOR_CONTAINER_KEY name it';
    throw new AppError('SANDBOX_UNAVAILABLE', message);
  }
  if (pythonPackagesDir !== undefined) {
    const message = 'containers see nothing of EXECUTOR_PYTHON_PACKAGES_DIR: put the packages into the sandbox image, and unset it';
    throw new AppError('SANDBOX_UNAVAILABLE', message);
  }
  return createContainerAdapter(containers);
}

async function prove(adapter: SandboxAdapter): Promise<void> {
  const sandbox = await adapter.boot({ runtime: 'typescript', snapshotDir: null, limits: DEFAULT_LIMITS });
  sandbox.channel.close();
  sandbox.kill();
  await sandbox.ended;
}
