import type { Logger } from '@code-executor/platform';
import type { ExecutionEnded } from './end-execution.ts';

export interface EndedListeners {
  /** Answers the way to unsubscribe. */
  add(listener: (event: ExecutionEnded) => void): () => void;
  /** Logs the event and tells everybody, once who waits for the end has heard of it; one that fails keeps it from nobody else. */
  tell(event: ExecutionEnded): void;
}

export function createEndedListeners(log: Logger): EndedListeners {
  const listeners = new Set<(event: ExecutionEnded) => void>();
  return {
    add(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    tell(event) {
      setImmediate(tellAll, event);
    },
  };

  function tellAll(event: ExecutionEnded): void {
    log.info(event, 'Execution ended');
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        log.error({ err: error, executionId: event.executionId }, 'A listener of ended executions failed');
      }
    }
  }
}
