import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ExecutionError } from '@code-executor/contracts';
import { type Logger, messageOf } from '@code-executor/platform';
import type { CheckAnswer, CheckRequest } from './messages.ts';

const CHECKER_PROCESS = fileURLToPath(new URL('./checker-process.ts', import.meta.url));

/** The start of the process takes a second, several on a busy machine. */
const START_MS = 20_000;

export interface TypecheckerOptions {
  readonly log: Logger;
  /** One check. A type may be written that takes forever to compute. */
  readonly deadlineMs?: number;
  /** Heap of the checking process. */
  readonly memoryMb?: number;
  /** The process holds some 200 MB, so it goes after this long without a check; the next one starts it again. */
  readonly idleMs?: number;
}

export interface TypecheckedProgram {
  readonly code: string;
  readonly files: Readonly<Record<string, string>>;
  readonly snapshotDir: string;
  readonly signal: AbortSignal;
}

/**
 * Checks programs against the wrappers they import, one after another, in a process of its own that stays resident.
 * The answer is null for a program without an error, else TYPECHECK_FAILED with the first diagnostics. A process that hangs or dies
 * is replaced, and the program it was checking counts as not checked: TYPECHECK_FAILED too, since nothing may run unchecked.
 * Rejects with the signal's reason when the caller gives up.
 */
export function createTypechecker({ log, deadlineMs = 10_000, memoryMb = 512, idleMs = 300_000 }: TypecheckerOptions) {
  let child: ChildProcess | null = null;
  let turn: Promise<unknown> = Promise.resolve();
  let idleTimer: NodeJS.Timeout | null = null;
  let isClosed = false;
  let lastNumber = 0;

  return {
    async check({ code, files, snapshotDir, signal }: TypecheckedProgram): Promise<ExecutionError | null> {
      signal.throwIfAborted();
      const answer = turn.then(() => (signal.aborted ? null : askChild({ code, files, snapshotDir })));
      turn = answer;
      return await orAborted(answer, signal);
    },

    /** Ends the process; a check under way is answered with TYPECHECK_FAILED. */
    async close(): Promise<void> {
      isClosed = true;
      if (idleTimer !== null) clearTimeout(idleTimer);
      const ended = child === null ? null : exitOf(child);
      child?.ref();
      child?.kill('SIGKILL');
      await ended;
      await turn;
    },
  };

  /** Never rejects. */
  async function askChild(program: Omit<CheckRequest, 'number'>): Promise<ExecutionError | null> {
    if (isClosed) return notChecked('the service is stopping');
    if (idleTimer !== null) clearTimeout(idleTimer);
    lastNumber += 1;
    try {
      if (child === null) {
        child = startChild();
        // The libraries are read on the start's own account: a program is not blamed for a machine that is busy.
        await exchange(child, { number: 0, code: '', files: {}, snapshotDir: program.snapshotDir }, START_MS);
      }
      return await exchange(child, { number: lastNumber, ...program }, deadlineMs);
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'type checker replaced');
      child?.kill('SIGKILL');
      child = null;
      return notChecked(messageOf(error));
    } finally {
      idleTimer = setTimeout(() => {
        child?.kill('SIGKILL');
        child = null;
      }, idleMs);
      idleTimer.unref();
    }
  }

  function startChild(): ChildProcess {
    const started = spawn(
      process.execPath,
      // It reads; it has no business writing, starting processes or loading native code.
      [`--max-old-space-size=${memoryMb}`, '--permission', '--allow-fs-read=*', '--disable-warning=ExperimentalWarning', CHECKER_PROCESS],
      { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env: {} },
    );
    started.stderr?.setEncoding('utf8').on('data', (text: string) => log.debug({ text: text.slice(0, 2000) }, 'type checker wrote'));
    started.once('error', (error) => log.warn({ reason: error.message }, 'type checker could not be started'));
    started.once('exit', () => {
      if (child === started) child = null;
    });
    return started;
  }

  function exchange(asked: ChildProcess, request: CheckRequest, boundMs: number): Promise<ExecutionError | null> {
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => finish(() => reject(new Error(`it took longer than ${boundMs} ms`))), boundMs);
      const onMessage = (message: unknown) => {
        const answer = message as CheckAnswer;
        if (answer.number !== request.number) return;
        finish(() => (answer.ok ? resolve(answer.error) : reject(new Error(answer.reason))));
      };
      const onExit = (code: number | null, signal: string | null) =>
        finish(() => reject(new Error(`its process ended (${signal ?? code}), out of memory perhaps`)));
      const onError = (error: Error) => finish(() => reject(error));
      asked.on('message', onMessage);
      asked.on('exit', onExit);
      asked.on('error', onError);
      // Only a check under way keeps the service alive.
      asked.ref();
      asked.channel?.ref();
      asked.send(request, (error) => {
        if (error !== null) onError(error);
      });

      function finish(settle: () => void): void {
        clearTimeout(deadline);
        asked.off('message', onMessage);
        asked.off('exit', onExit);
        asked.off('error', onError);
        asked.unref();
        asked.channel?.unref();
        settle();
      }
    });
  }
}

function notChecked(reason: string): ExecutionError {
  return {
    code: 'TYPECHECK_FAILED',
    message: `The program could not be type-checked: ${reason}. Nothing ran; send it without typecheck, or simpler.`,
  };
}

function exitOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
