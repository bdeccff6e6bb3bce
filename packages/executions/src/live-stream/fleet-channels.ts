/** Redis pub/sub of the fleet. A message only says that a look is worth while: rows and streams are the truth. */
export const CHANNELS = {
  /** `createEndedMessages`, after the end has committed. */
  ended: 'executor:ended',
  /** The id of an execution whose live stream has grown. */
  live: 'executor:live',
  /** The id of an execution whose cancellation was written down. */
  cancel: 'executor:cancel',
  /** `SessionMessage`: for the worker that has a session, or who waits for its answer. */
  sessions: 'executor:sessions',
  /** Ids of approvals that are pending no more, with commas between them. */
  decided: 'executor:decided',
  /** Empty: an API key was made or revoked. */
  keys: 'executor:keys',
} as const;

/** Ids of executions that one worker may take past the queue. It alone listens. */
export const takeChannel = (workerId: string): string => `executor:take:${workerId}`;
