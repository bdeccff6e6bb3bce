/**
 * Runs one TypeScript program on Node.js itself, for code that needs it: `node --experimental-transform-types runner.ts`, in
 * /workspace, with the channel as descriptor 3. Everything but the socket and the resolution of imports is the TypeScript
 * runner's own.
 *
 * Node's built-in transformation takes the place of tsx: a file with an enum ran in 60 ms and 61 MB with it (Node alone: 24 ms,
 * 42 MB), in 440-840 ms with tsx (design.md). It knows no decorators, which prepare refuses for this runtime.
 */
import { existsSync, readSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createDescriptorWriter } from '../typescript/descriptor-writer.ts';
import { executeProgram } from '../typescript/execute-program.ts';
import { FRAME, jsonFrame, readGo, readRun, type Transport } from '../typescript/tool-channel.ts';

const CHANNEL = 3;
// Another directory is named by tests alone, which run without a sandbox.
const workspace = process.env.RUNNER_WORKSPACE ?? '/workspace';
const write = createDescriptorWriter(CHANNEL);

registerHooks({
  // As Bun does: `./a.js` and `./a` find a.ts, `./a` a directory's index.ts.
  resolve: (specifier, context, nextResolve) => {
    const isPath = /^(?:\.{0,2}\/|file:)/.test(specifier);
    const base = isPath && context.parentURL !== undefined ? new URL(specifier, context.parentURL) : null;
    if (base === null || existsSync(base)) {
      const index = base !== null && !/\.\w+$/.test(base.pathname) ? `${base.href}/index.ts` : null;
      return nextResolve(index !== null && existsSync(fileURLToPath(index)) ? index : specifier, context);
    }
    const found = [`${base.href.replace(/\.js$/, '')}.ts`, `${base.href}.js`].find((candidate) => existsSync(fileURLToPath(candidate)));
    return nextResolve(found ?? specifier, context);
  },
});
write(jsonFrame(FRAME.READY, {}));
const readBytes = readSync;
const readChannel = (buffer: Uint8Array, offset: number): number => readBytes(CHANNEL, buffer, offset, buffer.length - offset, null);
const run = readRun(readChannel);
if (run !== null) {
  const main = `${workspace}/main.ts`;
  Object.assign(globalThis, { require: createRequire(main), __filename: main, __dirname: workspace });
  executeProgram(run, workspace, nodeTransport());
}

function nodeTransport(): Transport {
  let socket: Socket | undefined;
  return {
    write,
    open: (onBytes, onClose) => {
      socket = new Socket({ fd: CHANNEL, readable: true, writable: false });
      socket.unref();
      socket.on('data', onBytes);
      socket.on('error', onClose);
      socket.on('close', onClose);
    },
    waitForGo: () => readGo(readChannel),
    hold: () => socket?.ref(),
    release: () => socket?.unref(),
  };
}
