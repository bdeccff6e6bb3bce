import type { PendingApproval } from './types/approval.ts';

/**
 * What the service answered instead, or why no answer came. Branch on `code`: one of the service's table, or of the client's
 * own: `NETWORK_ERROR`, `CLIENT_TIMEOUT`, `BAD_ANSWER` (all with status 0).
 */
export class ExecutorError extends Error {
  override readonly name: string = 'ExecutorError';
  readonly code: string;
  /** HTTP; 0 where no answer came. */
  readonly status: number;
  readonly details: unknown;
  readonly requestId: string | null;
  /** How long the service asks to stay away. */
  readonly retryAfterMs: number | null;

  constructor(fields: {
    code: string;
    message: string;
    status: number;
    details?: unknown;
    requestId?: string | null;
    retryAfterMs?: number | null;
    cause?: unknown;
  }) {
    super(fields.message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.code = fields.code;
    this.status = fields.status;
    this.details = fields.details;
    this.requestId = fields.requestId ?? null;
    this.retryAfterMs = fields.retryAfterMs ?? null;
  }
}

/** A call waits for a human's decision. It goes on by itself once `approval` is decided; `executions.wait(executionId)` sees its end. */
export class ExecutorPausedError extends ExecutorError {
  override readonly name = 'ExecutorPausedError';
  readonly executionId: string;
  readonly approval: PendingApproval;

  constructor(executionId: string, approval: PendingApproval) {
    super({
      code: 'EXECUTION_PAUSED',
      message: `${approval.tool} waits for approval ${approval.id}: decide at ${approval.url} before ${approval.expiresAt}.`,
      status: 202,
      details: { executionId, approval },
    });
    this.executionId = executionId;
    this.approval = approval;
  }
}
