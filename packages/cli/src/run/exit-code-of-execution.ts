import type { Execution } from '@code-executor/sdk';
import { EXIT } from '../exit-codes.ts';

/** The program's own code where it left with one. */
export function exitCodeOfExecution({ status, error }: Pick<Execution, 'status' | 'error'>): number {
  if (status === 'succeeded') return EXIT.done;
  if (status === 'timed_out') return EXIT.timedOut;
  if (status === 'cancelled') return EXIT.interrupted;
  if (status !== 'failed') return EXIT.paused;
  const [, code] = (error?.code === 'EXITED' && /exit code (\d{1,3})\b/.exec(error.message)) || [];
  return code === undefined || code === '0' ? EXIT.failed : Number(code);
}
