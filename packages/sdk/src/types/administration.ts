export type Role = 'admin' | 'operator' | 'agent';

export interface Key {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  /** What narrows the role; null: nothing does. */
  readonly scopes: readonly string[] | null;
}

export interface NewKey {
  readonly name: string;
  readonly role: Role;
  /** ISO 8601. */
  readonly expiresAt?: string;
  readonly scopes?: string[];
}

/** One line of the record: a tool call (`tool.call`), or an act of administration (`policy.create`, …). */
export interface AuditRecord {
  readonly id: string;
  readonly at: string;
  readonly type: string;
  readonly principal: { readonly id: string | null; readonly role: Role | null; readonly name: string | null };
  readonly target: string | null;
  readonly server: string | null;
  readonly tool: string | null;
  readonly connection: string | null;
  readonly executionId: string | null;
  readonly callNumber: number | null;
  readonly requestId: string | null;
  readonly decision: string | null;
  readonly policyId: string | null;
  /** `ok`, or the code of the error; null: its end is unknown. */
  readonly outcome: string | null;
  readonly durationMs: number | null;
  readonly replyBytes: number | null;
  readonly argumentDigest: string | null;
  readonly details?: unknown;
  readonly digest: string | null;
}

export interface Health {
  readonly status: 'ok' | 'degraded' | 'stopping';
  readonly version: string;
  /** Seconds. */
  readonly uptime: number;
  readonly servers: Readonly<Record<string, string>>;
  readonly totalTools: number;
  readonly toolsByServer: Readonly<Record<string, number>>;
  readonly queue: { readonly queued: number; readonly running: number };
  readonly pool: { readonly hits: number; readonly misses: number; readonly warm: Readonly<Record<string, number>> };
}

export interface Readiness {
  readonly ready: boolean;
  readonly waitingFor: readonly string[];
}

export interface Identity {
  readonly id: string;
  readonly role: Role;
  /** Of the key. */
  readonly name: string | null;
  /** What narrows the role; null: nothing does. */
  readonly scopes: readonly string[] | null;
  readonly workspaceId: string;
}
