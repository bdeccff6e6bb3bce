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

/** Nothing of such an execution is written here; the error is for the log alone. */
export const LOST: StopReason = {
  status: 'failed',
  error: { code: 'WORKER_LOST', message: 'The claim on this execution has lapsed while the program ran.' },
};
