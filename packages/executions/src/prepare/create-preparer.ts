import { AppError } from '@code-executor/platform';
import { IDENTITY_POSITIONS } from '@code-executor/sandbox';
import { withoutLeadingFence } from './fences.ts';
import type { PreparedProgram } from './prepare-program.ts';
import type { PrepareRequest } from './prepare-thread.ts';
import { type PrepareWorker, startPrepareWorker } from './prepare-worker.ts';

export interface Preparer {
  /** What the runner executes, or where the program is wrong. Rejects only with the reason of `signal` or of our own fault. */
  prepare(program: PrepareRequest, signal: AbortSignal): Promise<PreparedProgram>;
  close(): Promise<void>;
}

export interface PreparerOptions {
  /** Programs parsed side by side: while one hangs until its deadline, the others go on. */
  readonly threads?: number | undefined;
  /** 256 KB of plain code take some 100 ms; a program that takes this long is made to. */
  readonly deadlineMs?: number | undefined;
}

/**
 * Parses programs in threads of their own, with bounded memory and time, because a program may be written to make its
 * parser hang or grow. A thread that does is replaced, and the program ends with SYNTAX_ERROR.
 */
export function createPreparer({ threads = 2, deadlineMs = 1_000 }: PreparerOptions = {}): Preparer {
  const workers = new Set<PrepareWorker>();
  const idle: PrepareWorker[] = [];
  const turns: ((worker: PrepareWorker) => void)[] = [];
  let closed = false;
  const add = (): PrepareWorker => {
    const worker = startPrepareWorker();
    workers.add(worker);
    return worker;
  };
  const giveBack = (worker: PrepareWorker): void => {
    if (worker.usable()) {
      hand(worker);
      return;
    }
    workers.delete(worker);
    void worker.stop();
    if (!closed) hand(add());
  };
  const hand = (worker: PrepareWorker): void => {
    const turn = turns.shift();
    if (turn === undefined) idle.push(worker);
    else turn(worker);
  };
  for (let count = 0; count < threads; count += 1) idle.push(add());

  return {
    async prepare({ language, code }, signal) {
      signal.throwIfAborted();
      if (closed) throw new AppError('SHUTTING_DOWN', 'The service is stopping and parses nothing new.');
      // Nothing of Python is parsed here, so it needs no thread.
      if (language === 'python') return { ok: true, code: withoutLeadingFence(code), promisesResult: false, positions: IDENTITY_POSITIONS };
      const worker = idle.pop() ?? (await new Promise<PrepareWorker>((resolve) => turns.push(resolve)));
      try {
        signal.throwIfAborted();
        return await worker.prepare({ language, code }, deadlineMs);
      } finally {
        giveBack(worker);
      }
    },
    async close() {
      closed = true;
      await Promise.all([...workers].map((worker) => worker.stop()));
    },
  };
}
