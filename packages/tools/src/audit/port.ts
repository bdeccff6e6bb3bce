import type { AuditRecord, Principal, Role } from '@code-executor/contracts';

/** One act, as it is told to the record. Never with a secret, a credential or the values of a tool's arguments. */
export interface AuditEvent {
  /** A thing and what was done to it: `policy.create`, `connection.remove`. */
  readonly type: `${string}.${string}`;
  /** Null: nobody, but the service itself. */
  readonly principal: (Omit<Principal, 'role'> & { readonly role: Role | null }) | null;
  /** Where there is no principal. Default: the default one. */
  readonly workspaceId?: string | undefined;
  readonly target?: string | null | undefined;
  readonly server?: string | null | undefined;
  readonly tool?: string | null | undefined;
  readonly executionId?: string | null | undefined;
  readonly requestId?: string | null | undefined;
  /** `ok` by default; else the code of the error it was answered with. */
  readonly outcome?: string | undefined;
  /** What was asked for, as JSON of at most 4 KB: more is cut off. */
  readonly details?: unknown;
}

export interface AuditFilter {
  /** `policy.create`, or `policy` for everything done to policies. */
  readonly type?: string | undefined;
  /** The id of a principal. */
  readonly principal?: string | undefined;
  readonly server?: string | undefined;
  readonly tool?: string | undefined;
  readonly execution?: string | undefined;
  /** `ok`, a code, or `failed` for everything but ok. */
  readonly outcome?: string | undefined;
  readonly since?: Date | undefined;
  /** Before this time. */
  readonly until?: Date | undefined;
}

export interface AuditPage {
  readonly items: readonly AuditRecord[];
  readonly nextCursor: string | null;
}

/** Whether the chain of the acts is whole: the first one whose digest does not follow from it and the one before. */
export interface AuditCheck {
  readonly whole: boolean;
  readonly checked: number;
  readonly brokenAt: string | null;
}

/** The append-only record of acts and tool calls. */
export interface Audit {
  /** Resolves when it is written. Never rejects: what cannot be written is logged, loudly. */
  record(event: AuditEvent): Promise<void>;
  /** Newest first, by when they were made. @throws AppError INVALID_REQUEST for a cursor that is none. */
  list(
    workspaceId: string,
    filter: AuditFilter,
    page: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<AuditPage>;
  /** Oldest first, a few at a time in memory. Throws the signal's reason. */
  export(workspaceId: string, filter: AuditFilter, signal: AbortSignal): AsyncIterable<AuditRecord>;
  verify(workspaceId: string, signal: AbortSignal): Promise<AuditCheck>;
}
