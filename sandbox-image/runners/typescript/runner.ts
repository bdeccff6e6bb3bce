/**
 * Runs one TypeScript program on Bun, in /workspace, with the channel as descriptor 3.
 *
 * Boots with nothing but node:fs and node:path: every further import adds to the time a sandbox needs to become ready. The
 * program is awaited with a blocking read, and the socket is handed to the event loop at the first tool call only. Bun opens
 * nothing of its own to children (`close_range` before exec), so descriptor 3 does not reach them.
 */
import { readSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createDescriptorWriter } from './descriptor-writer.ts';
import { executeProgram } from './execute-program.ts';
import { warmUpWorld } from './journaled-world.ts';
import { prepareGlobals } from './program-globals.ts';
import { replaceStreams } from './program-streams.ts';
import { serializeResult } from './serialize-result.ts';
import {
  FRAME,
  frameLength,
  joined,
  jsonFrame,
  parseRun,
  type Run,
  readGo,
  readRun,
  type Transport,
  warmUpChannel,
} from './tool-channel.ts';

interface BunSocket {
  ref(): void;
  unref(): void;
  readonly fd: number;
}
interface SocketHandlers {
  open(socket: BunSocket): void;
  data(socket: BunSocket, bytes: Uint8Array): void;
  close(): void;
  error(): void;
}
declare const Bun: {
  connect(options: ({ readonly fd: number } | { readonly unix: string }) & { socket: SocketHandlers }): Promise<BunSocket>;
};

const CHANNEL = 3;
// Another directory is named by tests alone, which run without a sandbox.
const workspace = process.env.RUNNER_WORKSPACE ?? '/workspace';
const write = createDescriptorWriter(CHANNEL);
const readBytes = readSync;
const readChannel = (buffer: Uint8Array, offset: number): number => readBytes(CHANNEL, buffer, offset, buffer.length - offset, null);

const hasTime = process.env.RUNNER_WARM_UP === '1';
delete process.env.RUNNER_WARM_UP;
if (hasTime) void warmUp().then(serve);
else serve();

/** Does once, while nobody waits, what the first program would wait for: Bun starts its transpiler's threads, code is compiled. */
async function warmUp(): Promise<void> {
  writeFileSync(`${workspace}/main.ts`, '');
  await import(join(dirname(process.argv[1] ?? ''), 'warm-up.ts'));
  serializeResult({ warm: [1, 'up'] }, 1_000);
  warmUpWorld();
  prepareGlobals();
  await warmUpChannel();
}

function serve(): void {
  write(jsonFrame(FRAME.READY, {}));
  const run = readRun(readChannel);
  if (run === null) return;
  start(run, bunTransport());
}

function start(run: Run, transport: Transport): void {
  // Bun makes its own streams, for 8 ms, in order to have them replaced; few programs name them.
  if (/std(?:out|err)/.test(run.code) || Object.values(run.files).some((text) => /std(?:out|err)/.test(text))) replaceStreams();
  executeProgram(run, workspace, transport);
}

function bunTransport(): Transport {
  let socket: BunSocket | undefined;
  let held = false;
  const connect = Bun.connect;
  return {
    write,
    open: (onBytes, onClose) => {
      void connect({
        fd: CHANNEL,
        socket: {
          open: (opened) => {
            socket = opened;
            if (!held) opened.unref();
          },
          data: (_, bytes) => onBytes(bytes),
          close: onClose,
          error: onClose,
        },
      });
    },
    waitForGo: () => readGo(readChannel),
    hold: () => {
      held = true;
      socket?.ref();
    },
    release: () => {
      held = false;
      socket?.unref();
    },
    next: (path) => waitForNext(CHANNEL, path),
  };
}

const clock = new Int32Array(new SharedArrayBuffer(4));
const { wait } = Atomics;
const { reallyExit } = process as unknown as { reallyExit(code: number): void };

/** Nothing of a session runs between two of its programs: this blocks, and the service stops the process. */
function waitForNext(channel: number, path: string): void {
  const ignored = new Uint8Array(65_536);
  for (;;) {
    try {
      if (readBytes(channel, ignored, 0, ignored.length, null) === 0) break;
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === 'EAGAIN') wait(clock, 0, 0, 1);
      else if (code !== 'EINTR') break;
    }
  }
  serveNext(path);
}

/** A module is run once; the next program and the files that come with it are to be read anew. One that threw is not listed. */
function forgetModules({ files }: Run): void {
  for (const path of ['main.ts', ...Object.keys(files)]) delete require.cache[`${workspace}/${path}`];
}

/** The same as `serve` by a socket that the service has put into the workspace. It is the event loop that waits here. */
function serveNext(path: string): void {
  let unread: Uint8Array = new Uint8Array(0);
  let started = false;
  let onBytes = (bytes: Uint8Array): void => {
    unread = joined(unread, bytes);
  };
  let onClose = (): void => undefined;
  const begin = (socket: BunSocket): void => {
    if (started || unread.length < 5 || unread.length < 5 + frameLength(unread)) return;
    started = true;
    const run = parseRun(unread.subarray(5, 5 + frameLength(unread)));
    forgetModules(run);
    socket.unref();
    start(run, {
      write: createDescriptorWriter(socket.fd),
      open: (receive, close) => {
        onBytes = receive;
        onClose = close;
      },
      // A session's program is never sent ahead.
      waitForGo: () => true,
      hold: () => socket.ref(),
      release: () => socket.unref(),
      next: (following) => waitForNext(socket.fd, following),
    });
  };
  const lost = (): void => (started ? onClose() : reallyExit(1));
  void Bun.connect({
    unix: path,
    socket: {
      open: (socket) => createDescriptorWriter(socket.fd)(jsonFrame(FRAME.READY, {})),
      data: (socket, bytes) => {
        onBytes(bytes);
        begin(socket);
      },
      close: lost,
      error: lost,
    },
  });
}
