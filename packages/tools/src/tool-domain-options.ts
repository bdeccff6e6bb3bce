import type { Database, Logger, Tracing } from '@code-executor/platform';
import type { WrapperStore } from '@code-executor/wrappers';
import type { ApprovalSettings } from './approvals/approvals.ts';
import type { CallFence } from './calls/insert-starts.ts';
import type { FindPrincipal } from './calls/may-call.ts';
import type { ToolCallEvent } from './calls/watch-calls.ts';
import type { SecretSettings } from './connections/open-connections.ts';
import type { GuardedHttp } from './outbound/port.ts';
import type { McpServerDependencies } from './sources/mcp/mcp-server.ts';
import type { SourceKinds } from './sources/plugins.ts';
import type { WorkspaceKeeping } from './workspaces/open-workspaces.ts';

/** Where the wrappers of workspaces are written. */
export interface WorkspaceWrappers {
  snapshot(tools: Parameters<WrapperStore['snapshot']>[0], workspaceId: string): ReturnType<WrapperStore['snapshot']>;
  /** The workspace is not used at the moment: what is kept for speed alone may go. Must not throw. */
  letGo?(workspaceId: string): void;
}

export interface ToolDomainOptions {
  readonly db: Database;
  readonly log: Logger;
  /** Everything in it is hidden from stdio servers. */
  readonly dataDir: string;
  /** Made where it is missing; `seal.key` in the data directory by default. Hidden from stdio servers. */
  readonly sealKeyFile?: string | undefined;
  /** Default: `mcp-servers.json` in the data directory. */
  readonly serversFile?: string | undefined;
  readonly wrapperStore: WorkspaceWrappers;
  /** A path, or a name to be found on the PATH. */
  readonly bwrapPath?: string | undefined;
  /** Files and folders that stdio servers must not see, besides the data directory and the servers file. */
  readonly maskedPaths?: readonly string[] | undefined;
  /** What `${NAME}` in the servers file refers to, and where PATH, HOME and LANG of the servers come from. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly now?: (() => number) | undefined;
  /** What is known of a principal by its id, in memory; null: nothing. Policies for roles and names, and revoked keys, go by it. */
  readonly findPrincipal?: FindPrincipal | undefined;
  /** Days that acts and tool calls are kept in the record; 180 by default. */
  readonly auditRetentionDays?: number | undefined;
  /** The way to every upstream over HTTP; the caller closes it. Default: nothing but the servers file's own servers is listed. */
  readonly outbound?: GuardedHttp | undefined;
  readonly times?: Partial<McpServerDependencies['times']> | undefined;
  /** Where secret values of connections may be read from, beside the database. Default: nowhere. */
  readonly secrets?: SecretSettings | undefined;
  /** What documents may be, and who reads them. Default: the kinds that come with the product. */
  readonly sourceKinds?: SourceKinds | undefined;
  /** Whether the skills that come with the product are installed. Default: they are not. */
  readonly shippedSkills?: boolean | undefined;
  /** The built-in server with the tools of administration; absent: there is none. `publicUrl`: where people reach the gateway. */
  readonly adminTools?: { readonly publicUrl: string | undefined } | undefined;
  /** How gated calls wait for people. */
  readonly approvals?: ApprovalSettings | undefined;
  /** In the fleet: which claims hold (`heldExecutions`). A call whose grant's `token` is none of them answers STALE_CLAIM. */
  readonly fence?: CallFence | undefined;
  /** A change has committed that other processes on this database do not know of: they are to `reload`. Must not throw. */
  readonly onCommitted?: (() => void) | undefined;
  /** One event per tool call, after its end. Must not throw. */
  readonly onCall?: ((event: ToolCallEvent) => void) | undefined;
  /** The workspaces beside the home one; absent: there are none. */
  readonly workspaces?:
    | (WorkspaceKeeping & {
        exists(workspaceId: string): Promise<boolean>;
        /** Their admins may do with this machine and its network what the operator's may. Default: they may not. */
        readonly areTrusted?: boolean | undefined;
      })
    | undefined;
  /** null or absent: nothing is traced. */
  readonly tracing?: Tracing | null | undefined;
}
