import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Lines are written by the page, or after this time: a write of its own for each costs more than the rest of the line. */
const FLUSH_EVERY_MS = 250;
const PAGE_BYTES = 4096;

/**
 * JSON lines on stdout, or where another program's output is there, on stderr. Secrets never reach it: whoever logs passes fields by name, and those that hold secrets are cut.
 * What is held back is written when the process exits, by whatever error; `kill -9` loses the last quarter of a second.
 */
export function createLogger(options: {
  readonly level: LogLevel;
  readonly service: string;
  readonly destination?: 'stdout' | 'stderr' | undefined;
}): Logger {
  return pino(
    {
      level: options.level,
      base: { service: options.service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['authorization', '*.authorization', 'headers', '*.headers', 'env', '*.env', 'key', '*.key'], censor: '[cut]' },
    },
    pino.destination({ dest: options.destination === 'stderr' ? 2 : 1, sync: false, minLength: PAGE_BYTES, periodicFlush: FLUSH_EVERY_MS }),
  );
}
