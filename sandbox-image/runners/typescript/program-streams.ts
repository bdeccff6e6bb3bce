import { createDescriptorWriter } from './descriptor-writer.ts';

/**
 * Gives the program a `process.stdout` and `process.stderr` that write at once, as Node's do on a pipe. Bun's own queue what
 * a full pipe does not take, so later output of console.log or of a child overtakes it and a result may leave before it;
 * they also cost 8 ms to create. Made on first use.
 */
export function replaceStreams(): void {
  replaceStream('stdout', 1);
  replaceStream('stderr', 2);
}

function replaceStream(name: 'stdout' | 'stderr', descriptor: number): void {
  let stream: unknown;
  Object.defineProperty(process, name, {
    configurable: true,
    enumerable: true,
    get: () => {
      stream ??= createStream(createDescriptorWriter(descriptor), descriptor);
      return stream;
    },
  });
}

function createStream(writeBytes: (bytes: Uint8Array) => void, descriptor: number): unknown {
  // Loaded here, not at boot: most programs never touch process.stdout.
  const { Writable } = process.getBuiltinModule('node:stream');
  const stream = new Writable({
    decodeStrings: true,
    write: (chunk: Uint8Array, _encoding, done) => {
      try {
        writeBytes(chunk);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    // As with Node's own: `end` and `destroy` of standard output leave the descriptor open.
    destroy: (_error, done) => done(null),
  });
  return Object.assign(stream, { fd: descriptor, _type: 'pipe', isTTY: false });
}
