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
import { replaceStreams } from './program-streams.ts';
import { serializeResult } from './serialize-result.ts';
import { FRAME, jsonFrame, readRun, type Transport } from './tool-channel.ts';

interface BunSocket {
  ref(): void;
  unref(): void;
}
declare const Bun: {
  connect(options: {
    fd: number;
    socket: { open(socket: BunSocket): void; data(socket: BunSocket, bytes: Uint8Array): void; close(): void; error(): void };
  }): Promise<BunSocket>;
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
}

function serve(): void {
  write(jsonFrame(FRAME.READY, {}));
  const run = readRun((buffer, offset) => readSync(CHANNEL, buffer, offset, buffer.length - offset, null));
  if (run === null) return;
  // Bun makes its own streams, for 8 ms, in order to have them replaced; few programs name them.
  if (/std(?:out|err)/.test(run.code) || Object.values(run.files).some((text) => /std(?:out|err)/.test(text))) replaceStreams();
  executeProgram(run, workspace, bunTransport());
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
