/**
 * Runs one TypeScript program on Bun, in /workspace, with the channel as descriptor 3.
 *
 * Boots with nothing but node:fs and node:path: every further import adds to the time a sandbox needs to become ready. The
 * program is awaited with a blocking read, and the socket is handed to the event loop at the first tool call only. Bun opens
 * nothing of its own to children (`close_range` before exec), so descriptor 3 does not reach them.
 */
import { readSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createDescriptorWriter } from './descriptor-writer.ts';
import { executeProgram } from './execute-program.ts';
import { replaceStreams } from './program-streams.ts';
import { serializeResult } from './serialize-result.ts';
import { createToolChannel, FRAME, jsonFrame, readRun, type Transport } from './tool-channel.ts';

interface BunSocket {
  ref(): void;
  unref(): void;
  write(bytes: Uint8Array): number;
}
type Endpoint = { readonly fd: number } | { readonly unix: string };
interface SocketHandlers {
  open(socket: BunSocket): void;
  data(socket: BunSocket, bytes: Uint8Array): void;
  close(): void;
  error(): void;
}
declare const Bun: {
  connect(options: Endpoint & { socket: SocketHandlers }): Promise<BunSocket>;
  listen(options: { unix: string; socket: Partial<SocketHandlers> }): { stop(closeConnections: boolean): void };
};

const CHANNEL = 3;
// Another directory is named by tests alone, which run without a sandbox.
const workspace = process.env.RUNNER_WORKSPACE ?? '/workspace';
const write = createDescriptorWriter(CHANNEL);

const hasTime = process.env.RUNNER_WARM_UP === '1';
delete process.env.RUNNER_WARM_UP;
if (hasTime) void warmUp().then(serve);
else serve();

/** Does once, while nobody waits, what the first program would wait for: Bun starts its transpiler's threads, code is compiled. */
async function warmUp(): Promise<void> {
  writeFileSync(`${workspace}/main.ts`, '');
  await import(join(dirname(process.argv[1] ?? ''), 'warm-up.ts'));
  serializeResult({ warm: [1, 'up'] }, 1_000);
  await callOnce();
}

/** A tool call to a socket of its own, which answers unasked: the first call of a process costs 0.7 ms more than those after it. */
async function callOnce(): Promise<void> {
  const path = `${workspace}/warm-up.sock`;
  const answer = jsonFrame(FRAME.REPLY, { id: 1, ok: true, value: null });
  const server = Bun.listen({ unix: path, socket: { open: (socket) => void socket.write(answer), data: ignore } });
  try {
    await createToolChannel({ ...bunTransport({ unix: path }), write: ignore }).call('warm.up');
  } finally {
    server.stop(true);
    rmSync(path, { force: true });
  }
}

const ignore = (): void => undefined;

function serve(): void {
  write(jsonFrame(FRAME.READY, {}));
  const run = readRun((buffer, offset) => readSync(CHANNEL, buffer, offset, buffer.length - offset, null));
  if (run === null) return;
  // Bun makes its own streams, for 8 ms, in order to have them replaced; few programs name them.
  if (/std(?:out|err)/.test(run.code) || Object.values(run.files).some((text) => /std(?:out|err)/.test(text))) replaceStreams();
  executeProgram(run, workspace, bunTransport({ fd: CHANNEL }));
}

function bunTransport(endpoint: Endpoint): Transport {
  let socket: BunSocket | undefined;
  let held = false;
  const connect = Bun.connect;
  return {
    write,
    open: (onBytes, onClose) => {
      void connect({
        ...endpoint,
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
    hold: () => {
      held = true;
      socket?.ref();
    },
    release: () => {
      held = false;
      socket?.unref();
    },
  };
}
