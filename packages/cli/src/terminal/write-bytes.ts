import { writeFileSync } from 'node:fs';
import type { Context } from '../command/context.ts';

/** Bytes that a program wrote, into a file or as they are to the standard output. */
export function writeBytes(context: Context, bytes: Uint8Array, file: string | undefined): void {
  if (file === undefined) {
    context.terminal.out(bytes);
    return;
  }
  writeFileSync(file, bytes);
  context.answer({ file, bytes: bytes.byteLength }, () => `Wrote ${file} (${bytes.byteLength} bytes).`);
}
