import type { SkillLanguage } from './skill.ts';

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
  /** Its wrapper runs this itself, once the call was let through; absent: it is an upstream's. */
  readonly skill?: SkillBody | undefined;
}

/** A skill's program, made ready to stand in a wrapper: a function `$body(args)` and its imports, or Python as it was written. */
export interface SkillBody {
  readonly language: SkillLanguage;
  readonly source: string;
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

/** What an upstream's answer says about itself, apart from its value. */
export interface ReplyMeta {
  /** Of HTTP. */
  readonly status?: number | undefined;
  /** Addresses of the `Link` header by `rel`: `next`, `last`. */
  readonly links?: Readonly<Record<string, string>> | undefined;
  readonly rateLimit?: { readonly limit?: number; readonly remaining?: number; readonly resetAt?: string } | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

/** An MCP server's answer as it came, for who passes it on. Nothing in it is checked but its size and depth; secrets are out. */
export interface McpAnswer {
  readonly content: readonly unknown[];
  readonly structuredContent?: unknown;
  readonly _meta?: Readonly<Record<string, unknown>> | undefined;
}

/** What one tool call came to. `value` is any JSON value; null beside an `answer`, which only who asked for it is given. */
export type ToolCallReply =
  | { readonly ok: true; readonly value: unknown; readonly meta?: ReplyMeta | undefined; readonly answer?: McpAnswer | undefined }
  | { readonly ok: false; readonly error: ToolCallFailure; readonly meta?: ReplyMeta | undefined; readonly answer?: McpAnswer | undefined };

/** Operations of `discovery` inside the sandbox. */
export const DISCOVERY_OPERATIONS = ['list_servers', 'list_tools', 'search_tools', 'get_tool'] as const;
export type DiscoveryOperation = (typeof DISCOVERY_OPERATIONS)[number];
