import { readFileSync } from 'node:fs';

/** The world around the process, so that a command can run inside another one's test. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isInteractive: boolean;
  readonly errorIsTerminal: boolean;
  out(text: string | Uint8Array): void;
  err(text: string): void;
  /** Paints for the error or output stream, where it is a terminal and NO_COLOR does not forbid it. */
  paint(colour: Colour, text: string, stream?: 'out' | 'err'): string;
  readStdin(): string;
  /** Calls back on Ctrl-C; the answer takes that back. */
  onInterrupt(listener: () => void): () => void;
}

const COLOURS = { red: 31, green: 32, yellow: 33, blue: 34, dim: 2, bold: 1 } as const;
export type Colour = keyof typeof COLOURS;

export function processTerminal(): Terminal {
  const { env, stdin, stdout, stderr } = process;
  // A reader that went away (`| head`) has read enough.
  const gone = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'EPIPE') process.exit();
    throw error;
  };
  stdout.on('error', gone);
  stderr.on('error', gone);
  const paints = { out: mayPaint(env, stdout.isTTY === true), err: mayPaint(env, stderr.isTTY === true) };
  return {
    env,
    isInteractive: stdin.isTTY === true && stderr.isTTY === true,
    errorIsTerminal: stderr.isTTY === true,
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    paint: (colour, text, stream = 'out') => (paints[stream] ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text),
    readStdin: () => readFileSync(0, 'utf8'),
    onInterrupt(listener) {
      process.on('SIGINT', listener);
      process.on('SIGTERM', listener);
      return () => {
        process.off('SIGINT', listener);
        process.off('SIGTERM', listener);
      };
    },
  };
}

function mayPaint(env: Terminal['env'], isTerminal: boolean): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '' && env.FORCE_COLOR !== '0') return true;
  return isTerminal && env.TERM !== 'dumb';
}
