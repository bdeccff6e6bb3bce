/** A JSON Schema as an upstream server sent it: foreign and not to be trusted. */
export type JsonSchema = { readonly [key: string]: unknown } | boolean;

/** One callable operation as the catalog holds it. `server` is the integration's slug; `name` is the upstream's own. */
export interface ToolDefinition {
  readonly server: string;
  readonly name: string;
  readonly title?: string | undefined;
  readonly description: string;
  readonly inputSchema: JsonSchema;
  readonly outputSchema?: JsonSchema | undefined;
  readonly annotations?: ToolAnnotations | undefined;
}

/** Hints of the upstream about its own tool (MCP `annotations`). */
export interface ToolAnnotations {
  readonly readOnlyHint?: boolean | undefined;
  readonly destructiveHint?: boolean | undefined;
  readonly idempotentHint?: boolean | undefined;
  readonly openWorldHint?: boolean | undefined;
}

export const POLICY_ACTIONS = ['allow', 'require_approval', 'block'] as const;
export type PolicyAction = (typeof POLICY_ACTIONS)[number];

export const SEARCH_DETAILS = ['name', 'description', 'full'] as const;
export type SearchDetail = (typeof SEARCH_DETAILS)[number];

/** What a failing tool call looks like to the program: the fields of `ToolError`. */
export interface ToolCallFailure {
  readonly code: string;
  readonly message: string;
  readonly details?: unknown;
}

/** What one tool call came to. `value` is any JSON value. */
export type ToolCallReply = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: ToolCallFailure };

/** Operations of `discovery` inside the sandbox. */
export const DISCOVERY_OPERATIONS = ['list_servers', 'list_tools', 'search_tools', 'get_tool'] as const;
export type DiscoveryOperation = (typeof DISCOVERY_OPERATIONS)[number];
