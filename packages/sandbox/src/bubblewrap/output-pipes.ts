import { execFile } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface OutputPipe {
  readonly readFd: number;
  readonly writeFd: number;
  /** To be called when both ends are closed everywhere: the next sandbox gets the same pipe. */
  release(): void;
}

/**
 * Real pipes for stdout and stderr, which Node cannot make: it gives children sockets, and a program cannot open /dev/stdout
 * again when that is one. FIFOs are made by the dozen and used again.
 */
export function createOutputPipes(dir: string): { take(): Promise<OutputPipe>; close(): Promise<void> } {
  const free: string[] = [];
  let made = 0;
  let making: Promise<void> | null = null;

  const make = async (): Promise<void> => {
    if (made === 0) {
      await rm(dir, { recursive: true, force: true });
      await mkdir(dir, { recursive: true, mode: 0o700 });
    }
    const paths = Array.from({ length: AT_ONCE }, (_, index) => join(dir, String(made + index)));
    made += AT_ONCE;
    await promisify(execFile)('mkfifo', ['-m', '600', ...paths], { timeout: 5000 });
    free.push(...paths);
  };

  return {
    async take() {
      let path = free.pop();
      while (path === undefined) {
        making ??= make().finally(() => {
          making = null;
        });
        await making;
        path = free.pop();
      }
      const fifo = path;
      const readFd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        return { readFd, writeFd: openSync(fifo, constants.O_WRONLY), release: () => void free.push(fifo) };
      } catch (error) {
        closeSync(readFd);
        throw error;
      }
    },
    async close() {
      await making?.catch(() => undefined); // Whoever waits for a pipe is told.
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const AT_ONCE = 32;
