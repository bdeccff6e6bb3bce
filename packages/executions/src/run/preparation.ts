import type { AcceptedExecution } from '../execution.ts';
import type { Preparer } from './dependencies.ts';
import { within } from './within.ts';

/** A program that takes longer to parse than this is made to. */
const PREPARE_MS = 10_000;

type Prepared<Positions> = Awaited<ReturnType<Preparer<Positions>['prepare']>>;

/** Prepares programs, and may begin while the row is still being written: nothing of the program runs by that. */
export interface Preparation<Positions> {
  begin(execution: AcceptedExecution, stop: AbortSignal): Promise<Prepared<Positions>>;
  /** What `begin` began, or a preparation from now on. */
  take(execution: AcceptedExecution, stop: AbortSignal): Promise<Prepared<Positions>>;
  /** The execution was not accepted after all. */
  forget(executionId: string): void;
}

export function createPreparation<Positions>(preparer: Preparer<Positions>): Preparation<Positions> {
  const begun = new Map<string, Promise<Prepared<Positions>>>();
  const prepare = (execution: AcceptedExecution, stop: AbortSignal): Promise<Prepared<Positions>> =>
    within(PREPARE_MS, stop, (signal) => preparer.prepare(execution, signal));
  return {
    begin(execution, stop) {
      const prepared = prepare(execution, stop);
      // Whoever takes it sees the failure; until then it must not count as one that nobody handles.
      prepared.catch(() => undefined);
      begun.set(execution.id, prepared);
      return prepared;
    },
    take(execution, stop) {
      const prepared = begun.get(execution.id);
      begun.delete(execution.id);
      return prepared ?? prepare(execution, stop);
    },
    forget: (executionId) => void begun.delete(executionId),
  };
}
