import { setTimeout as sleep } from 'node:timers/promises';
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

/** How often a thread that takes long is asked what it has used. */
const LOOK_MS = 100;
/** Made once: without a reason an abort makes an exception with its stack, for nobody to read. */
const ANSWERED = new Error('the thread has answered');
/** By the clock, whatever the machine does meanwhile. */
const CLOCK_MAXIMUM_MS = 30_000;

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
  const judge = async (deadlineMs: number, signal: AbortSignal): Promise<void> => {
    try {
      // A thread that is still starting is slow through no fault of the program.
      await ready.promise;
      await untilUsedUp(thread, deadlineMs / 2, signal);
      if (signal.aborted) return;
      usable = false;
      current?.resolve(unparsable(`took longer than ${deadlineMs} ms`));
    } catch (error) {
      if (!signal.aborted) current?.reject(error);
    }
  };
  return {
    async prepare(request, deadlineMs) {
      const over = new AbortController();
      // Half of its time is counted by the clock, which costs nothing.
      const timer = setTimeout(() => void judge(deadlineMs, over.signal), deadlineMs / 2);
      try {
        return await new Promise<PreparedProgram>((resolve, reject) => {
          current = { resolve, reject };
          thread.postMessage(request);
        });
      } finally {
        current = null;
        clearTimeout(timer);
        over.abort(ANSWERED);
      }
    },
    usable: () => usable,
    stop: () => thread.terminate(),
  };
}

/**
 * Resolves when the thread has worked for so long by its own processor time, for on a machine that is busy or has stood still the
 * clock runs on without it.
 */
async function untilUsedUp(thread: Worker, processorMs: number, signal: AbortSignal): Promise<void> {
  try {
    const before = await thread.cpuUsage();
    const latestMs = performance.now() + CLOCK_MAXIMUM_MS;
    for (let usedMs = 0; usedMs < processorMs && performance.now() < latestMs; ) {
      await sleep(LOOK_MS, undefined, { signal });
      const { user, system } = await thread.cpuUsage(before);
      usedMs = (user + system) / 1_000;
    }
  } catch (error) {
    // It has answered; or it has died, of which its own events tell.
    if (!signal.aborted && thread.threadId !== -1) throw error;
  }
}

const unparsable = (why: string): PreparedProgram => ({
  ok: false,
  error: { code: 'SYNTAX_ERROR', message: `The program could not be parsed: it ${why}. Simplify it or split it into files.` },
});
