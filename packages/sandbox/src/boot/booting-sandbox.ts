import { closeSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import type { FrameCaps, FrameChannel } from '../channel/frame-channel.ts';
import { createFrameSocket } from '../channel/frame-socket.ts';
import type { Sandbox, SandboxEnd, SandboxSpec } from '../port.ts';
import { type HeldWorkspace, openWorkspace } from '../workspace/open-workspace.ts';

/** What an adapter can do to one sandbox. None is called after it has ended. */
export interface SandboxControls {
  kill(): void;
  freeze(): void;
  thaw(): void;
  /** Gives the processor to the service and to short programs first. */
  yield(): void;
}

/** One sandbox from the order to boot it to its end, as its adapter learns of it. */
export interface BootingSandbox {
  readonly id: string;
  /** Pid of its init; 0 while it is not known. */
  readonly initPid: number;
  /** Resolves with the sandbox when READY has come, rejects with the reason when it never will. */
  readonly booted: Promise<Sandbox>;
  takeChannel(socket: Socket): void;
  /** `initPid` null: its processes have no pids here. */
  made(initPid: number | null, outputFd: number): void;
  /** Only when no process of it is left. */
  ended(end: SandboxEnd, reason: string | null): void;
  /** Gives up: `booted` rejects with this when the sandbox has ended. */
  fail(reason: string): void;
  kill(): void;
}

export function createBootingSandbox(
  id: string,
  spec: SandboxSpec,
  controls: SandboxControls,
  frameCaps: FrameCaps | undefined,
  /** What an adapter that bounds memory itself can tell. */
  told: Pick<Sandbox, 'outOfMemory' | 'isEnding'> = {},
): BootingSandbox {
  let channel: FrameChannel | null = null;
  let output: Socket | null = null;
  let workspace: HeldWorkspace | null = null;
  let workspaceTaken = false;
  let initPid: number | null = 0;
  let outputFd = -1;
  let lostBecause = '';
  let ready = false;
  let over = false;
  let yieldTimer: NodeJS.Timeout | undefined;
  const boot = Promise.withResolvers<Sandbox>();
  const end = Promise.withResolvers<SandboxEnd>();
  // Whoever boots may have given up waiting already.
  boot.promise.catch(() => undefined);

  const unlessOver = (act: () => void) => (): void => {
    if (!over) act();
  };
  const kill = unlessOver(controls.kill);
  const freeze = unlessOver(controls.freeze);
  const thaw = unlessOver(controls.thaw);
  const fail = (reason: string): void => {
    lostBecause = reason;
    kill();
  };
  const settle = (): void => {
    if (!ready || channel === null || output === null) return;
    workspace = initPid === null ? null : openWorkspace(initPid);
    boot.resolve({ id, spec, channel, output, initPid, ended: end.promise, takeWorkspace, kill, freeze, thaw, ...told });
  };
  const takeWorkspace = (): HeldWorkspace | null => {
    workspaceTaken = true;
    return over ? null : workspace;
  };

  return {
    id,
    get initPid() {
      return initPid ?? 0;
    },
    booted: boot.promise,
    fail,
    kill,
    takeChannel(socket) {
      channel = createFrameSocket(socket, {
        caps: frameCaps,
        onReady: () => {
          ready = true;
          settle();
        },
        onLost: (reason) => {
          lostBecause = reason;
          // A runtime that is ending says more by the way it ends.
          setTimeout(kill, LAST_WORDS_MS).unref();
        },
        onRun: () => {
          yieldTimer = setTimeout(unlessOver(controls.yield), YIELD_AFTER_MS).unref();
        },
      });
    },
    made(pid, fd) {
      initPid = pid;
      outputFd = fd;
      try {
        output = readPipe(fd);
      } catch (error) {
        fail(`its output cannot be read: ${error instanceof Error ? error.message : String(error)}`);
        return;
      }
      settle();
    },
    ended(how, reason) {
      if (over) return;
      over = true;
      clearTimeout(yieldTimer);
      if (!ready) {
        boot.reject(new Error(bootFailure(how, reason ?? lostBecause, output === null ? '' : printedSoFar(output, outputFd))));
        channel?.close();
      }
      // Nobody will read what a sandbox wrote that was never handed to a program.
      if (output !== null && output.readableFlowing === null && output.listenerCount('readable') === 0) output.destroy();
      if (!workspaceTaken) workspace?.release();
      end.resolve(how);
    },
  };
}

/** A program that still runs then is no longer short. */
const YIELD_AFTER_MS = 100;
const LAST_WORDS_MS = 100;
const PRINTED_SHOWN = 500;

/** The read end of the sandbox's output: a pipe, not a socket, since programs may open /dev/stdout again. */
function readPipe(fd: number): Socket {
  try {
    const socket = new Socket({ fd, readable: true, writable: false });
    // A read error leaves nothing more to read, which is all that readers need to know.
    socket.on('error', () => socket.destroy());
    return socket;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function bootFailure(end: SandboxEnd, reason: string, printed: string): string {
  const how = end.signal === null ? `the runtime ended with code ${end.exitCode}` : `it was ended by signal ${end.signal}`;
  return [reason, how, printed].filter((part) => part !== '').join('; ');
}

function printedSoFar(output: Socket, fd: number): string {
  const buffered: unknown = output.read();
  if (Buffer.isBuffer(buffered)) return buffered.toString('utf8', 0, PRINTED_SHOWN).trim();
  if (output.destroyed) return '';
  const bytes = Buffer.alloc(PRINTED_SHOWN);
  try {
    return bytes.toString('utf8', 0, readSync(fd, bytes)).trim();
  } catch {
    return ''; // EAGAIN: nothing was printed.
  }
}
