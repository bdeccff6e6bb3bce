import type { ExecutionError } from '@code-executor/contracts';

/** Reason of an abort of `LiveExecution.stop`: how the execution is to end. */
export interface StopReason {
  readonly status: 'cancelled' | 'failed';
  readonly error: ExecutionError;
}

export const CANCELLED: StopReason = { status: 'cancelled', error: { code: 'CANCELLED', message: 'The execution was cancelled.' } };

export const STOPPED: StopReason = {
  status: 'failed',
  error: { code: 'WORKER_LOST', message: 'The service was stopped while the program ran; effects says whether it may be run again.' },
};

export const EXPIRED: StopReason = {
  status: 'failed',
  error: { code: 'APPROVAL_EXPIRED', message: 'Nobody decided in time on a tool call that needs an approval; it was not made.' },
};

export const NO_ROOM: StopReason = {
  status: 'failed',
  error: {
    code: 'PAUSE_LIMIT',
    message: 'As many executions wait for approvals as this service keeps sandboxes for; the call that needs one was not made.',
  },
};

/** Its sandbox is given up and it is not: whoever takes it next replays it. The error is written nowhere. */
export const LET_GO: StopReason = {
  status: 'failed',
  error: { code: 'WORKER_LOST', message: 'The sandbox was let go while the execution waits for a person.' },
};

export const diverged = (what: string): StopReason => ({
  status: 'failed',
  error: { code: 'REPLAY_DIVERGED', message: `The execution could not be continued after its sandbox was gone: run again, ${what}.` },
});

export const UNANSWERED: StopReason = {
  status: 'failed',
  error: {
    code: 'WORKER_LOST',
    message: 'The process that ran this execution died while a tool call was under way; whether that acted is unknown.',
  },
};

/** Nothing of such an execution is written here; the error is for the log alone. */
export const LOST: StopReason = {
  status: 'failed',
  error: { code: 'WORKER_LOST', message: 'The claim on this execution has lapsed while the program ran.' },
};
