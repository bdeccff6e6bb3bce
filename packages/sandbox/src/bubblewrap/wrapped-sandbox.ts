import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { messageOf } from '@code-executor/platform';
import { type BootingSandbox, createBootingSandbox } from '../boot/booting-sandbox.ts';
import { untilGone } from '../boot/until-gone.ts';
import type { FrameCaps } from '../channel/frame-channel.ts';
import type { SandboxEnd, SandboxSpec } from '../port.ts';
import type { RootLayout } from '../rootfs/lay-out-root.ts';
import { bubblewrapArguments, CHANNEL_FD, INFO_FD } from './bubblewrap-command.ts';
import type { OutputPipe } from './output-pipes.ts';
import { descendants, signalTree } from './process-tree.ts';

interface WrapOptions {
  readonly id: string;
  readonly spec: SandboxSpec;
  readonly layout: RootLayout;
  readonly pipe: OutputPipe;
  readonly seccompPath: string;
  readonly bubblewrapPath: string;
  readonly frameCaps: FrameCaps | undefined;
}

/** One bwrap process and the sandbox below it. `gone` resolves when no process of it is left. */
export type WrappedSandbox = BootingSandbox & { readonly gone: Promise<void> };

/** Takes over `pipe`. Never throws: what goes wrong ends the sandbox. */
export function wrapSandbox(options: WrapOptions): WrappedSandbox {
  const { id, spec, pipe } = options;
  const child = start(options);
  let killWanted = false;
  const sandbox = createBootingSandbox(
    id,
    spec,
    {
      kill() {
        killWanted = true;
        // Never bwrap itself: it would leave an init that waits for it for good. It ends when its init has.
        if (sandbox.initPid !== 0) killPid(sandbox.initPid);
        else setTimeout(() => child.kill('SIGKILL'), SET_UP_LIMIT_MS).unref();
      },
      freeze: () => signalTree(sandbox.initPid, 'SIGSTOP'),
      thaw: () => signalTree(sandbox.initPid, 'SIGCONT'),
      yield: () => undefined,
    },
    options.frameCaps,
  );

  const pipes: readonly unknown[] = child.stdio;
  const channel = pipes[CHANNEL_FD];
  if (channel instanceof Socket) sandbox.takeChannel(channel);
  const info = pipes[INFO_FD];
  if (info instanceof Socket) {
    whenInitIsKnown(info, (initPid) => {
      sandbox.made(initPid, pipe.readFd);
      if (killWanted) killPid(initPid);
      offerToMemoryKiller(initPid);
    });
  }

  const gone = Promise.withResolvers<void>();
  const end = async (how: SandboxEnd, reason: string | null): Promise<void> => {
    if (sandbox.initPid === 0) closeSync(pipe.readFd);
    else await untilGone(sandbox.initPid);
    sandbox.ended(how, reason);
    pipe.release();
    gone.resolve();
  };
  child.on('error', (error) => {
    if (child.pid === undefined) void end({ exitCode: null, signal: null }, `bwrap did not start: ${messageOf(error)}`);
  });
  child.on('exit', (code, signal) => void end(endOf(code, signal), null));
  return Object.assign(sandbox, { gone: gone.promise });
}

function start({ spec, layout, pipe, seccompPath, bubblewrapPath }: WrapOptions): ChildProcess {
  // A fresh descriptor each time: bwrap reads to the end, and copies of a descriptor share their offset.
  const seccomp = openSync(seccompPath, 'r');
  try {
    return spawn(bubblewrapPath, bubblewrapArguments(spec, layout), {
      stdio: ['ignore', pipe.writeFd, pipe.writeFd, 'pipe', seccomp, 'pipe'],
      // Init keeps this environment, and programs can read it there.
      env: { PATH: process.env.PATH ?? '/usr/bin' },
      cwd: '/',
    });
  } finally {
    closeSync(seccomp);
    closeSync(pipe.writeFd);
  }
}

/** bwrap writes `{"child-pid": …}` once init is there, and other documents later. */
function whenInitIsKnown(info: Socket, take: (initPid: number) => void): void {
  let text = '';
  let known = false;
  info.on('error', () => info.destroy());
  info.on('data', (chunk: Buffer) => {
    text = (text + chunk.toString('utf8')).slice(0, INFO_KEPT);
    const pid = /"child-pid"\s*:\s*(\d+)/.exec(text)?.[1];
    if (known || pid === undefined) return;
    known = true;
    take(Number(pid));
  });
}

const INFO_KEPT = 4096;
/** bwrap names its init within milliseconds; one that has not is stuck before it made anything. */
const SET_UP_LIMIT_MS = 2000;

/** Where memory runs out, sandboxes go before the service. */
function offerToMemoryKiller(initPid: number): void {
  for (const pid of [initPid, ...descendants(initPid)]) {
    try {
      writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
    } catch {
      // It ended meanwhile.
    }
  }
}

function endOf(code: number | null, signal: NodeJS.Signals | null): SandboxEnd {
  if (signal !== null) return { exitCode: null, signal: constants.signals[signal] };
  return code !== null && code > SIGNALLED ? { exitCode: null, signal: code - SIGNALLED } : { exitCode: code, signal: null };
}

/** What shells, and bwrap, add to the number of the signal that ended their child. */
const SIGNALLED = 128;

function killPid(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: it ended by itself.
  }
}
