import { closeSync, openSync, readSync } from 'node:fs';

/** The first 64 KB of a file of /proc, without the size look-up and allocation of readFileSync; '' once it is gone. */
export function readShort(path: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    return buffer.toString('latin1', 0, readSync(descriptor, buffer, 0, buffer.length, 0)).trim();
  } catch {
    return '';
  } finally {
    closeSync(descriptor);
  }
}

const buffer = Buffer.alloc(64 * 1024);
