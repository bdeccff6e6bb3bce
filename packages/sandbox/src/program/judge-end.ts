import { constants } from 'node:os';
import type { ExecutionError } from '@code-executor/contracts';
import type { SandboxEnd } from '../port.ts';

export interface Ending {
  readonly status: 'succeeded' | 'failed' | 'timed_out' | 'cancelled';
  readonly error: ExecutionError | null;
}

export interface EndEvidence {
  /** Null: the runner never said that the program began. */
  readonly promisesResult: boolean | null;
  readonly memoryLimitBytes: number;
  /** Highest use that the memory watch saw; null where nobody watched. */
  readonly peakBytes: number | null;
  /** The last of what the runtime printed. */
  readonly lastOutput: string;
}

/** What the end of the runtime's process says about a program that sent no terminal frame. */
export function judgeEnd(end: SandboxEnd, evidence: EndEvidence): Ending {
  if (end.outOfMemory === true) return outOfMemory(evidence.memoryLimitBytes);
  if (end.signal !== null) return judgeSignal(end.signal, evidence);
  const code = end.exitCode ?? 0;
  // Runtimes that catch their own crash, and shells, leave with 128 + the signal's number.
  if (code > 128 && CRASHES.includes(code - 128) && ranOutOfMemory(evidence)) return judgeSignal(code - 128, evidence);
  if (evidence.promisesResult === null) {
    return failed('SANDBOX_CRASHED', `The runtime ended with code ${code} before the program began.`);
  }
  if (code !== 0) return failed('EXITED', `The program left with exit code ${code}.`);
  if (evidence.promisesResult) return failed('EXITED', 'The program left with exit code 0 before the result it promised.');
  return { status: 'succeeded', error: null };
}

function judgeSignal(signal: number, evidence: EndEvidence): Ending {
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0] ?? `signal ${signal}`;
  if (CRASHES.includes(signal) && ranOutOfMemory(evidence)) {
    const limitMb = Math.round(evidence.memoryLimitBytes / MEGABYTE);
    return failed('MEMORY_LIMIT', `The runtime ran out of memory (${name}); the sandbox may use ${limitMb} MB.`);
  }
  if (signal === constants.signals.SIGXCPU) return failed('TIMEOUT', 'The program used up its CPU time.', 'timed_out');
  return failed('SANDBOX_CRASHED', `The runtime was ended by ${name}.`);
}

/** The kernel's own word, where it bounds the memory of the whole sandbox. */
export function outOfMemory(memoryLimitBytes: number): Ending {
  return failed('MEMORY_LIMIT', `The program used more memory than the ${Math.round(memoryLimitBytes / MEGABYTE)} MB that are allowed.`);
}

const MEGABYTE = 1024 * 1024;
const { SIGABRT, SIGBUS, SIGILL, SIGSEGV, SIGTRAP } = constants.signals;
const CRASHES: readonly number[] = [SIGABRT, SIGBUS, SIGILL, SIGSEGV, SIGTRAP];

/**
 * Runtimes crash when an allocation fails. They say so (JavaScriptCore by the address that it crashes at on purpose), or were near
 * the limit; a crash for another reason is neither.
 */
function ranOutOfMemory({ lastOutput, peakBytes, memoryLimitBytes }: EndEvidence): boolean {
  if (
    /out of memory|OutOfMemory|bad_alloc|Cannot allocate memory|memory allocation of \d+ bytes failed|MemoryExhaustion|0xBBADBEEF/i.test(
      lastOutput,
    )
  )
    return true;
  return peakBytes !== null && peakBytes >= 0.6 * memoryLimitBytes;
}

const failed = (code: string, message: string, status: 'failed' | 'timed_out' = 'failed'): Ending => ({ status, error: { code, message } });
