/** One execution's room in the queue, taken before its row is written. Use either method, once. */
export interface QueuePlace {
  /**
   * Nothing waits and a worker of this process stands idle: it is held for this execution, whose row may be written
   * as claimed. Only ever true in process.
   */
  readonly startsAtOnce: boolean;
  add(executionId: string): void;
  release(): void;
}

/** What carries ids of committed executions to the workers. It holds nothing but ids: rows are the truth. */
export interface ExecutionQueue {
  /** Throws QUEUE_FULL with `details.retryAfterSeconds`. */
  reserve(workspaceId: string): QueuePlace;
  /** For executions that were accepted before: no bound applies. */
  add(executionId: string, options: { readonly workspaceId: string }): void;
  /** One handler, set once. It answers for its own failures and must not reject. */
  process(handler: (executionId: string) => Promise<void>, options: { readonly concurrency: number }): void;
  /** true: it was waiting and will not be handed out. */
  remove(executionId: string): boolean;
  depth(): { readonly queued: number; readonly running: number };
  /** Hands out nothing more; resolves when the handlers under way have finished. */
  close(): Promise<void>;
}
