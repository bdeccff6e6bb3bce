import type { Readable } from 'node:stream';

/** One life of a session, from the execution that began it to its end: that execution's id. A session begun anew is another one. */
export type Incarnation = string;

/** What a claim says of the session that its execution runs in. */
export interface SessionOfClaim {
  readonly incarnation: Incarnation;
  /** Why it ended without its principal's wish, of which this execution is to tell; null: it did not. */
  readonly lost: string | null;
  /** No worker has room for one more. */
  readonly isRefused?: boolean | undefined;
}

/** What became of the session by the time its execution had ended. */
export type SessionFate =
  /** It rests, and the next execution goes on in it. */
  | { readonly state: 'kept' }
  /** It had not begun, or its principal has heard of its loss. */
  | { readonly state: 'none' }
  | { readonly state: 'lost'; readonly reason: string };

export interface LostSession {
  readonly incarnation: Incarnation;
  readonly reason: string;
}

/** One act on the files of a session, for the worker that has it. */
export interface SessionTransfer {
  readonly id: string;
  readonly incarnation: Incarnation;
  readonly act: 'list' | 'read' | 'write';
  /** Empty for a list. */
  readonly path: string;
}

/** What a worker learns with each renewal of its sessions. */
export interface SessionRenewal {
  /** Not this worker's any more, or ended by their principals: to be killed. */
  readonly gone: readonly Incarnation[];
  /** Executions that wait for this worker. */
  readonly executions: readonly string[];
  /** Acts that it has not answered yet. */
  readonly transfers: readonly SessionTransfer[];
}

export type TransferAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };

/**
 * The rows of sessions as a worker sees them, over mcp-proxy. A session belongs to the worker whose lease on it holds. Throws
 * what `ExecutionLedger` throws.
 */
export interface SessionLedger {
  renew(workerId: string, held: readonly Incarnation[], lost: readonly LostSession[]): Promise<SessionRenewal>;
  /** What a client has sent for a `write`. The stream is the caller's. */
  readTransfer(workerId: string, transferId: string): Promise<Readable>;
  /** The content of a `read`, which is its answer too. Throws FILE_TOO_LARGE. */
  writeTransfer(workerId: string, transferId: string, content: Readable, bytes: number): Promise<void>;
  answerTransfer(workerId: string, transferId: string, answer: TransferAnswer): Promise<void>;
}
