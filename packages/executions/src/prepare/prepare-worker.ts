import { Worker } from 'node:worker_threads';
import { AppError, messageOf } from '@code-executor/platform';
import type { PreparedProgram } from './prepare-program.ts';
import type { PrepareRequest, READY as ReadyMessage } from './prepare-thread.ts';

/** One preparing thread. It answers one program at a time and is gone for good after `gone` was called. */
export interface PrepareWorker {
  /** Rejects with what killed the thread; resolves with SYNTAX_ERROR where the program exhausted it. */
  prepare(request: PrepareRequest, deadlineMs: number): Promise<PreparedProgram>;
  /** Whether it can take another program. */
  usable(): boolean;
  stop(): Promise<unknown>;
}

const READY: typeof ReadyMessage = 'ready';

export function startPrepareWorker(): PrepareWorker {
  let current: { resolve(prepared: PreparedProgram): void; reject(error: unknown): void } | null = null;
  let usable = true;
  const thread = new Worker(new URL('./prepare-thread.ts', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 },
    env: {},
  });
  thread.unref();
  const ready = Promise.withResolvers<void>();
  thread.on('message', (message: PreparedProgram | typeof ReadyMessage) => {
    if (message === READY) ready.resolve();
    else current?.resolve(message);
  });
  thread.on('error', (error) => {
    usable = false;
    const outOfMemory = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
    if (outOfMemory) current?.resolve(unparsable('took too much memory'));
    else current?.reject(new AppError('INTERNAL', `Preparing a program failed: ${messageOf(error)}`, { cause: error }));
  });
  thread.on('exit', (code) => {
    usable = false;
    current?.reject(new AppError('INTERNAL', `Preparing a program failed: its thread ended with ${code}`));
  });
  return {
    async prepare(request, deadlineMs) {
      let timer: NodeJS.Timeout | undefined;
      try {
        return await new Promise<PreparedProgram>((resolve, reject) => {
          current = { resolve, reject };
          thread.postMessage(request);
          // A thread that is still starting is slow through no fault of the program.
          void ready.promise.then(() => {
            timer = setTimeout(() => {
              usable = false;
              resolve(unparsable(`took longer than ${deadlineMs} ms`));
            }, deadlineMs);
          });
        });
      } finally {
        current = null;
        clearTimeout(timer);
      }
    },
    usable: () => usable,
    stop: () => thread.terminate(),
  };
}

const unparsable = (why: string): PreparedProgram => ({
  ok: false,
  error: { code: 'SYNTAX_ERROR', message: `The program could not be parsed: it ${why}. Simplify it or split it into files.` },
});
