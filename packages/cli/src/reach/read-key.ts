import { readFileSync } from 'node:fs';
import { UsageError } from '../command/command.ts';
import type { Context } from '../command/context.ts';
import { askSecret } from '../terminal/prompts.ts';

/** A key from a file, the standard input (`-`), or typed unseen. */
export async function readKeyOption({ terminal, signal }: Context, keyFile: unknown, question: string): Promise<string> {
  if (typeof keyFile !== 'string') return await askSecret(terminal, question, signal);
  const key = (keyFile === '-' ? terminal.readStdin() : read(keyFile)).trim();
  if (!/^[\w.~+/=-]{1,4096}$/.test(key)) throw new UsageError(`What is in ${keyFile === '-' ? 'the standard input' : keyFile} is no key.`);
  return key;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`The key file ${file} cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
}
