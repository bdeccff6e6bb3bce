import type { ExecutionEvent, RecordedExecution } from './types/execution.ts';

/** A program that runs, as `stream` answers it. */
export interface ExecutionStream extends AsyncIterable<ExecutionEvent> {
  readonly executionId: string;
  /** How it ended, with its output and result. Follows the events to the end where nobody else does. */
  result(): Promise<RecordedExecution>;
}

export function createExecutionStream(
  executionId: string,
  follow: () => AsyncGenerator<ExecutionEvent>,
  get: () => Promise<RecordedExecution>,
): ExecutionStream {
  let ended = false;
  return {
    executionId,
    async *[Symbol.asyncIterator]() {
      for await (const event of follow()) {
        if (event.type === 'ended') ended = true;
        yield event;
      }
    },
    async result() {
      if (!ended) for await (const event of follow()) ended = event.type === 'ended';
      return await get();
    },
  };
}
