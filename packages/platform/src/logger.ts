import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** JSON lines on stdout. Secrets never reach it: whoever logs passes fields by name, and those that hold secrets are cut. */
export function createLogger(options: { readonly level: LogLevel; readonly service: string }): Logger {
  return pino({
    level: options.level,
    base: { service: options.service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: ['authorization', '*.authorization', 'headers', '*.headers', 'env', '*.env', 'key', '*.key'], censor: '[cut]' },
  });
}
