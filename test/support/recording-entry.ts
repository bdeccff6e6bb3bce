import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** An entry of a servers file for recording-server.ts, which writes into `file`. */
export function recordingServer(file: string, entry: Record<string, unknown> = {}): Record<string, unknown> {
  const program = fileURLToPath(new URL('./recording-server.ts', import.meta.url));
  return { command: process.execPath, args: [program, file], trust: true, ...entry };
}

/** What the server has written down so far. */
export const recorded = (file: string): string[] => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []);
