import { RESULT_LIMIT_BYTES } from '@code-executor/contracts';
import { FRAME, type RunPayload } from '../channel/frame-channel.ts';
import type { Sandbox } from '../port.ts';

/** What a sandbox is told of a program. */
export type SentProgram = Pick<RunPayload, 'code' | 'args' | 'files' | 'promisesResult' | 'nextChannel' | 'determinism'>;

/** Sends a program that runs as soon as it is there. */
export function sendProgram(
  sandbox: Sandbox,
  { code, args, files, promisesResult, nextChannel, determinism }: SentProgram,
  { resultLimitBytes, held }: Pick<RunPayload, 'resultLimitBytes' | 'held'>,
): void {
  const payload: RunPayload = { code, args, files, promisesResult, resultLimitBytes, nextChannel, determinism, held };
  sandbox.channel.send(FRAME.RUN, JSON.stringify(payload));
}

/**
 * Sends a program of which no line runs before `runProgram` is called with `isSentAhead`, so that its runtime makes it ready meanwhile.
 * `importsNothing`: loading its module runs no line of it either. Not for programs of sessions.
 */
export function sendAhead(
  sandbox: Sandbox,
  program: Omit<SentProgram, 'nextChannel'>,
  { importsNothing, resultLimitBytes = RESULT_LIMIT_BYTES }: { readonly importsNothing: boolean; readonly resultLimitBytes?: number },
): void {
  sendProgram(sandbox, program, { resultLimitBytes, held: importsNothing ? 'import' : 'all' });
}
