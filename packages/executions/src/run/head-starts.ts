import type { Runtime } from '@code-executor/contracts';
import type { Sandbox } from '@code-executor/sandbox';
import type { AcceptedExecution } from '../execution.ts';
import { mayReplay, newSeed } from '../replay/recording.ts';
import type { RunDependencies, SendAhead } from './dependencies.ts';
import type { Preparation } from './preparation.ts';
import { unlessAborted } from './within.ts';

/**
 * While the row of an execution is being written its sandbox gets the program, and makes everything ready that runs no line of it. An
 * execution that is not accepted after all leaves nothing behind but that sandbox, which is killed.
 */
export interface HeadStarts {
  /** Resolves when there is nothing to be gained by waiting longer before the row is written; never rejects. */
  begin(execution: AcceptedExecution, stop: AbortSignal): Promise<void>;
  /** undefined: it has none. Whoever takes it ends it. */
  take(executionId: string): HeadStart | undefined;
  forget(executionId: string): void;
}

export interface HeadStart {
  /** What the program's randomness is made from; undefined where it is the machine's. */
  readonly seed: string | undefined;
  /** The sandbox that waits for the word, the caller's from now on; null: the program is none. Rejects as a claim does. */
  claimed(signal: AbortSignal): Promise<{ readonly sandbox: Sandbox; readonly warm: boolean } | null>;
  /** Kills the sandbox, unless the caller has it. */
  end(): void;
}

export interface HeadStartDependencies<Positions> extends Pick<RunDependencies<Positions>, 'pool' | 'tools' | 'sandboxLimits'> {
  readonly preparation: Preparation<Positions>;
  /** Absent: programs are only prepared. */
  readonly sendAhead?: SendAhead | undefined;
}

/** A program that takes longer to prepare holds up no row for longer. */
const LONGEST_WAIT_MS = 5;

export function createHeadStarts<Positions>(deps: HeadStartDependencies<Positions>): HeadStarts {
  const { preparation, sendAhead } = deps;
  const begun = new Map<string, HeadStart>();
  return {
    async begin(execution, stop) {
      const prepared = preparation.begin(execution, stop);
      if (sendAhead === undefined || execution.sessionId !== undefined || execution.typecheck) return;
      const seed = mayReplay(execution) ? newSeed() : undefined;
      begun.set(execution.id, headStart(seed, load({ execution, prepared, seed }, stop, { ...deps, sendAhead })));
      await settledOrLate(prepared);
    },
    take(executionId) {
      const head = begun.get(executionId);
      begun.delete(executionId);
      return head;
    },
    forget(executionId) {
      preparation.forget(executionId);
      begun.get(executionId)?.end();
      begun.delete(executionId);
    },
  };
}

type Claimed = Awaited<ReturnType<RunDependencies['pool']['claim']>>;

async function load<Positions>(
  {
    execution,
    prepared,
    seed,
  }: {
    readonly execution: AcceptedExecution;
    readonly prepared: ReturnType<Preparation<Positions>['begin']>;
    readonly seed: string | undefined;
  },
  stop: AbortSignal,
  { pool, tools, sandboxLimits, sendAhead }: HeadStartDependencies<Positions> & { readonly sendAhead: SendAhead },
): Promise<Claimed | null> {
  const program = await prepared;
  if (!program.ok) return null;
  const { workspaceId, language, args, files } = execution;
  const snapshotDir = await tools.snapshotDir(workspaceId, undefined, stop);
  const claimed = await pool.claim({ runtime: language as Runtime, snapshotDir, limits: sandboxLimits }, stop);
  try {
    const { code, promisesResult } = program;
    // A file that comes with the program may do anything as it is loaded.
    const importsNothing = program.importsNothing === true && Object.keys(files).length === 0;
    const determinism = seed === undefined ? undefined : { seed };
    sendAhead(claimed.sandbox, { code, args, files, promisesResult, determinism }, { importsNothing });
    return claimed;
  } catch (error) {
    claimed.sandbox.kill();
    throw error;
  }
}

function headStart(seed: string | undefined, loaded: Promise<Claimed | null>): HeadStart {
  let isOurs = true;
  // Whoever asks for it sees the failure; until then it must not count as one that nobody handles.
  loaded.catch(() => undefined);
  return {
    seed,
    async claimed(signal) {
      const claimed = await unlessAborted(loaded, signal);
      isOurs = false;
      return claimed;
    },
    end() {
      if (!isOurs) return;
      isOurs = false;
      void loaded.then(
        (claimed) => claimed?.sandbox.kill(),
        () => undefined,
      );
    },
  };
}

async function settledOrLate(prepared: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, LONGEST_WAIT_MS);
  // In a turn of its own: by then a warm sandbox has its program.
  const soon = (): void => void setImmediate(resolve);
  prepared.then(soon, soon);
  await promise;
  clearTimeout(timer);
}
