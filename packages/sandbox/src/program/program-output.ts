import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** Limits of one execution (design.md). */
const HEAD_BYTES = 64 * 1024;
const TAIL_BYTES = 36 * 1024;
const DRAINED_BYTES = 8 * 1024 * 1024;

export interface ProgramOutput {
  /** False once more than 8 MB came: the program is to be ended. */
  push(chunk: Buffer): boolean;
  /** The last few kilobytes so far. */
  tail(): string;
  /** Everything that was printed, where `finish` shows only part of it and `keepsWhole` was set. */
  whole(): Buffer | null;
  finish(): KeptOutput;
}

export interface KeptOutput {
  /** The first 64 KB and the last 36 KB; invalid UTF-8 as U+FFFD. */
  readonly output: string;
  readonly truncated: boolean;
  /** Bytes of what was written that `output` does not show. */
  readonly droppedBytes: number;
  readonly outputBytes: number;
}

/** Keeps the head and the tail of what a program prints. `onText` sees every character as it comes, decoded across chunks. */
export function createProgramOutput(onText: ((text: string) => void) | undefined, keepsWhole = false): ProgramOutput {
  const live = new StringDecoder('utf8');
  const head: Buffer[] = [];
  let headBytes = 0;
  let tail: Buffer[] = [];
  let tailBytes = 0;
  let outputBytes = 0;
  /** What follows the head. */
  const rest: Buffer[] = [];

  return {
    push(chunk) {
      outputBytes += chunk.length;
      const text = live.write(chunk);
      if (text !== '') onText?.(text);
      const forHead = Math.min(chunk.length, HEAD_BYTES - headBytes);
      if (forHead > 0) {
        // Copied: a view would keep the whole read buffer alive for a few bytes.
        head.push(Buffer.from(chunk.subarray(0, forHead)));
        headBytes += forHead;
      }
      if (forHead < chunk.length) {
        tail.push(Buffer.from(chunk.subarray(forHead)));
        if (keepsWhole) rest.push(chunk.subarray(forHead));
        tailBytes += chunk.length - forHead;
        if (tailBytes > 2 * TAIL_BYTES) {
          tail = [Buffer.concat(tail).subarray(-TAIL_BYTES)];
          tailBytes = TAIL_BYTES;
        }
      }
      return outputBytes <= DRAINED_BYTES;
    },
    tail() {
      return Buffer.concat(tailBytes === 0 ? head : tail)
        .subarray(-4096)
        .toString('utf8');
    },
    whole: () => (keepsWhole && outputBytes > HEAD_BYTES + TAIL_BYTES ? Buffer.concat([...head, ...rest]) : null),
    finish() {
      const undecoded = live.end();
      if (undecoded !== '') onText?.(undecoded);
      const first = Buffer.concat(head);
      const last = Buffer.concat(tail).subarray(-TAIL_BYTES);
      const truncated = outputBytes > first.length + last.length;
      if (!truncated) {
        return { output: Buffer.concat([first, last]).toString('utf8'), truncated, droppedBytes: 0, outputBytes };
      }
      // A character that the cut goes through is dropped whole, and counted.
      const shownHead = first.subarray(0, endOfWhole(first));
      const shownTail = last.subarray(startOfWhole(last));
      const droppedBytes = outputBytes - shownHead.length - shownTail.length;
      const output = `${shownHead.toString('utf8')}\n… ${droppedBytes} bytes dropped …\n${shownTail.toString('utf8')}`;
      return { output, truncated, droppedBytes, outputBytes };
    },
  };
}

/** Length without a character cut off at the end; invalid bytes are left for the decoder to replace. */
function endOfWhole(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back += 1) {
    const byte = bytes.readUInt8(bytes.length - back);
    if (byte < 0x80) return bytes.length;
    if (byte >= 0xf8) return bytes.length;
    if (byte >= 0xc0) {
      const wanted = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return wanted > back ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
}

/** Where the first whole character starts. */
function startOfWhole(bytes: Buffer): number {
  let start = 0;
  while (start < 3 && start < bytes.length && (bytes.readUInt8(start) & 0xc0) === 0x80) start += 1;
  return start;
}

export interface OutputReading {
  /** Resolves when everything that was in the pipe at the call is read. */
  drained(): Promise<void>;
  /** Resolves when every writer is gone, or after `withinMs`. */
  ended(withinMs: number): Promise<void>;
  /** Reads no more and leaves the rest for who comes next. */
  release(): void;
  stop(): void;
}

/** Drains from the start: a program whose pipe is full stands still. */
export function readOutput(output: Readable, onChunk: (chunk: Buffer) => void): OutputReading {
  const end = Promise.withResolvers<void>();
  let over = false;
  let turnsWithoutData = 0;
  const onEnd = (): void => {
    over = true;
    end.resolve();
  };
  const onData = (chunk: Buffer): void => {
    turnsWithoutData = 0;
    onChunk(chunk);
  };
  output.on('data', onData);
  output.once('end', onEnd);
  output.once('close', onEnd);
  // That of a session was paused after its last program.
  output.resume();
  const release = (): void => {
    output.off('data', onData);
    output.off('end', onEnd);
    output.off('close', onEnd);
    output.pause();
  };

  return {
    async drained() {
      // Every turn of the event loop reads a pipe that holds something; the first may have begun before the call.
      for (turnsWithoutData = 0; turnsWithoutData < 2 && !over; turnsWithoutData += 1) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    async ended(withinMs) {
      const timer = setTimeout(end.resolve, withinMs);
      await end.promise;
      clearTimeout(timer);
    },
    release,
    stop() {
      output.off('data', onData);
      // Whatever killed processes still hold is let go of.
      output.destroy();
    },
  };
}
