import type { PendingApproval } from './approval.ts';

export type ExecutionStatus = 'queued' | 'running' | 'paused' | 'succeeded' | 'failed' | 'timed_out' | 'cancelled';

/** May it be run again? `unknown`: a tool call was made whose answer is missing. */
export type Effects = 'not_started' | 'none' | 'some' | 'unknown';

export interface ExecuteRequest {
  readonly code: string;
  readonly language: 'typescript' | 'python' | 'node';
  /** Compute time, 1 to 300,000; 30,000 by default. Waiting for an approval does not count. */
  readonly timeoutMs?: number;
  /** Visible to the program as `args`. */
  readonly args?: Readonly<Record<string, unknown>>;
  /** Put into /workspace beside the program, by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Keeps files and variables for the next execution that names it. */
  readonly sessionId?: string;
  /** TypeScript only: nothing runs that does not type-check. */
  readonly typecheck?: boolean;
}

export interface ExecutionError {
  readonly code: string;
  readonly message: string;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  readonly stack?: string | undefined;
  readonly details?: unknown;
}

export interface ToolCallSummary {
  readonly tool: string;
  /** `ok`, or the error code. */
  readonly outcome: string;
  readonly durationMs: number;
}

export interface Execution {
  readonly executionId: string;
  readonly status: ExecutionStatus;
  readonly output: string;
  readonly result?: unknown;
  /** The program's own mistake is data. */
  readonly error: ExecutionError | null;
  /** Milliseconds inside the sandbox. */
  readonly executionTime: number;
  readonly truncated: boolean;
  readonly droppedBytes: number;
  readonly effects: Effects;
  readonly toolCalls: readonly ToolCallSummary[];
  readonly metrics: {
    readonly queueMs: number;
    readonly totalMs: number;
    readonly warm: boolean;
    readonly outputBytes: number;
    readonly outputTokens: number;
  };
  /** What a paused execution waits for. */
  readonly approval: PendingApproval | null;
}

export interface RecordedExecution extends Execution {
  readonly language: string;
  readonly createdAt: string;
  readonly endedAt: string | null;
}

export interface ExecutionSummary {
  readonly executionId: string;
  readonly status: ExecutionStatus;
  readonly language: string;
  readonly createdAt: string;
  readonly endedAt: string | null;
  readonly executionTime: number;
  readonly effects: Effects;
  readonly error: ExecutionError | null;
  readonly toolCalls: number;
}

/** One event of a live log; ids count from 1 without a gap. */
export type ExecutionEvent =
  | { readonly id: number; readonly type: 'status'; readonly data: { readonly status: ExecutionStatus; readonly at: string } }
  | { readonly id: number; readonly type: 'output'; readonly data: { readonly text: string } }
  | { readonly id: number; readonly type: 'tool_call'; readonly data: ToolCallSummary }
  | {
      readonly id: number;
      readonly type: 'ended';
      readonly data: { readonly status: ExecutionStatus; readonly error: ExecutionError | null };
    };

export interface Artifact {
  readonly path: string;
  readonly bytes: number;
}

export interface Artifacts {
  readonly items: readonly Artifact[];
  readonly total: number;
  readonly nextCursor: string | null;
  readonly omitted: readonly { readonly path: string; readonly reason: string }[];
}

export interface Session {
  readonly sessionId: string;
  readonly language: string;
  readonly status: 'idle' | 'busy';
  readonly createdAt: string;
  /** When it ends unless it is used; null while it is in use. */
  readonly expiresAt: string | null;
  readonly executions: number;
}
