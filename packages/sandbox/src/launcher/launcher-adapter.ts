import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RUNTIMES } from '@code-executor/contracts';
import { AppError, type Logger, messageOf } from '@code-executor/platform';
import type { FrameCaps } from '../channel/frame-channel.ts';
import type { Sandbox, SandboxAdapter, SandboxSpec } from '../port.ts';
import { layOutRoot, type RootSources } from '../rootfs/lay-out-root.ts';
import { CPU_LIMIT_SECONDS, dataLimitMb, runtimeCommand } from '../rootfs/runtime-command.ts';
import { seccompFilter } from '../seccomp/filter.ts';
import { type ChannelListener, listenForChannels, TOKEN_BYTES } from './channel-listener.ts';
import { createLaunchedSandbox, type LaunchedSandbox } from './launched-sandbox.ts';
import { type LauncherProcess, startLauncher } from './launcher-process.ts';

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

/** Sandboxes made by our own launcher: one long-running process that this one starts, feeds and outlives it by nothing. */
export function createLauncherAdapter(options: LauncherAdapterOptions): SandboxAdapter {
  const bootLimitMs = options.bootLimitMs ?? 10_000;
  const sandboxes = new Map<string, LaunchedSandbox & { initPid: number }>();
  let listener: Promise<ChannelListener> | null = null;
  let launcher: Promise<LauncherProcess> | null = null;
  let restart: { readonly reason: string; readonly timer: NodeJS.Timeout } | null = null;
  let backOffMs = BACK_OFF_FIRST_MS;
  let nextId = 1;
  let closed = false;

  const report = (fields: readonly string[]): void => {
    const [what, id = '', ...rest] = fields;
    const sandbox = sandboxes.get(id);
    if (sandbox === undefined) return;
    if (what === 'made') {
      sandbox.initPid = Number(rest[0]);
      sandbox.made(sandbox.initPid, Number(rest[1]));
    } else if (what === 'ended') {
      sandboxes.delete(id);
      const [exitCode = '-1', signal = '0', reason = '-'] = rest;
      sandbox.ended(
        { exitCode: exitCode === '-1' ? null : Number(exitCode), signal: signal === '0' ? null : Number(signal) },
        reason === '-' ? null : `could not ${reason}`,
      );
    }
  };

  const running = (): Promise<LauncherProcess> => {
    if (closed) throw new AppError('SANDBOX_UNAVAILABLE', 'The sandbox launcher is closed');
    if (restart !== null) throw new AppError('SANDBOX_UNAVAILABLE', `The sandbox launcher is being restarted: ${restart.reason}`);
    launcher ??= start();
    return launcher;
  };
  const start = async (): Promise<LauncherProcess> => {
    const startedAt = performance.now();
    try {
      listener ??= listenForChannels(join(options.runDir, 'channels'));
      const process = await startLauncher(await prepare(options, await listener), report);
      options.log.info({ pid: process.pid }, 'sandbox launcher is ready');
      void process.gone.then((reason) => {
        if (performance.now() - startedAt > BACK_OFF_LAST_MS) backOffMs = BACK_OFF_FIRST_MS;
        lost(reason);
      });
      return process;
    } catch (error) {
      lost(messageOf(error));
      throw error;
    }
  };
  const lost = (reason: string): void => {
    launcher = null;
    for (const [id, sandbox] of sandboxes) {
      sandboxes.delete(id);
      // The kernel has killed its init, or is about to.
      void untilGone(sandbox.initPid).then(() => sandbox.ended({ exitCode: null, signal: 9 }, `the launcher is gone: ${reason}`));
    }
    if (closed) return;
    options.log.warn({ reason, restartInMs: backOffMs }, 'sandbox launcher is gone');
    const again = (): void => {
      restart = null;
      running().catch(() => undefined); // `lost` has logged it and set the next attempt.
    };
    restart = { reason, timer: setTimeout(again, backOffMs).unref() };
    backOffMs = Math.min(backOffMs * 2, BACK_OFF_LAST_MS);
  };

  const boot = async (spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> => {
    const process = await orAborted(running(), signal);
    const channels = await (listener ?? Promise.reject(new Error('no listener')));
    const id = String(nextId++);
    const token = randomBytes(TOKEN_BYTES / 2).toString('hex');
    const sandbox = Object.assign(createLaunchedSandbox(id, spec, process, options.frameCaps), { initPid: 0 });
    sandboxes.set(id, sandbox);
    const expected = channels.expect(token, sandbox.takeChannel);
    try {
      process.order('boot', id, token, ...bootFields(spec, options.snapshotsDir));
      return await orAborted(sandbox.booted, signal);
    } catch (error) {
      sandbox.kill();
      throw error;
    } finally {
      expected.cancel();
    }
  };

  return {
    name: 'launcher',
    degradations: [],
    async boot(spec, signal) {
      const deadline = new AbortController();
      const timer = setTimeout(() => deadline.abort(new Error(`it was not ready in ${bootLimitMs} ms`)), bootLimitMs);
      try {
        return await boot(spec, signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]));
      } catch (error) {
        if (error instanceof AppError) throw error;
        throw new AppError('SANDBOX_UNAVAILABLE', `A ${spec.runtime} sandbox did not boot: ${messageOf(error)}`, { cause: error });
      } finally {
        clearTimeout(timer);
      }
    },
    async close() {
      closed = true;
      if (restart !== null) clearTimeout(restart.timer);
      const pids = [...sandboxes.values()].map((sandbox) => sandbox.initPid);
      const process = await launcher?.catch(() => null);
      process?.stop();
      await process?.gone;
      await Promise.all(pids.map(untilGone));
      await (await listener?.catch(() => null))?.close();
    },
  };
}

const BACK_OFF_FIRST_MS = 250;
const BACK_OFF_LAST_MS = 10_000;
const GONE_LIMIT_MS = 5000;

async function prepare(options: LauncherAdapterOptions, listener: ChannelListener) {
  const rootDir = join(options.runDir, 'root');
  const seccompPath = join(options.runDir, 'seccomp.bpf');
  const architecture = process.arch;
  if (architecture !== 'x64' && architecture !== 'arm64')
    throw new AppError('SANDBOX_UNAVAILABLE', `No seccomp filter for ${architecture}`);
  await mkdir(rootDir, { recursive: true });
  await writeFile(seccompPath, seccompFilter(architecture));
  return {
    launcherPath: options.launcherPath,
    layout: await layOutRoot(options),
    runtimes: Object.fromEntries(RUNTIMES.map((runtime) => [runtime, runtimeCommand(runtime)])),
    rootDir,
    channelDir: listener.dir,
    snapshotsDir: options.snapshotsDir,
    seccompPath,
  };
}

function bootFields(spec: SandboxSpec, snapshotsDir: string): (string | number)[] {
  const { limits } = spec;
  return [
    spec.runtime,
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
  ];
}

function snapshotName(snapshotDir: string, snapshotsDir: string): string {
  const name = relative(snapshotsDir, snapshotDir);
  if (name === '' || name.startsWith('..') || name.startsWith('/') || /[\t\n\0]/.test(name)) {
    throw new AppError('SANDBOX_UNAVAILABLE', `The snapshot ${snapshotDir} does not lie below ${snapshotsDir}`);
  }
  return name;
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Waits for a process that is not this one's child to be gone. */
async function untilGone(pid: number): Promise<void> {
  if (pid === 0) return;
  const end = performance.now() + GONE_LIMIT_MS;
  while (performance.now() < end) {
    try {
      process.kill(pid, 0);
    } catch {
      return; // ESRCH: it is gone.
    }
    await sleep(2);
  }
}
