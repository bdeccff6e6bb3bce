import type {
  IntegrationRecord,
  JsonSchema,
  PolicyAction,
  Principal,
  SearchDetail,
  ToolAnnotations,
  ToolCallReply,
} from '@code-executor/contracts';
import type { ApprovalsAdministration } from './approvals/port.ts';
import type { ConnectionAdministration } from './connections/port.ts';
import type { HandoffAdministration } from './executor/port.ts';
import type { IntegrationAdministration } from './integrations/port.ts';
import type { PolicyAdministration } from './policies/port.ts';
import type { SkillAdministration } from './skills/port.ts';

export type IntegrationState = 'starting' | 'ready' | 'idle' | 'broken' | 'stopped';

export interface ToolSummary {
  readonly server: string;
  readonly name: string;
  readonly description: string;
  readonly action: PolicyAction;
}

export interface SearchQuery {
  readonly q: string;
  readonly server?: string | undefined;
  readonly detail: SearchDetail;
  readonly limit: number;
  readonly offset: number;
}

/** `items` by detail: `name` → `{server: [tool, …]}`; `description` → `{server: {tool: one line}}`; `full` → ToolInfo[]. */
export interface SearchAnswer {
  readonly items: unknown;
  readonly total: number;
  /** o200k tokens of `items` as JSON. */
  readonly tokens: number;
  /** Against the full definitions of the whole visible catalog. */
  readonly tokensSaved: number;
  readonly nextOffset: number | null;
}

export interface ToolInfo {
  readonly server: string;
  readonly name: string;
  readonly title: string | null;
  readonly description: string;
  readonly inputSchema: JsonSchema;
  readonly outputSchema: JsonSchema | null;
  readonly annotations: ToolAnnotations;
  readonly signature: string;
  readonly wrapper: { readonly path: string; readonly source: string; readonly pythonPath: string; readonly pythonSource: string };
  readonly policy: { readonly action: PolicyAction; readonly reason: string };
  readonly example: { readonly typescript: string; readonly python: string };
}

export interface ToolPage {
  readonly items: readonly ToolSummary[];
  readonly total: number;
  readonly nextCursor: string | null;
}

export interface ToolsSummary {
  readonly servers: Readonly<Record<string, { state: IntegrationState; tools: number; reason: string | null }>>;
  readonly totalTools: number;
}

export interface ToolPageQuery {
  readonly server?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Answered at once by the tool domain in this process, later by the MCP proxy. */
export type Awaitable<Answer> = Answer | Promise<Answer>;

/** What the gateway asks of the tool domain. Every method may throw, or reject with, an AppError; TOOLS_UNAVAILABLE: no answer from the MCP proxy. */
export interface InvokeOptions {
  /** The reply of an MCP server carries its `answer` as it came, instead of the value that code sees. */
  readonly wholeAnswer?: boolean | undefined;
}

export interface ToolAdministration
  extends ApprovalsAdministration,
    ConnectionAdministration,
    PolicyAdministration,
    IntegrationAdministration,
    HandoffAdministration,
    SkillAdministration {
  listTools(principal: Principal, page: ToolPageQuery): Awaitable<ToolPage>;
  search(principal: Principal, query: SearchQuery): Awaitable<SearchAnswer>;
  toolInfo(principal: Principal, server: string, tool: string): Awaitable<ToolInfo>;
  /** One call without code; recorded like any other, with no execution. */
  invoke(
    principal: Principal,
    server: string,
    tool: string,
    args: unknown,
    signal: AbortSignal,
    options?: InvokeOptions,
  ): Promise<ToolCallReply>;

  /** For /health: every configured server of the principal's workspace (null: of the home one) with its state, and the number of its tools. */
  summary(principal?: Principal | null): Awaitable<ToolsSummary>;
}

/** The tool domain of this process: what it has in memory it answers at once. */
export interface LocalToolAdministration extends ToolAdministration {
  listTools(principal: Principal, page: ToolPageQuery): ToolPage;
  search(principal: Principal, query: SearchQuery): SearchAnswer;
  toolInfo(principal: Principal, server: string, tool: string): ToolInfo;
  listIntegrations(principal: Principal): readonly IntegrationRecord[];
  getIntegration(principal: Principal, slug: string): IntegrationRecord;
  summary(): ToolsSummary;
}
