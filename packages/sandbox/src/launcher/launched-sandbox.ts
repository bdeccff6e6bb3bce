import { closeSync, constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import type { FrameCaps, FrameChannel } from '../channel/frame-channel.ts';
import { createFrameSocket } from '../channel/frame-socket.ts';
import type { Sandbox, SandboxEnd, SandboxSpec } from '../port.ts';
import type { LauncherProcess } from './launcher-process.ts';

/** One sandbox as the launcher reports on it, from the order to boot it to its end. */
export interface LaunchedSandbox {
  /** Resolves with the sandbox when its READY frame has come, rejects with the reason when it never will. */
  readonly booted: Promise<Sandbox>;
  takeChannel(socket: Socket): void;
  made(initPid: number, outputFd: number): void;
  ended(end: SandboxEnd, reason: string | null): void;
  kill(): void;
}

export function createLaunchedSandbox(
  id: string,
  spec: SandboxSpec,
  launcher: LauncherProcess,
  caps: FrameCaps | undefined,
): LaunchedSandbox {
  let channel: FrameChannel | null = null;
  let output: Socket | null = null;
  let initPid = 0;
  let outputFd = -1;
  let lostBecause = '';
  let ready = false;
  let over = false;
  let yieldTimer: NodeJS.Timeout | undefined;
  const boot = Promise.withResolvers<Sandbox>();
  const end = Promise.withResolvers<SandboxEnd>();
  // Whoever boots may have given up waiting already.
  boot.promise.catch(() => undefined);

  const order = (name: string): void => {
    if (!over) launcher.order(name, id);
  };
  const kill = (): void => order('kill');
  /** The boot fails when the sandbox has ended: only then is it known how the runtime ended and what it printed. */
  const fail = (reason: string): void => {
    lostBecause = reason;
    kill();
  };
  const settle = (): void => {
    if (!ready || channel === null || output === null) return;
    boot.resolve({
      id,
      spec,
      channel,
      output,
      initPid,
      ended: end.promise,
      kill,
      freeze: () => order('freeze'),
      thaw: () => order('thaw'),
    });
  };

  return {
    booted: boot.promise,
    kill,
    takeChannel(socket) {
      channel = createFrameSocket(socket, {
        caps,
        onReady: () => {
          ready = true;
          // The frame socket may find READY in its first bytes, before it is assigned above.
          queueMicrotask(settle);
        },
        onLost: fail,
        onRun: () => {
          // Programs that run for long give way to the service and to short ones; the others are left alone.
          yieldTimer = setTimeout(() => order('yield'), YIELD_AFTER_MS).unref();
        },
      });
    },
    made(pid, launcherFd) {
      initPid = pid;
      try {
        outputFd = openSync(`/proc/${launcher.pid}/fd/${launcherFd}`, constants.O_RDONLY | constants.O_NONBLOCK);
        output = readPipe(outputFd);
      } catch (error) {
        fail(`its output cannot be opened: ${error instanceof Error ? error.message : String(error)}`);
        return;
      }
      settle();
    },
    ended(how, reason) {
      if (over) return;
      launcher.order('free', id);
      over = true;
      clearTimeout(yieldTimer);
      if (!ready) {
        boot.reject(new Error(bootFailure(how, reason ?? lostBecause, output === null ? '' : printedSoFar(outputFd))));
        channel?.close();
      }
      // Nobody will read what a sandbox wrote that was never handed to a program.
      if (output !== null && output.readableFlowing === null && output.listenerCount('readable') === 0) output.destroy();
      end.resolve(how);
    },
  };
}

const YIELD_AFTER_MS = 100;

const PRINTED_SHOWN = 500;

/**
 * The read end of the sandbox's output: a pipe, not a socket, since programs may open /dev/stdout again. It is opened through
 * /proc because Node cannot receive descriptors.
 */
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

function printedSoFar(fd: number): string {
  const bytes = Buffer.alloc(PRINTED_SHOWN);
  try {
    return bytes.toString('utf8', 0, readSync(fd, bytes)).trim();
  } catch {
    return ''; // EAGAIN: nothing was printed.
  }
}
