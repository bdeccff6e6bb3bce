import { randomBytes } from 'node:crypto';
import { constants, openSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { RUNTIMES, type Runtime } from '@code-executor/contracts';
import { AppError, type Logger, messageOf } from '@code-executor/platform';
import { bootWithin } from '../boot/boot-within.ts';
import { type BootingSandbox, createBootingSandbox } from '../boot/booting-sandbox.ts';
import { untilGone } from '../boot/until-gone.ts';
import type { FrameCaps } from '../channel/frame-channel.ts';
import type { SandboxAdapter, SandboxSpec } from '../port.ts';
import { layOutRoot, type RootSources } from '../rootfs/lay-out-root.ts';
import { CPU_LIMIT_SECONDS, dataLimitMb, runtimeCommand } from '../rootfs/runtime-command.ts';
import { seccompFilter } from '../seccomp/filter.ts';
import { type ChannelListener, listenForChannels, TOKEN_BYTES } from './channel-listener.ts';
import { degradationsOf } from './degradations.ts';
import { type LauncherProcess, startLauncher } from './launcher-process.ts';
import { superviseLauncher } from './supervise-launcher.ts';

export interface LauncherAdapterOptions extends RootSources {
  /** The program that `buildLauncher` gives. */
  readonly launcherPath: string;
  /** Every snapshot lies below this directory, which must exist while the adapter lives. */
  readonly snapshotsDir: string;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly frameCaps?: FrameCaps | undefined;
  /** How long a sandbox may take to become ready. */
  readonly bootLimitMs?: number | undefined;
}

/** Sandboxes made by our own launcher: one long-running process that this one starts and that does not outlive it. */
export function createLauncherAdapter(options: LauncherAdapterOptions): SandboxAdapter {
  const sandboxes = new Map<string, BootingSandbox>();
  let listener: ChannelListener | null = null;
  let degradations: readonly string[] = [];
  let nextId = 1;

  const launcher = superviseLauncher({
    log: options.log,
    async start() {
      listener ??= await listenForChannels(join(options.runDir, 'channels'));
      const process = await startLauncher(await prepare(options, listener.dir), report);
      degradations = degradationsOf(process.conditions);
      return process;
    },
    onLost(reason) {
      for (const [id, sandbox] of sandboxes) {
        sandboxes.delete(id);
        // The kernel has killed its init, or is about to.
        void untilGone(sandbox.initPid).then(() => sandbox.ended({ exitCode: null, signal: 9 }, `the launcher is gone: ${reason}`));
      }
    },
  });
  const report = (fields: readonly string[], process: LauncherProcess): void => {
    const [what, id = '', ...rest] = fields;
    const sandbox = sandboxes.get(id);
    if (what === 'made') {
      openOutput(process, rest, sandbox);
    } else if (what === 'ended') {
      process.orderSoon('free', id);
      sandboxes.delete(id);
      const [exitCode = '-1', signal = '0', reason = '-'] = rest;
      sandbox?.ended(
        { exitCode: exitCode === '-1' ? null : Number(exitCode), signal: signal === '0' ? null : Number(signal) },
        reason === '-' ? null : `could not ${reason}`,
      );
    }
  };
  const order = async (spec: SandboxSpec, signal: AbortSignal): Promise<BootingSandbox> => {
    const process = await launcher.running();
    if (listener === null) throw new AppError('INTERNAL', 'A launcher runs without a listener for its channels');
    const fields = bootFields(spec, options.snapshotsDir);
    signal.throwIfAborted();
    const id = String(nextId++);
    const token = randomBytes(TOKEN_BYTES / 2).toString('hex');
    const controls = {
      kill: () => process.order('kill', id),
      freeze: () => process.order('freeze', id),
      thaw: () => process.order('thaw', id),
      yield: () => process.order('yield', id),
    };
    const sandbox = createBootingSandbox(id, spec, controls, options.frameCaps);
    sandboxes.set(id, sandbox);
    const { cancel } = listener.expect(token, sandbox.takeChannel);
    void sandbox.booted.then(cancel, cancel);
    process.order('boot', id, token, ...fields);
    return sandbox;
  };

  return {
    name: 'launcher',
    get degradations() {
      return degradations;
    },
    boot: (spec, signal) => bootWithin({ spec, signal, limitMs: options.bootLimitMs }, (bounded) => order(spec, bounded)),
    async close() {
      const pids = [...sandboxes.values()].map((sandbox) => sandbox.initPid);
      await launcher.close();
      await Promise.all(pids.map(untilGone));
      await listener?.close();
    },
  };
}

async function prepare(options: LauncherAdapterOptions, channelDir: string) {
  const rootDir = join(options.runDir, 'root');
  const seccompPath = join(options.runDir, 'seccomp.bpf');
  await mkdir(rootDir, { recursive: true });
  await writeFile(seccompPath, seccompFilter());
  return {
    launcherPath: options.launcherPath,
    layout: await layOutRoot(options),
    runtimes: Object.fromEntries(
      [false, true].flatMap((waits) => RUNTIMES.map((runtime) => [runtimeName(runtime, waits), runtimeCommand(runtime, waits)])),
    ),
    rootDir,
    channelDir,
    snapshotsDir: options.snapshotsDir,
    seccompPath,
  };
}

/** The output's read end is opened through /proc, because Node cannot receive descriptors. */
function openOutput(process: LauncherProcess, [initPid, launcherFd]: readonly string[], sandbox: BootingSandbox | undefined): void {
  try {
    const fd = openSync(`/proc/${process.pid}/fd/${launcherFd}`, constants.O_RDONLY | constants.O_NONBLOCK);
    sandbox?.made(Number(initPid), fd);
  } catch (error) {
    sandbox?.fail(`its output cannot be opened: ${messageOf(error)}`);
  }
}

/** As the launcher knows it: the same program, told whether it has time. */
const runtimeName = (runtime: Runtime, waits = false): string => (waits ? `${runtime}-waiting` : runtime);

function bootFields(spec: SandboxSpec, snapshotsDir: string): (string | number)[] {
  const { limits } = spec;
  return [
    runtimeName(spec.runtime, spec.waits),
    spec.snapshotDir === null ? '-' : snapshotName(spec.snapshotDir, snapshotsDir),
    dataLimitMb(spec.runtime, limits),
    limits.processes,
    limits.openFiles,
    limits.fileSizeMb,
    limits.workspaceMb,
    limits.tmpMb,
    limits.shmMb,
    limits.inodes,
    CPU_LIMIT_SECONDS,
    spec.yields === true ? 'yields' : '-',
  ];
}

function snapshotName(snapshotDir: string, snapshotsDir: string): string {
  const name = relative(snapshotsDir, snapshotDir);
  if (name === '' || name.split('/').includes('..') || name.startsWith('/') || /[\t\n\0]/.test(name)) {
    throw new AppError('SANDBOX_UNAVAILABLE', `The snapshot ${snapshotDir} does not lie below ${snapshotsDir}`);
  }
  return name;
}
