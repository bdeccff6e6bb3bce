import type { ErrorCode } from '@code-executor/contracts';
import { isAppError } from '@code-executor/platform';

/** What a call comes to whose upstream gave no answer that its kind could read. */
export interface Unanswered {
  readonly code: ErrorCode;
  readonly message: string;
  readonly isAnswered: boolean;
  /** Nothing has left, so that nothing can have been done. */
  readonly isUnsent: boolean;
}

/** Faults before the first byte. (An address that is refused may be one that was redirected to.) */
const UNSENT: ReadonlySet<ErrorCode> = new Set(['UPSTREAM_UNAVAILABLE', 'INVALID_ARGUMENTS', 'ARGUMENTS_TOO_LARGE']);
/** Faults after which nobody knows whether the upstream has acted. */
const LOST: ReadonlySet<ErrorCode> = new Set(['TOOL_TIMEOUT', 'UPSTREAM_LOST']);

/** Null: a fault of ours. */
export function answerWithoutResult(error: unknown, tool: string, signal: AbortSignal): Unanswered | null {
  if (signal.aborted) {
    const message = `${tool} was cancelled: the execution ended before it answered`;
    return { code: 'CALL_ABORTED', message, isAnswered: false, isUnsent: false };
  }
  if (!isAppError(error) || error.code === 'INTERNAL') return null;
  const { code, message } = error;
  const isUnsent = UNSENT.has(code);
  const whatFor = message.includes(tool) ? message : `${tool}: ${message}`;
  return { code, message: LOST.has(code) ? `${whatFor}; whether it acted is unknown` : whatFor, isAnswered: !LOST.has(code), isUnsent };
}
