import type { Effects, ExecutionError, ExecutionStatus, ToolCallSummary } from '@code-executor/contracts';
import type { SessionOfClaim } from './fleet-sessions/port.ts';

/** What was asked for, as it is written before anything else happens. */
export interface AcceptedExecution {
  readonly id: string;
  readonly workspaceId: string;
  readonly principalId: string;
  readonly requestId: string;
  readonly language: string;
  readonly code: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly files: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly typecheck: boolean;
  readonly createdAt: Date;
  /** The session of its principal that it runs in; absent: a sandbox of its own. */
  readonly sessionId?: string | undefined;
  /** Of the trace that its request belongs to; absent where nothing is traced. */
  readonly traceparent?: string | null | undefined;
}

/** One a worker holds: `token` fences out whoever held it before. */
export interface ClaimedExecution extends AcceptedExecution {
  readonly token: number;
  /** In the fleet: of the session that it runs in. */
  readonly session?: SessionOfClaim | undefined;
  /** What it left when its sandbox was let go, or died, while it waited; it is to be replayed. */
  readonly replay?: string | undefined;
}

export type EndedStatus = Extract<ExecutionStatus, 'succeeded' | 'failed' | 'timed_out' | 'cancelled'>;

/** How it ended, as it is written once. */
export interface ExecutionOutcome {
  readonly status: EndedStatus;
  readonly error: ExecutionError | null;
  readonly resultJson: string | null;
  readonly output: string;
  readonly truncated: boolean;
  readonly droppedBytes: number;
  readonly outputBytes: number;
  readonly executionTimeMs: number;
  readonly effects: Effects;
  readonly toolCalls: readonly ToolCallSummary[];
  /** null: no sandbox was claimed. */
  readonly warm: boolean | null;
}

/** The end of an execution that did not run, or of which nothing is left but what it did elsewhere. */
export function endWithoutProgram(status: EndedStatus, error: ExecutionError | null, effects: Effects): ExecutionOutcome {
  return {
    status,
    error,
    resultJson: null,
    output: '',
    truncated: false,
    droppedBytes: 0,
    outputBytes: 0,
    executionTimeMs: 0,
    effects,
    toolCalls: [],
    warm: null,
  };
}
