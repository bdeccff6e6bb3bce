import type {
  DiscoveryOperation,
  Effects,
  ExecuteRequest,
  Execution,
  ExecutionEvent,
  ExecutionStatus,
  Principal,
  Role,
  ToolCallReply,
} from '@code-executor/contracts';
import type { Artifacts } from './artifacts/read-artifacts.ts';
import type { HistoryFilter } from './export-executions.ts';
import type { Sessions } from './sessions/sessions.ts';

/** What lets one execution call tools: it names whom the calls are for, and dies with the execution. */
export interface ExecutionGrant {
  readonly executionId: string;
  readonly workspaceId: string;
  readonly principalId: string;
  /** In the fleet: what the worker shows to the MCP proxy for this execution's calls. */
  readonly bearer?: string | undefined;
  /** In the fleet: the fencing token of the claim, without which no call is recorded. */
  readonly token?: number | undefined;
  /** On whose behalf its calls are made, where they are traced. */
  readonly traceparent?: string | undefined;
}

/** What the program asked for, and what the caller must know of it afterwards. */
export interface ToolCallOutcome {
  readonly reply: ToolCallReply;
  /** `none`: not dispatched or marked read-only by the operator; `some`: dispatched; `unknown`: dispatched, answer missing. */
  readonly effects: Exclude<Effects, 'not_started'>;
  /** The call was not made: it waits for this decision, and is made when it is issued again with the approval's id. `reply` is for who cannot wait. */
  readonly approval?: PendingApproval | undefined;
}

export interface PendingApproval {
  readonly id: string;
  readonly expiresAt: string;
}

/** The tool side as executions see it: in one process a function call, in the fleet the MCP proxy's internal route. */
export interface ToolPort {
  /** `callNumber` counts an execution's calls from 1 in the order they were issued. Never rejects: failures are replies. */
  callTool(
    grant: ExecutionGrant,
    call: { readonly callNumber: number; readonly tool: string; readonly args: unknown; readonly approvalId?: string | undefined },
    signal: AbortSignal,
  ): Promise<ToolCallOutcome>;
  /** Resolves when the approval may be pending no more; the call, issued again, tells. Absent: gated calls fail. Rejects with the signal's reason. */
  whenDecided?(grant: ExecutionGrant, approvalId: string, signal: AbortSignal): Promise<void>;
  /** Never rejects. */
  discover(grant: ExecutionGrant, operation: DiscoveryOperation, params: unknown): Promise<ToolCallReply>;
  /** Host directory of the wrapper snapshot that a new execution of this workspace sees. */
  snapshotDir(workspaceId: string): Promise<string>;
}

/** An execution as it is kept: its result stays the raw JSON text the program sent, so that no number loses digits on the way. */
export interface ExecutionRecord extends Omit<Execution, 'result'> {
  readonly resultJson: string | null;
  readonly language: string;
  readonly createdAt: string;
  readonly endedAt: string | null;
}

/** One line of the history; output and result are read one execution at a time. */
export type ExecutionSummary = Omit<ExecutionRecord, 'output' | 'resultJson'>;

/** What the gateway asks of executions. Every method judges the principal: an agent sees its own, an operator the workspace's. */
export interface Executions {
  /** The row commits before this resolves. `replayed`: the Idempotency-Key was known, nothing new was queued. */
  submit(
    principal: Principal,
    request: ExecuteRequest,
    options: {
      readonly idempotencyKey?: string | undefined;
      readonly requestId: string;
      readonly traceparent?: string | null | undefined;
    },
  ): Promise<{ readonly executionId: string; readonly replayed: boolean }>;
  /** Resolves when the execution has ended or is paused. Aborting the wait does not stop the execution. */
  wait(principal: Principal, executionId: string, signal: AbortSignal): Promise<ExecutionRecord>;
  get(principal: Principal, executionId: string): Promise<ExecutionRecord>;
  /** Newest first. `total` counts to 10,000 and no further. */
  list(
    principal: Principal,
    page: { readonly limit: number; readonly cursor?: string | undefined; readonly status?: ExecutionStatus | undefined },
  ): Promise<{ readonly items: ExecutionSummary[]; readonly total: number; readonly nextCursor: string | null }>;
  cancel(principal: Principal, executionId: string): Promise<ExecutionRecord>;
  /** Events with an id above `afterId`, live until the execution ends. Throws INVALID_EVENT_ID or EVENTS_GONE before the first. */
  events(principal: Principal, executionId: string, afterId: number, signal: AbortSignal): Promise<AsyncIterable<ExecutionEvent>>;
  /** Absent where nothing of the kind is kept. */
  readonly artifacts?: Artifacts | undefined;
  readonly sessions?: Sessions | undefined;
  /** The history, oldest first, one record at a time. Throws the signal's reason. */
  export(principal: Principal, filter: HistoryFilter, signal: AbortSignal): AsyncIterable<ExecutionRecord>;
  /** Deletes what ended before; its tool calls stay in the record. `complete`: false where the time was up first. */
  purge(principal: Principal, before: Date, signal: AbortSignal): Promise<{ readonly purged: number; readonly complete: boolean }>;
  depth(): { readonly queued: number; readonly running: number };
}

export interface KeyRecord {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  /** What narrows the role; null: nothing does. */
  readonly scopes: readonly string[] | null;
}

/** API keys: 256 random bits, stored as SHA-256 only; the bare key is shown once. */
export interface Keys {
  /** null: unknown, expired or revoked. Costs no more than a map look-up for a key seen before. */
  authenticate(bareKey: string): Promise<Principal | null>;
  create(
    principal: Principal,
    key: {
      readonly name: string;
      readonly role: Role;
      readonly expiresAt?: string | undefined;
      readonly scopes?: readonly string[] | undefined;
    },
  ): Promise<KeyRecord & { readonly key: string }>;
  list(principal: Principal): Promise<KeyRecord[]>;
  revoke(principal: Principal, keyId: string): Promise<KeyRecord>;
}
