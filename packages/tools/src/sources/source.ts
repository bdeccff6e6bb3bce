import { type IntegrationKind, SKILLS_SERVER, type ToolCallReply } from '@code-executor/contracts';
import type { CatalogChange, CatalogTool } from '../catalog/catalog.ts';
import type { ConnectedIntegration } from '../connections/port.ts';
import { EXECUTOR_SERVER } from '../executor/executor-server.ts';
import type { Trust } from '../policies/policies.ts';
import type { IntegrationState } from '../port.ts';

/** What an integration is right now. `reason`: why it is broken, in a sentence without secrets. */
export interface SourceState {
  readonly state: IntegrationState;
  readonly reason: string | null;
  readonly restarts: number;
  /** How much of its document is read, 0 to 1; null: nothing is being read. */
  readonly progress?: number | null | undefined;
  /** It is broken because the upstream wants a credential: it may be kept until it has one. */
  readonly wantsCredential?: boolean | undefined;
}

/** Who is about to call which tool. */
export interface CallOccasion {
  readonly workspaceId: string;
  readonly principalId: string;
  /** Of `integration@connection.tool`; null: the address names none. */
  readonly connection: string | null;
  readonly entry: CatalogTool;
  /** A person's, for this very call; null or absent: none was asked for. */
  readonly approvalId?: string | null | undefined;
  /** The rule that lets it through; null or absent: none. */
  readonly policyId?: string | null | undefined;
}

export interface UpstreamCall {
  readonly args: Readonly<Record<string, unknown>>;
  readonly idempotencyKey: string;
  /** See `InvokeOptions`. */
  readonly wholeAnswer?: boolean | undefined;
  /** Told to the upstream, so that what it does joins the call's trace. */
  readonly traceparent?: string | undefined;
}

/** What one call came to: scrubbed, and within the limits of a reply. */
export interface UpstreamAnswer {
  readonly reply: ToolCallReply;
  readonly bytes: number;
  /** Whether the upstream is known to have ended what it did; false: whether it acted is unknown. */
  readonly isAnswered: boolean;
  /** True: nothing has left, so that nothing can have been done. */
  readonly isUnsent?: boolean | undefined;
}

/** A call with all it needs, of which nothing was sent yet. */
export interface PreparedCall {
  /** Never rejects. */
  send(call: UpstreamCall, signal: AbortSignal): Promise<UpstreamAnswer>;
}

/** One upstream whose tools can be called: a supervised MCP server, or an API that a document describes. */
export interface Source {
  readonly slug: string;
  readonly kind: ManagedKind;
  /** For traces: `stdio`, `http`. */
  readonly transport: string;
  /** Not started before its first call. */
  readonly lazy: boolean;
  readonly callTimeoutMs: number;
  /** As its connections see it; null or absent: it takes no credential (a stdio server). */
  readonly connected?: ConnectedIntegration | null | undefined;
  /** Patterns of tool names that the operator declares free of effects. */
  readonly readOnlyTools: readonly string[];
  state(): SourceState;
  /** Begins to start it, if it is neither up nor starting. Does not wait. */
  start(): void;
  /** Resolves when no start is under way. Never rejects. */
  settled(): Promise<void>;
  /** Resolves when it takes calls, started where needed. @throws AppError UPSTREAM_UNAVAILABLE; the signal's reason when it is aborted. */
  up(signal: AbortSignal): Promise<void>;
  /** Finds all that the call needs, its credential too. @throws AppError, before anything is recorded or sent. */
  prepare(occasion: CallOccasion, signal: AbortSignal): Promise<PreparedCall>;
  /** Connections of it were added, changed or removed. Must not throw. */
  connectionsChanged?(): void;
  /** Lists the tools again. */
  relist(signal: AbortSignal): Promise<void>;
  /** Ends all that runs for it. Never rejects. */
  stop(): Promise<void>;
}

/** Skills and the tools of administration are no integrations, but stand among them. */
export type ManagedKind = IntegrationKind | typeof SKILLS_SERVER | typeof EXECUTOR_SERVER;

export const isBuiltIn = (kind: ManagedKind): kind is typeof SKILLS_SERVER | typeof EXECUTOR_SERVER =>
  kind === SKILLS_SERVER || kind === EXECUTOR_SERVER;

/** One configured integration, whether it can run or not. */
export interface ManagedServer {
  readonly slug: string;
  readonly kind: ManagedKind;
  readonly origin: 'file' | 'api';
  readonly trust: Trust;
  /** Null: the definition itself is broken, and nothing will start. */
  readonly source: Source | null;
  state(): SourceState;
  warnings(): readonly string[];
  /** Of the last listing that changed anything. */
  lastChange(): CatalogChange;
}

export const NO_CHANGE: CatalogChange = { added: [], removed: [], changed: [] };
