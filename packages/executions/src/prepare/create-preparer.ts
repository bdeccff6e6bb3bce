import { AppError } from '@code-executor/platform';
import { IDENTITY_POSITIONS } from '@code-executor/sandbox';
import { withoutLeadingFence } from './fences.ts';
import { createKnownPrograms } from './known-programs.ts';
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
  const turns: { take(worker: PrepareWorker): void; giveUp(reason: unknown): void }[] = [];
  const known = createKnownPrograms();
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
    else turn.take(worker);
  };
  /** A thread of one's own until it is given back. Rejects with the signal's reason, or when the preparer is closed. */
  const takeWorker = async (signal: AbortSignal): Promise<PrepareWorker> => {
    const worker = idle.pop();
    if (worker?.usable()) return worker;
    if (worker !== undefined) {
      // It died while nobody used it; another takes its place.
      workers.delete(worker);
      return add();
    }
    const turn = Promise.withResolvers<PrepareWorker>();
    const waiting = { take: turn.resolve, giveUp: turn.reject };
    const onAbort = (): void => {
      const at = turns.indexOf(waiting);
      if (at >= 0) turns.splice(at, 1);
      turn.reject(signal.reason);
    };
    turns.push(waiting);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await turn.promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  };
  for (let count = 0; count < threads; count += 1) idle.push(add());

  return {
    async prepare({ language, code, sessionId, isSkill }, signal) {
      signal.throwIfAborted();
      if (closed) throw new AppError('SHUTTING_DOWN', 'The service is stopping and parses nothing new.');
      // Nothing of Python is parsed here, so it needs no thread.
      if (language === 'python') return { ok: true, code: withoutLeadingFence(code), promisesResult: false, positions: IDENTITY_POSITIONS };
      const request = { language, code, sessionId, isSkill };
      const before = known.find(request);
      if (before !== undefined) return before;
      const worker = await takeWorker(signal);
      try {
        const prepared = await worker.prepare(request, deadlineMs);
        known.keep(request, prepared);
        return prepared;
      } finally {
        giveBack(worker);
      }
    },
    async close() {
      closed = true;
      for (const turn of turns.splice(0)) turn.giveUp(new AppError('SHUTTING_DOWN', 'The service is stopping and parses nothing new.'));
      await Promise.all([...workers].map((worker) => worker.stop()));
    },
  };
}
