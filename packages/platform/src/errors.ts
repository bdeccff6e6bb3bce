import { ERROR_CODES, type ErrorCode } from '@code-executor/contracts/error-codes';

/** The one error class of the house: branch on `code`, never on the message. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: unknown;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.details = options.details;
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}

export const isAppError = (error: unknown, code?: ErrorCode): error is AppError =>
  error instanceof AppError && (code === undefined || error.code === code);

/** The message of whatever was thrown; foreign code throws anything. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
