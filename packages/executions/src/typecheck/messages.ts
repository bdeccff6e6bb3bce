import type { ExecutionError } from '@code-executor/contracts';

/** What the service asks of the checking process. */
export interface CheckRequest {
  readonly number: number;
  readonly code: string;
  readonly files: Readonly<Record<string, string>>;
  readonly snapshotDir: string;
}

export type CheckAnswer =
  | { readonly number: number; readonly ok: true; readonly error: ExecutionError | null }
  | { readonly number: number; readonly ok: false; readonly reason: string };
